"""A model asked for something else than it was trained for: other labels, more certainty."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from instructerc.errors import UsageError
from instructerc.prompts import PromptSpec
from instructerc.recognition.predictions import UNCERTAIN


def with_labels(prompt: PromptSpec, labels: Sequence[str] | Mapping[str, str]) -> PromptSpec:
    """A model's prompts, about other labels.

    Raises:
        UsageError: There are fewer than two, one is blank, or one stands twice.
    """
    if isinstance(labels, str):
        raise UsageError(f"labels are one text, {labels!r}: give a list of them")
    names = tuple(labels)
    folded = [name.strip().casefold() for name in names]
    if len(names) < 2 or not all(folded) or len(set(folded)) < len(names):
        raise UsageError(f"labels are {', '.join(map(repr, names)) or 'none'}: give two or more, each once, none blank")
    if UNCERTAIN in folded:
        raise UsageError(f"{UNCERTAIN!r} is what a turn below the threshold is called: give that label another name")
    described = {name: text for name, text in labels.items() if text} if isinstance(labels, Mapping) else {}
    return replace(prompt, labels=names, descriptions=described)


def asked_hash(model: str, prompt: PromptSpec, threshold: float) -> str:
    """Names a model together with what is asked of it."""
    asked = json.dumps([model, prompt.to_json(), threshold], ensure_ascii=False)
    return hashlib.sha256(asked.encode()).hexdigest()[:12]
