"""What a prompt is made of: stretches of text, rendered when somebody looks at them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar, overload

SegmentKind = Literal["instruction", "turn", "statement", "demonstration", "opaque"]
"""`instruction` opens a prompt, `turn` is one turn of the window, `statement` asks the question.

`demonstration` is a labelled utterance that the prompt shows; it never stands among the turns.

`opaque` is a whole prompt that somebody else wrote, of which no part is known.
"""

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a prompt that stays together.

    Attributes:
        kind: What the stretch is; only a `turn` may be left out of a prompt that is too long.
        text: The text, separators included: a prompt is the plain concatenation of its segments.
        turn: Number of the turn that a `turn` segment shows.
    """

    kind: SegmentKind
    text: str
    turn: int | None = None


class Mapped(Sequence[T], Generic[S, T]):
    """A function's values, each made when it is looked at: a view of a long history costs nothing by itself.

    Example:
        >>> squares = Mapped(lambda number: number**2, range(1_000_000))
        >>> squares[999], list(squares[3:6]), len(squares)
        (998001, [9, 16, 25], 1000000)
    """

    __slots__ = ("_function", "_values")

    def __init__(self, function: Callable[[S], T], values: Sequence[S]) -> None:
        self._function = function
        self._values = values

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Mapped[S, T]: ...
    def __getitem__(self, index: int | slice) -> T | Mapped[S, T]:
        if isinstance(index, slice):
            return Mapped(self._function, self._values[index])
        return self._function(self._values[index])

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return map(self._function, self._values)


@dataclass(frozen=True, slots=True, eq=False)
class Segments(Sequence[Segment]):
    """The segments of a prompt: what stands before its turns, the turns in their order, what stands behind them.

    Attributes:
        before: The instruction, and demonstrations ahead of the history; nothing where there is none.
        turns: `turn` segments, one a turn and without gaps, possibly not rendered yet.
        after: The statement, and demonstrations that stand with it.
    """

    before: tuple[Segment, ...]
    turns: Sequence[Segment]
    after: tuple[Segment, ...]

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> Segments:
        """Takes a plain sequence apart, in which the turns stand side by side."""
        if isinstance(segments, Segments):
            return segments
        plain = tuple(segments)
        places = [place for place, segment in enumerate(plain) if segment.kind == "turn"]
        start, stop = (places[0], places[-1] + 1) if places else (len(plain), len(plain))
        return cls(plain[:start], plain[start:stop], plain[stop:])

    def around(self, target: int) -> tuple[int, int]:
        """How many of the turns come before the target, and how many after it."""
        count = len(self.turns)
        first = self.turns[0].turn if count else None
        if first is None:
            return 0, 0
        return min(max(target - first, 0), count), min(max(first + count - target - 1, 0), count)

    def narrowed(self, first: int, last: int) -> Segments:
        """Without so many turns at the beginning, and so many at the end."""
        return replace(self, turns=self.turns[first : len(self.turns) - last])

    def without_last(self, kind: SegmentKind) -> Segments | None:
        """Without the last segment of a kind that stands outside the turns; None where there is none."""
        for name in ("after", "before"):
            outside: tuple[Segment, ...] = getattr(self, name)
            places = [place for place, segment in enumerate(outside) if segment.kind == kind]
            if places:
                return replace(self, **{name: (*outside[: places[-1]], *outside[places[-1] + 1 :])})
        return None

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Segment, ...]: ...
    def __getitem__(self, index: int | slice) -> Segment | tuple[Segment, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        place = range(len(self))[index] - len(self.before)
        if place < 0:
            return self.before[place + len(self.before)]
        return self.turns[place] if place < len(self.turns) else self.after[place - len(self.turns)]

    def __len__(self) -> int:
        return len(self.before) + len(self.turns) + len(self.after)

    def __iter__(self) -> Iterator[Segment]:
        return itertools.chain(self.before, self.turns, self.after)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, (Segments, tuple)) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))
