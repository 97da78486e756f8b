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

import itertools
import math
import random
from collections.abc import Iterable, Sequence
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

    One with more than `batch_size` examples is cut into parts of neighbouring turns. Steps end where the count of
    examples comes nearest to a multiple of the mean, so that every epoch has as many steps, of about one size.
    """

    def __str__(self) -> str:
        return "whole conversations"

    def plan(self, examples: Sequence[EncodedExample], batch_size: int, order: random.Random) -> list[list[int]]:
        """Whole conversations, about `batch_size` examples a step."""
        parts = [part for turns in _conversations(examples) for part in _cut(turns, batch_size)]
        order.shuffle(parts)
        return _steps(parts, math.ceil(len(examples) / batch_size))


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
        for turns in _conversations(examples):
            order.shuffle(turns)
            parts += [sorted(part) for part in _cut(turns, min(self.size, batch_size))]
        order.shuffle(parts)
        return _steps(parts, math.ceil(len(examples) / batch_size))


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


def _conversations(examples: Sequence[EncodedExample]) -> Iterable[list[int]]:
    """Positions of each conversation's examples, in order."""
    conversations: dict[str, list[int]] = {}
    for position, example in enumerate(examples):
        conversations.setdefault(example.conversation, []).append(position)
    return conversations.values()


def _cut(positions: list[int], largest: int) -> list[list[int]]:
    return [positions[start : start + largest] for start in range(0, len(positions), largest)]


def _steps(parts: Sequence[Sequence[int]], steps: int) -> list[list[int]]:
    bounds = [0, *_bounds([len(part) for part in parts], steps), len(parts)]
    return [[*itertools.chain(*parts[start:stop])] for start, stop in itertools.pairwise(bounds)]


def _bounds(sizes: Sequence[int], steps: int) -> list[int]:
    """Where to cut parts into `steps` non-empty runs of about one total size.

    Example:
        >>> _bounds([3, 3, 3, 3, 3], 2)
        [2]
    """
    total = sum(sizes)
    bounds: list[int] = []
    done, part = 0, 0
    for step in range(1, steps):
        wanted = total * step / steps
        latest = len(sizes) - (steps - step)
        while part < latest and (part < (bounds[-1] if bounds else 0) + 1 or done + sizes[part] / 2 < wanted):
            done += sizes[part]
            part += 1
        bounds.append(part)
    return bounds
