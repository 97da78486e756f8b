"""Which examples make up each optimiser step.

```
conversations     aaaa bbb ccccc            an epoch of 12 examples, 4 a step

ByConversation    ccccc │ aaaa │ bbb        steps differ a little in size; nothing that examples share is read twice
ByPart(size=2)    bb aa │ cc b aa │ c cc    more conversations a step; what is shared is read once a part
ByExample         cbac │ abca │ cabc        as the released training: a step is a sample of the whole corpus
```

The gradient of a step is exact with each of them, whatever is packed or padded. Every epoch meets every example once,
in `math.ceil(examples / batch_size)` steps, none empty.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from instructerc.backbones.tokens import EncodedExample
from instructerc.training.settings import TrainingSettings


class Grouping(Protocol):
    """Which examples make up each optimiser step."""

    def plan(self, examples: Sequence[EncodedExample], batch_size: int, order: random.Random) -> list[list[int]]:
        """Positions of the examples of each step of an epoch.

        Args:
            examples: All of them.
            batch_size: Examples a step, about.
            order: Decides over the order; an epoch gets its own.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ByConversation:
    """Shuffled conversations: each stays in one step, since its examples share their beginning.

    One with more than `batch_size` examples is cut into parts of neighbouring turns.
    """

    def __str__(self) -> str:
        return "whole conversations"

    def plan(self, examples: Sequence[EncodedExample], batch_size: int, order: random.Random) -> list[list[int]]:
        """Whole conversations, about `batch_size` examples a step."""
        parts = [part for turns in by_conversation(examples) for part in _cut(turns, batch_size)]
        order.shuffle(parts)
        return _steps(parts, math.ceil(len(examples) / batch_size), order)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPart:
    """Shuffled parts of conversations: more conversations a step than of whole ones.

    A part is some random turns of a conversation, other ones in every epoch. Neighbours would share more tokens, and
    often the emotion as well.

    Attributes:
        size: Examples a part, at most.
    """

    size: int

    def __str__(self) -> str:
        return f"parts of conversations, {self.size} examples at most"

    def plan(self, examples: Sequence[EncodedExample], batch_size: int, order: random.Random) -> list[list[int]]:
        """Parts of at most `size` examples, about `batch_size` examples a step."""
        parts = []
        for turns in by_conversation(examples):
            order.shuffle(turns)
            parts += [sorted(part) for part in _cut(turns, min(self.size, batch_size))]
        order.shuffle(parts)
        return _steps(parts, math.ceil(len(examples) / batch_size), order)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByExample:
    """Shuffled examples, as in the released training."""

    def __str__(self) -> str:
        return "single examples"

    def plan(self, examples: Sequence[EncodedExample], batch_size: int, order: random.Random) -> list[list[int]]:
        """`batch_size` examples a step; the last step may have fewer."""
        positions = list(range(len(examples)))
        order.shuffle(positions)
        return _cut(positions, batch_size)


def grouping_of(settings: TrainingSettings, *, trees: bool) -> Grouping:
    """The grouping that settings ask for; left open, what suits trees or padded batches."""
    name = settings.grouping or ("conversation" if trees else "example")
    if name == "part":
        return ByPart(size=settings.part_size)
    return ByConversation() if name == "conversation" else ByExample()


def by_conversation(examples: Sequence[EncodedExample]) -> list[list[int]]:
    """Positions of each conversation's examples, in order."""
    conversations: dict[str, list[int]] = {}
    for position, example in enumerate(examples):
        conversations.setdefault(example.conversation, []).append(position)
    return list(conversations.values())


def _cut(positions: list[int], largest: int) -> list[list[int]]:
    return [positions[start : start + largest] for start in range(0, len(positions), largest)]


def _steps(parts: Sequence[list[int]], steps: int, order: random.Random) -> list[list[int]]:
    """Shuffled parts as `steps` non-empty steps of about one size: the largest part goes where fewest examples are.

    Example:
        >>> sorted(map(sorted, _steps([[0], [1, 2, 3], [4, 5], [6, 7]], 2, random.Random(0))))
        [[0, 1, 2, 3], [4, 5, 6, 7]]
    """
    # An example of a small step counts more than one of a large step, since a step is normalised over its examples.
    sizes = [(0, step) for step in range(steps)]
    plan: list[list[int]] = [[] for _ in range(steps)]
    for part in sorted(parts, key=len, reverse=True):  # stable: parts of one size stay shuffled
        size, step = heapq.heappop(sizes)
        plan[step] += part
        heapq.heappush(sizes, (size + len(part), step))
    order.shuffle(plan)
    return plan
