"""A tiny random encoder as a folder, sentence encoders without a model, and conversations to learn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from instructerc.conversation import Conversation, Utterance

WORDS = ("won", "lost", "great", "we", "i", "!", "match", "keys", "hello", "noon", "see", "you", "at")


def tiny_encoder(folder: Path) -> Path:
    """A BERT of two layers with a WordPiece tokenizer over `WORDS`."""
    import torch
    from transformers import AutoModel, BertConfig

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=32,
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    control = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    vocabulary = {word: number for number, word in enumerate((*control, *WORDS))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(word, vocabulary[word]) for word in ("[CLS]", "[SEP]")],
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=32, **special)


@dataclass
class LetterEncoder:
    """Counts a, b and c: texts of the same letters are near."""

    name: str = "a, b, c"
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def identity(self) -> str:
        return f"{self.name}@1"

    def encode(self, texts: Sequence[str], *, progress: Any = None) -> Any:
        self.asked.append(tuple(texts))
        return np.array([self.vector(text) for text in texts], dtype=np.float32)

    def vector(self, text: str) -> Any:
        counts = np.array([text.count("a"), text.count("b"), text.count("c"), 0.1])
        return counts / np.linalg.norm(counts)


class HashEncoder(LetterEncoder):
    """Vectors in every direction: no two texts are equally near to a third."""

    def vector(self, text: str) -> Any:
        made = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint8).astype(np.float64) - 127.5
        return made / np.linalg.norm(made)


def talk(name: str, *turns: tuple[str, str | None]) -> Conversation:
    return Conversation(name, tuple(Utterance("A", text, emotion) for text, emotion in turns))


def news(prefix: str) -> tuple[Conversation, ...]:
    """The last turn is "great" in all of them: what it means stands in the turn before."""
    good = [talk(f"{prefix}-good-{n}", (f"{who} won", "joy"), ("great", "joy")) for n, who in enumerate(("we", "i"))]
    bad = [talk(f"{prefix}-bad-{n}", (f"{who} lost", "anger"), ("great", "anger")) for n, who in enumerate(("we", "i"))]
    return (*good, *bad)
