"""Tiny random ChatGLMs in the layout of the original checkpoints, with SentencePiece models trained on the spot."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from instructerc.backbones.chatglm.configuration import ChatGLMConfig
from instructerc.backbones.chatglm.conversion import from_glm
from instructerc.backbones.chatglm.modeling import ChatGLMForCausalLM
from instructerc.backbones.chatglm.tokenizer import FILES, MASKS
from instructerc.testing import TINY_LABELS, tiny_corpus

CONTEXT = 512

FIRST_CONTROL = ("<pad>", "[MASK]", "[gMASK]", "[sMASK]", "<unused_0>", "<sop>", "<eop>", "<ENC>", "<dBLOCK>")
BLANKS = ("<n>", "<|tab|>", *(f"<|blank_{count}|>" for count in range(2, 81)))

SENTENCES = (
    *(turn.text for chat in tiny_corpus().train for turn in chat.utterances),
    *TINY_LABELS,
    "Now you are an expert of emotional analysis. Please select the emotional label of the speaker.",
    "The quick brown fox jumps over 13 lazy dogs; while reading a letter, she quietly smiled (twice).",
    "我们今天赢了比赛，大家都很高兴。你昨天为什么没有来？",
)

SIGNS = ("< > [ ] / | _ sMASK gMASK dBLOCK ENC unk",)
"""What control tokens are written with; the released models know all of it."""


@functools.cache
def sentencepiece_model(version: int, *, signs: bool = True) -> bytes:
    """A SentencePiece model with the kinds of pieces, and the rules, of a version's own.

    Without `signs` it lacks the characters that control tokens are written with.
    """
    import sentencepiece

    kind: dict[str, Any] = (
        {
            "model_type": "unigram",
            "normalization_rule_name": "nmt_nfkc",
            "control_symbols": list(FIRST_CONTROL),
            "user_defined_symbols": list(BLANKS),
            "vocab_size": 620,
        }
        if version == 1
        else {
            "model_type": "bpe",
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
            "vocab_size": 520,
        }
    )
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter((SENTENCES + SIGNS * signs) * 4),
        model_writer=file,
        byte_fallback=True,
        split_digits=True,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **kind,
    )
    return file.getvalue()


def pieces(version: int) -> dict[str, int]:
    """Ids of the pieces of `sentencepiece_model`."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model(version))
    return {processor.id_to_piece(number): number for number in range(processor.get_piece_size())}


def tiny_chatglm(folder: Path, **settings: Any) -> Path:
    """A ChatGLM of the first version: two layers, four heads of 8."""
    ids = pieces(1)
    record = {
        "architectures": ["ChatGLMModel"],
        "auto_map": {"AutoConfig": "configuration_chatglm.ChatGLMConfig"},
        "model_type": "chatglm",
        "vocab_size": len(ids) + 8,
        "hidden_size": 32,
        "num_layers": 2,
        "num_attention_heads": 4,
        "inner_hidden_size": 64,
        "max_sequence_length": CONTEXT,
        "layernorm_epsilon": 1e-5,
        "bos_token_id": ids["<sop>"],
        "eos_token_id": ids["<eop>"],
        "mask_token_id": ids["[MASK]"],
        "gmask_token_id": ids["[gMASK]"],
        "pad_token_id": ids["<pad>"],
        "position_encoding_2d": True,
        **settings,
    }
    config = ChatGLMConfig.from_dict({**record, "initializer_range": 0.2})
    with torch.random.fork_rng():
        torch.manual_seed(1)
        tensors = ChatGLMForCausalLM(config).state_dict()
    # The original writes these as well.
    tensors["lm_head.weight"] = tensors["transformer.word_embeddings.weight"].clone()
    for layer in range(config.num_layers):
        tensors[f"transformer.layers.{layer}.attention.rotary_emb.inv_freq"] = torch.ones(2).half()
    return write(folder, 1, record, tensors)


def tiny_chatglm2(folder: Path, **settings: Any) -> Path:
    """A ChatGLM2: two layers, four heads of 8, two of keys and values."""
    from transformers import GlmConfig, GlmForCausalLM

    record = {
        "architectures": ["ChatGLMModel"],
        "auto_map": {"AutoConfig": "configuration_chatglm.ChatGLMConfig"},
        "model_type": "chatglm",
        "add_bias_linear": False,
        "add_qkv_bias": True,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
        "hidden_size": 32,
        "ffn_hidden_size": 64,
        "kv_channels": 8,
        "layernorm_epsilon": 1e-5,
        "multi_query_attention": True,
        "multi_query_group_num": 2,
        "num_attention_heads": 4,
        "num_layers": 2,
        "padded_vocab_size": len(pieces(2)) + len(MASKS) + 8,
        "post_layer_norm": True,
        "rmsnorm": True,
        "seq_length": CONTEXT,
        "tie_word_embeddings": False,
        "eos_token_id": 2,
        "pad_token_id": 0,
        **settings,
    }
    config = GlmConfig(
        vocab_size=record["padded_vocab_size"],
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        attention_bias=True,
        pad_token_id=0,
        eos_token_id=2,
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        tensors = from_glm(GlmForCausalLM(config).state_dict())
    tensors["transformer.rotary_pos_emb.inv_freq"] = torch.ones(2).half()
    return write(folder, 2, record, tensors)


TINY = {1: tiny_chatglm, 2: tiny_chatglm2}
"""By version."""


def write(folder: Path, version: int, record: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Path:
    """A checkpoint as the hub has it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / FILES[version]).write_bytes(sentencepiece_model(version))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "ChatGLMTokenizer"}', encoding="utf-8")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


def shard(folder: Path, *, pickled: bool, count: int = 2) -> list[Path]:
    """Cuts a checkpoint's weights into several files with an index, as safetensors or as pickles; gives the files."""
    from safetensors.torch import load_file

    whole = folder / "model.safetensors"
    tensors = load_file(whole)
    whole.unlink()
    front, end = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    names = [f"{front}-{number:05}-of-{count:05}.{end}" for number in range(1, count + 1)]
    placed = {name: names[place % count] for place, name in enumerate(tensors)}
    for file in names:
        part = {name: tensor.clone() for name, tensor in tensors.items() if placed[name] == file}
        if pickled:
            torch.save(part, folder / file)
        else:
            save_file(part, folder / file, metadata={"format": "pt"})
    index = json.dumps({"metadata": {}, "weight_map": placed})
    (folder / f"{front}.{end}.index.json").write_text(index, encoding="utf-8")
    return [folder / file for file in names]
