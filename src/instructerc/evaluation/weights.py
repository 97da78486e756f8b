"""Class weights: what an example of a rare label counts for in training, from how often each label occurs.

All are scaled so that the mean over the examples is 1: the loss keeps its size, and so does the learning rate.

```
counts      neutral 80   joy 20
balanced    neutral 0.625 joy 2.5      80 · 0.625 + 20 · 2.5 = 100
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from instructerc.conversation import Conversation
from instructerc.errors import DataError, UnknownNameError, UsageError

WeightingName = Literal["none", "balanced", "square-root", "effective-number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unweighted:
    """Every example counts 1, as published."""

    name: ClassVar[WeightingName] = "none"

    def raw(self, count: int) -> float:  # noqa: ARG002 — the same for every count
        """Weight of an example whose label occurs `count` times, before scaling."""
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    """Inverse frequency, 1/n: every label weighs the same in sum. scikit-learn's `balanced`."""

    name: ClassVar[WeightingName] = "balanced"

    def raw(self, count: int) -> float:
        """Weight of an example whose label occurs `count` times, before scaling."""
        return 1 / count


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareRoot:
    """Inverse square root of the frequency, 1/√n: half way, on a log scale, between none and balanced."""

    name: ClassVar[WeightingName] = "square-root"

    def raw(self, count: int) -> float:
        """Weight of an example whose label occurs `count` times, before scaling."""
        return float(count**-0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveNumber:
    """Inverse of the effective number of examples, (1-β)/(1-βⁿ) (Cui et al., CVPR 2019).

    Attributes:
        beta: In [0, 1): 0 weighs nothing, towards 1 it becomes balanced.
    """

    name: ClassVar[WeightingName] = "effective-number"
    beta: float = 0.999

    def __post_init__(self) -> None:
        if not 0 <= self.beta < 1:
            raise UsageError(f"beta is {self.beta}: give a number from 0, below 1")

    def raw(self, count: int) -> float:
        """Weight of an example whose label occurs `count` times, before scaling."""
        return (1 - self.beta) / (1 - self.beta**count)


Weighting = Unweighted | Balanced | SquareRoot | EffectiveNumber

WEIGHTINGS: Mapping[WeightingName, Weighting] = {
    weighting.name: weighting for weighting in (Unweighted(), Balanced(), SquareRoot(), EffectiveNumber())
}
"""Every weighting that has a name."""


def get_weighting(name: str) -> Weighting:
    """The weighting of that name.

    Raises:
        UnknownNameError: There is none.
    """
    for weighting in WEIGHTINGS.values():
        if weighting.name == name:
            return weighting
    raise UnknownNameError("weighting", name, WEIGHTINGS)


def class_weights(counts: Mapping[str, int], weighting: Weighting) -> dict[str, float]:
    """The weight of an example of each label; the mean over all examples is 1.

    Args:
        counts: How many examples carry each label. A label without any gets no weight: nothing is learned from it.
        weighting: How a weight falls with the count.

    Raises:
        DataError: There is no example, or a count is negative.

    Example:
        >>> class_weights({"neutral": 80, "joy": 20, "fear": 0}, Balanced())
        {'neutral': 0.625, 'joy': 2.5}
    """
    negative = {label: count for label, count in counts.items() if count < 0}
    if negative:
        raise DataError(f"counts of labels are negative: {negative}: count examples")
    occurring = {label: count for label, count in counts.items() if count}
    if not occurring:
        raise DataError("no example carries a label, so labels cannot be weighed: give labelled training turns")
    raw = {label: weighting.raw(count) for label, count in occurring.items()}
    scale = sum(occurring.values()) / sum(occurring[label] * weight for label, weight in raw.items())
    return {label: weight * scale for label, weight in raw.items()}


def label_counts(conversations: Iterable[Conversation]) -> dict[str, int]:
    """How many turns carry each label, the most frequent first.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> label_counts([Conversation("c", (Utterance("A", "Yes!", "joy"), Utterance("B", "Hm.")))])
        {'joy': 1}
    """
    emotions = (turn.emotion for item in conversations for turn in item.utterances if turn.emotion is not None)
    return dict(Counter(emotions).most_common())
