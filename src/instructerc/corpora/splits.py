"""Which part of a corpus a word means, and how one labelled file is cut in three."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from instructerc.conversation import Split

SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""The words for the parts, in file names and in split columns; case does not matter."""


def assign_splits(ids: Iterable[str], *, validation: float = 0.1, test: float = 0.1) -> dict[str, Split]:
    """Cuts conversations in three by the hash of their ids.

    The conversations are sorted by the sha256 of their ids; the first tenth is the test split, the next the validation
    split, the rest is trained on. So the cut depends on the ids alone: not on their order, the machine or a seed. A
    conversation is never torn. From three conversations on, no part is empty; fewer are all trained on.

    Args:
        ids: The conversations.
        validation: Share of the validation split, in (0, 1).
        test: Share of the test split, in (0, 1).

    Returns:
        The split of each id.

    Example:
        >>> sorted(assign_splits(["a", "b", "c"]).values())
        ['test', 'train', 'validation']
    """
    ranked = sorted(set(ids), key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest())
    if len(ranked) < 3:
        return dict.fromkeys(ranked, "train")
    tests = max(1, round(len(ranked) * test))
    validations = max(1, round(len(ranked) * validation))
    cut = tests + validations
    parts: dict[str, Split] = dict.fromkeys(ranked, "train")
    parts |= dict.fromkeys(ranked[:cut], "validation")
    parts |= dict.fromkeys(ranked[:tests], "test")
    return parts
