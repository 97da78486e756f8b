"""Chat templates as model families have them, on tokenizers that are trained here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from instructerc.testing import tiny_corpus, tiny_llama

CHATML = """
{%- if messages[0].role == 'system' -%}
{{ '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- else -%}
{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif -%}
{%- for message in messages if message.role != 'system' -%}
{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' -%}
{%- set content = message.content.split('</think>')[-1].lstrip('\\n') -%}
{%- if loop.last -%}{{ '<think>\\n\\n</think>\\n\\n' + content }}{%- else -%}{{ content }}{%- endif -%}
{%- else -%}
{{ message.content }}
{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false -%}{{ '<think>\\n\\n</think>\\n\\n' }}{%- endif -%}
{%- endif -%}
"""
"""Inserts a system message, thinks unless it is told not to, closes with <|im_end|>."""

LLAMA3 = """
{{- bos_token }}
{%- set today = strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: ' + today + '\\n\\n<|eot_id|>' }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""
"""Strips what is said, and writes today's date."""

GEMMA = """
{{- bos_token }}
{%- if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{%- endif %}
{%- for message in messages %}
{%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif %}
{%- set role = 'model' if message.role == 'assistant' else message.role %}
{{- '<start_of_turn>' + role + '\\n' + message.content | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}
"""
"""Knows no system message, wants roles to alternate."""

INST = """
{{- bos_token }}
{%- for message in messages %}
{%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{%- endif %}
{%- if message.role == 'user' %}{{- '[INST] ' + message.content | trim + ' [/INST]' }}
{%- else %}{{- ' ' + message.content | trim + eos_token }}{%- endif %}
{%- endfor %}
"""
"""Llama 2's and Mistral's: no word for the generation prompt, and a space in front of the answer."""

TIGHT_INST = (
    INST.replace("'[INST] '", "'[INST]'").replace("' [/INST]'", "'[/INST]'").replace("' ' + message", "message")
)
"""Mistral's of today, without spaces."""

ZEPHYR = """
{%- for message in messages %}
{{- '<|' + message.role + '|>\\n' + message.content + eos_token + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>\\n' }}{%- endif %}
"""
"""Marks of roles that are plain text to the tokenizer; ends with the end token."""

WORDS = """
{%- for message in messages %}
{{- 'Question: ' + message.content + '\\n\\n' if message.role == 'user' else 'Answer: ' + message.content + eos_token }}
{%- endfor %}
{%- if add_generation_prompt %}{{- 'Answer:' }}{%- endif %}
"""
"""Nothing but words: everything is text."""


def byte_level(*control: str, thinking: bool = False) -> Any:
    """A byte-level BPE, as GPT-2's, Llama 3's and Qwen's are."""
    from tokenizers import decoders, models, pre_tokenizers, trainers

    return _trained(
        models.BPE(),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
        trainers.BpeTrainer(
            vocab_size=500,
            special_tokens=["<s>", "</s>", *control],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
        ("<think>", "</think>") if thinking else (),
    )


def sentencepiece(*control: str, prepend: str = "first") -> Any:
    """A BPE over pieces with ▁; `prepend`: a word start is marked at the first text, always, or never (Gemma's)."""
    from tokenizers import decoders, models, pre_tokenizers, trainers

    return _trained(
        models.BPE(byte_fallback=True, unk_token="<unk>"),
        pre_tokenizers.Metaspace(prepend_scheme=prepend, split=True),
        decoders.Metaspace(prepend_scheme=prepend),
        trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=["<unk>", "<s>", "</s>", *control],
            initial_alphabet=[*map(chr, range(33, 127)), "\n", "▁"],
            show_progress=False,
        ),
        (),
    )


def _trained(model: Any, pre_tokenizer: Any, decoder: Any, trainer: Any, thinking: tuple[str, ...]) -> Any:
    from tokenizers import Tokenizer
    from transformers import AddedToken, PreTrainedTokenizerFast

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoder
    said = [f"{turn.speaker}: {turn.text}\n" for chat in tiny_corpus().train for turn in chat.utterances]
    tokenizer.train_from_iterator([*said, "Emotions: joyful, anger, frustrated.\nA feels: B feels: joy"], trainer)
    if tokenizer.token_to_id("<unk>") is not None:
        tokenizer = _with_bytes(tokenizer)
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    if tokenizer.token_to_id("<unk>") is not None:
        made.unk_token = "<unk>"
    if thinking:
        made.add_tokens([AddedToken(text, special=False, normalized=False) for text in thinking])
    return made


def _with_bytes(tokenizer: Any) -> Any:
    """The same with a piece a byte, for all that it has no other piece for."""
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    vocabulary |= {f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)}
    return Tokenizer.from_str(json.dumps(state))


IM = ("<|im_start|>", "<|im_end|>")
HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
TURNS = ("<start_of_turn>", "<end_of_turn>")
INSTRUCTIONS = ("[INST]", "[/INST]")

CHATS: Mapping[str, tuple[Callable[[], Any], str, str]] = {
    "qwen3": (lambda: byte_level(*IM, thinking=True), CHATML, "<|im_end|>"),
    "chatml on sentencepiece": (lambda: sentencepiece(*IM, prepend="first"), CHATML, "<|im_end|>"),
    "chatml on sentencepiece, always": (lambda: sentencepiece(*IM, prepend="always"), CHATML, "<|im_end|>"),
    "llama3": (lambda: byte_level(*HEADERS), LLAMA3, "<|eot_id|>"),
    "gemma": (lambda: sentencepiece(*TURNS, prepend="never"), GEMMA, "<end_of_turn>"),
    "llama2": (lambda: sentencepiece(prepend="first"), INST, "</s>"),
    "llama2, always": (lambda: sentencepiece(prepend="always"), INST, "</s>"),
    "mistral, first": (lambda: sentencepiece(*INSTRUCTIONS, prepend="first"), INST, "</s>"),
    "mistral, always": (lambda: sentencepiece(*INSTRUCTIONS, prepend="always"), INST, "</s>"),
    "mistral, byte-level": (lambda: byte_level(*INSTRUCTIONS), TIGHT_INST, "</s>"),
    "inst, byte-level": (lambda: byte_level(*INSTRUCTIONS), INST, "</s>"),
    "zephyr": (lambda: sentencepiece(prepend="first"), ZEPHYR, "</s>"),
    "zephyr, byte-level": (byte_level, ZEPHYR, "</s>"),
    "words": (byte_level, WORDS, "</s>"),
    "words on sentencepiece": (lambda: sentencepiece(prepend="first"), WORDS, "</s>"),
}
"""For each family a tokenizer, its chat template, and what ends an answer."""


def chat_tokenizer(family: str) -> Any:
    """A new tokenizer of one of `CHATS`, as it comes from a checkpoint."""
    build, template, _ = CHATS[family]
    tokenizer = build()
    tokenizer.chat_template = template
    return tokenizer


def tiny_chat_llama(folder: Path, template: str = CHATML) -> Path:
    """The tiny Llama with ChatML's control tokens and a chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tiny_llama(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": [*IM]})
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = template
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        model.get_output_embeddings().weight.data.normal_(std=0.2)
        model.get_input_embeddings().weight.data.normal_(std=0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
