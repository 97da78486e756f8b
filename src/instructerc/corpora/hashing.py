"""A number for the content of a corpus, so that a result can say what it was measured on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from instructerc.conversation import Corpus


def corpus_hash(corpus: Corpus) -> str:
    """SHA-256 over labels and conversations, the same on every platform.

    It covers what a model can see or is judged by: labels and their order, splits, ids, speakers, texts, emotions, all
    in their order. It does not cover the corpus' name, which for a file of one's own depends on where the file lies.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> corpus_hash(Corpus("mine", ("calm", "angry")))[:12] == corpus_hash(Corpus("yours", ("calm", "angry")))[:12]
        True
    """
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        # One JSON value a line; ASCII escapes keep half surrogate pairs and line separators apart from encodings.
        line = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        digest.update(line.encode("ascii") + b"\n")

    add(list(corpus.labels))
    for name, conversations in corpus.splits():
        add(name)
        for conversation in conversations:
            add(conversation.to_json())
    return digest.hexdigest()
