"""Which entries of a pool a turn is shown (method §5).

Known trap: where only entries with the right label are shown in training, the model learns to copy the label it is
shown, and at inference the nearest entry has the right one less than every second time. So the default does the same
in both; `same-label` is the paper's; `oracle` knows the answers and says so.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

from instructerc.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from instructerc.demonstrations.encoder import Vectors
    from instructerc.demonstrations.pool import DemonstrationPool

Choice = list[tuple[int, ...]]
"""For each query, the rows of the pool that it is shown, best first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queries:
    """Turns that are to be shown demonstrations.

    Attributes:
        vectors: Unit vectors of their texts, float32, [turns, dimensions].
        conversations: Id of the conversation of each.
        turns: Number of each in its conversation.
        excluded: Rows of the pool that each never gets: those of its own conversation.
        golds: The right answers; None where nobody may look at them.
        training: Whether a model learns from the prompts.
    """

    vectors: Vectors
    conversations: Sequence[str]
    turns: Sequence[int]
    excluded: Sequence[frozenset[int]]
    golds: Sequence[str | None] | None = None
    training: bool = False

    def __len__(self) -> int:
        return len(self.conversations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Chooses the entries that turns are shown.

    Attributes:
        name: What recipes call it.
        leaks_gold: Whether it looks at the right answers at inference: a figure made with it is no result, and there
            are none to look at in use.
    """

    name: ClassVar[str]
    leaks_gold: ClassVar[bool] = False

    def choose(self, pool: DemonstrationPool, queries: Queries, *, count: int) -> Choice:
        """The rows for each query, best first; fewer than `count` where there are not as many.

        Raises:
            UsageError: It needs right answers and there are none.
        """
        raise NotImplementedError

    def require_fit(self, labels: Sequence[str], count: int) -> None:
        """Refuses a number of demonstrations that makes no sense with it.

        Raises:
            UsageError: It does not fit.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest(Pairing):
    """The nearest entries of any label, in training and at inference alike: the default."""

    name: ClassVar[str] = "nearest"

    def choose(self, pool: DemonstrationPool, queries: Queries, *, count: int) -> Choice:
        """As `Pairing` says."""
        return pool.search.nearest(queries.vectors, count, excluded=queries.excluded)


@dataclass(frozen=True, slots=True, kw_only=True)
class SameLabel(Pairing):
    """The paper's: in training the nearest that have the right label, at inference the nearest of any."""

    name: ClassVar[str] = "same-label"

    def choose(self, pool: DemonstrationPool, queries: Queries, *, count: int) -> Choice:
        """As `Pairing` says; in training, a turn without a label is shown nothing."""
        if queries.training:
            return _with_gold(self.name, pool, queries, count)
        return Nearest().choose(pool, queries, count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePerLabel(Pairing):
    """The nearest entry of each label: what is shown says nothing about the answer by itself."""

    name: ClassVar[str] = "one-per-label"

    def choose(self, pool: DemonstrationPool, queries: Queries, *, count: int) -> Choice:
        """As `Pairing` says; nearest first, whatever its label."""
        import numpy as np

        by_label = [
            pool.search.nearest(queries.vectors, 1, excluded=queries.excluded, group=label) for label in pool.labels
        ]
        chosen: Choice = []
        for query, found in zip(queries.vectors.astype(np.float64), zip(*by_label, strict=True), strict=True):
            rows = [row for nearest in found for row in nearest]
            similarity = {row: float(pool.search.vectors[row].astype(np.float64) @ query) for row in rows}
            chosen.append(tuple(sorted(rows, key=lambda row: (-similarity[row], row)))[:count])
        return chosen

    def require_fit(self, labels: Sequence[str], count: int) -> None:
        """As `Pairing` says: one of each is as many as there are labels."""
        if count != len(labels):
            raise UsageError(
                f"pairing {self.name!r} shows one demonstration of each of the {len(labels)} labels, and the count is "
                f"{count}: set it to {len(labels)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Random(Pairing):
    """Any entries: what being near is measured against.

    Attributes:
        seed: Chooses, together with conversation and turn; not with what else is asked, or in which order.
    """

    name: ClassVar[str] = "random"
    seed: int = 0

    def choose(self, pool: DemonstrationPool, queries: Queries, *, count: int) -> Choice:
        """As `Pairing` says."""
        places = zip(queries.conversations, queries.turns, queries.excluded, strict=True)
        return [self._draw(pool, f"{self.seed}\0{name}\0{turn}", excluded, count) for name, turn, excluded in places]

    @staticmethod
    def _draw(pool: DemonstrationPool, seed: str, excluded: frozenset[int], count: int) -> tuple[int, ...]:
        size = min(len(pool), count + len(excluded))
        while True:
            drawn = random.Random(seed).sample(range(len(pool)), size)  # noqa: S311 — no secret
            kept = {pool.search.keys[row]: row for row in reversed(drawn) if row not in excluded}
            if len(kept) >= count or size == len(pool):
                return tuple(reversed(kept.values()))[:count]
            size = min(len(pool), size * 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle(Pairing):
    """The nearest that have the right label, at inference too: an upper bound that leaks, never a result."""

    name: ClassVar[str] = "oracle"
    leaks_gold: ClassVar[bool] = True

    def choose(self, pool: DemonstrationPool, queries: Queries, *, count: int) -> Choice:
        """As `Pairing` says; a turn without a label is shown nothing."""
        return _with_gold(self.name, pool, queries, count)


def _with_gold(name: str, pool: DemonstrationPool, queries: Queries, count: int) -> Choice:
    """The nearest entries that have the right label."""
    if queries.golds is None:
        raise UsageError(f"pairing {name!r} needs the right answers, and there are none here: choose nearest")
    chosen: Choice = [()] * len(queries)
    for label in dict.fromkeys(gold for gold in queries.golds if gold is not None):
        asked = [place for place, gold in enumerate(queries.golds) if gold == label]
        excluded = [queries.excluded[place] for place in asked]
        found = pool.search.nearest(queries.vectors[asked], count, excluded=excluded, group=label)
        for place, rows in zip(asked, found, strict=True):
            chosen[place] = rows
    return chosen


PAIRINGS: Mapping[str, Pairing] = {
    pairing.name: pairing for pairing in (Nearest(), SameLabel(), OnePerLabel(), Random(), Oracle())
}
"""Every pairing that has a name."""


def get_pairing(name: str, *, seed: int = 0) -> Pairing:
    """The pairing of that name.

    Args:
        name: A name of `PAIRINGS`.
        seed: For those that draw.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> get_pairing("random", seed=3)
        Random(seed=3)
    """
    if name not in PAIRINGS:
        raise UnknownNameError("pairing", name, PAIRINGS)
    pairing = PAIRINGS[name]
    return replace(pairing, seed=seed) if "seed" in {field.name for field in fields(pairing)} else pairing  # type: ignore[call-arg]
