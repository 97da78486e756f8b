"""The released rule that turns a free answer into a label (method §8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rule makes of an answer.

    Attributes:
        label: The label that the answer names, or the nearest one.
        out_of_label: Whether the answer names none; the released code calls that a confuse case.
    """

    label: str
    out_of_label: bool


def read_answer(answer: str, labels: Sequence[str]) -> Verdict:
    """Finds the label in an answer (method §8).

    Scanning left to right, the first place where a label stands counts, and the longest label there. Where none
    stands anywhere, the label of least edit distance does, the first in order on ties. Case matters.

    Args:
        answer: What the model wrote.
        labels: The closed label set.

    Example:
        >>> read_answer("really angry happy", ["happy", "angry"])
        Verdict(label='angry', out_of_label=False)
        >>> read_answer("angpy", ["happy", "sad", "angry"])
        Verdict(label='angry', out_of_label=True)
    """
    by_length = sorted(labels, key=len, reverse=True)
    for start in range(len(answer)):
        found = next((label for label in by_length if answer.startswith(label, start)), None)
        if found is not None:
            return Verdict(found, out_of_label=False)
    from rapidfuzz.distance import Levenshtein

    return Verdict(min(labels, key=lambda label: Levenshtein.distance(answer, label)), out_of_label=True)
