"""What a prompt is made of, and the example that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Task = Literal["recognition", "speaker_identification", "prediction"]
"""What an example asks for (method §3): the emotion of a turn, who speaks it, or the emotion of the next one."""

SegmentKind = Literal["instruction", "turn", "statement", "opaque"]
"""`instruction` opens a prompt, `turn` is one turn of the window, `statement` asks the question and ends it.

`opaque` is a whole prompt that somebody else wrote, of which no part is known.
"""


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


@dataclass(frozen=True, slots=True)
class Example:
    """One question to a language model, with its closed set of answers.

    Attributes:
        conversation: Id of the conversation.
        turn: Number of the target turn, from 0.
        task: What is asked.
        segments: The prompt.
        candidates: The answers that are allowed, in the order of the label set.
        target: The right answer; None where it is not known.
        weight: What its loss counts; 1 by default.
    """

    conversation: str
    turn: int
    task: Task
    segments: tuple[Segment, ...]
    candidates: tuple[str, ...]
    target: str | None = None
    weight: float = 1.0

    @property
    def prompt(self) -> str:
        """The whole prompt as one text."""
        return "".join(segment.text for segment in self.segments)

    @property
    def droppable(self) -> tuple[int, ...]:
        """Positions of the segments that may be left out, in the order in which they go.

        The oldest turn goes first; turns after the target (`Window.context` "both") go last, the farthest of
        them first. The target's own turn, the instruction and the label statement never go.
        """
        turns = [(position, segment.turn) for position, segment in enumerate(self.segments) if segment.kind == "turn"]
        past = [position for position, turn in turns if turn is not None and turn < self.turn]
        future = [position for position, turn in turns if turn is not None and turn > self.turn]
        return (*past, *reversed(future))

    def without_oldest(self, count: int) -> Example:
        """The same example without the first `count` segments of `droppable`.

        Example:
            >>> segments = tuple(Segment("turn", text, turn) for turn, text in enumerate("abc"))
            >>> Example("c", 2, "recognition", segments, ()).without_oldest(1).prompt
            'bc'
        """
        if not count:
            return self
        gone = set(self.droppable[:count])
        kept = tuple(segment for position, segment in enumerate(self.segments) if position not in gone)
        return replace(self, segments=kept)
