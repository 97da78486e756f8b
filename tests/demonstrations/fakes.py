"""An encoder that needs no model, and corpora that are small enough to see through."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.demonstrations import DemonstrationPool

LABELS = ("joy", "anger", "fear")


@dataclass
class FakeEncoder:
    """A vector that depends on the letters of a text: texts that share letters are near."""

    name: str = "letters"
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def identity(self) -> str:
        return f"{self.name}@1"

    def encode(self, texts: Sequence[str], *, progress: Any = None) -> Any:
        self.asked.append(tuple(texts))
        return np.array([letters(text) for text in texts], dtype=np.float32).reshape(len(texts), 16)


def letters(text: str) -> Any:
    made = np.full(16, 0.01)
    for letter in text:
        made[hashlib.sha256(letter.encode("utf-8", "surrogatepass")).digest()[0] % 16] += 1
    return made / np.linalg.norm(made)


def talk(name: str, *turns: tuple[str, str | None]) -> Conversation:
    return Conversation(
        name, tuple(Utterance("AB"[place % 2], text, label) for place, (text, label) in enumerate(turns))
    )


TRAIN = (
    talk("a", ("aaa", "joy"), ("bbb", "anger"), ("ccc", None)),
    talk("b", ("aaab", "anger"), ("bbba", "joy"), ("ddd", "fear")),
    talk("c", ("aaabb", "joy"), ("bbbaa", "anger"), ("aaa", "joy")),
)
CORPUS = Corpus(
    "tiny",
    LABELS,
    train=TRAIN,
    validation=(talk("v", ("validation", "joy")),),
    test=(talk("t", ("aaa", "fear"), ("bbb", None)),),
)


def tiny_pool(corpus: Corpus = CORPUS, **settings: Any) -> DemonstrationPool:
    return DemonstrationPool.of_corpus(corpus, **settings).encoded(FakeEncoder())
