"""Prompts of tiny conversations to score, and how scores are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import PromptSpec
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus

PREFIXES = ("joy", "joyful", "joyfulness", "sad")
"""Labels that begin with one another."""


def encode(backbone: Backbone, labels: Sequence[str] = TINY_LABELS, **settings: Any) -> list[EncodedExample]:
    spec = PromptSpec(labels=tuple(labels), **{"wording": "compact-repeated", **settings})
    encoder = PromptEncoder.of(backbone, spec)
    chats = (tiny_conversation(), *tiny_corpus().test[:2])
    return encoder.encode_all(example for chat in chats for example in spec.examples(chat))


def assert_equal(found: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> None:
    assert len(found) == len(expected)
    for row, right in zip(found, expected, strict=True):
        assert row == pytest.approx(right, rel=0, abs=1e-5)
