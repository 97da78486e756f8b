"""A question to a language model, and what may go where it is too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from instructerc.prompts.demonstration import Demonstration
from instructerc.prompts.segments import Segment, Segments

__all__ = ["Example", "Segment", "Task"]

Task = Literal["recognition", "speaker_identification", "prediction"]
"""What an example asks for (method §3): the emotion of a turn, who speaks it, or the emotion of the next one."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question to a language model, with its closed set of answers.

    Attributes:
        conversation: Id of the conversation.
        turn: Number of the target turn, from 0.
        task: What is asked.
        segments: The prompt. Its turns stand side by side, in their order and without gaps.
        candidates: The answers that are allowed, in the order of the label set.
        target: The right answer; None where it is not known.
        weight: What its loss counts; 1 by default.
        shares: What each candidate counts in that, together 1, where more than the target is learned; else empty.
        demonstrations: The labelled utterances that the prompt shows, nearest first.
    """

    conversation: str
    turn: int
    task: Task
    segments: Sequence[Segment]
    candidates: tuple[str, ...]
    target: str | None = None
    weight: float = 1.0
    shares: tuple[float, ...] = ()
    demonstrations: tuple[Demonstration, ...] = ()

    @property
    def prompt(self) -> str:
        """The whole prompt as one text."""
        return "".join(segment.text for segment in self.segments)

    @property
    def history(self) -> Sequence[Segment]:
        """The turns before the target, oldest first; a view, however long."""
        parts = Segments.of(self.segments)
        return parts.turns[: parts.around(self.turn)[0]]

    @property
    def future(self) -> Sequence[Segment]:
        """The turns after the target (`Window.context` "both"), nearest first; a view."""
        parts = Segments.of(self.segments)
        return parts.turns[len(parts.turns) - parts.around(self.turn)[1] :]

    @property
    def droppable(self) -> int:
        """How many turns may be left out.

        The oldest turn goes first; turns after the target (`Window.context` "both") go last, the farthest of
        them first. The target's own turn, instruction and label statement never go; demonstrations go where a
        prompt is too long even without any history.
        """
        return sum(Segments.of(self.segments).around(self.turn))

    def without_last_demonstration(self) -> Example | None:
        """The same example without the last of its demonstrations; None where it shows none.

        Example:
            >>> segments = (Segment("demonstration", "…"), Segment("turn", "a", 0))
            >>> shorter = Example("c", 0, "recognition", segments, ()).without_last_demonstration()
            >>> shorter.prompt
            'a'
        """
        segments = Segments.of(self.segments).without_last("demonstration")
        if segments is None:
            return None
        return replace(self, segments=segments, demonstrations=self.demonstrations[:-1])

    def without_oldest(self, count: int) -> Example:
        """The same example without the first `count` turns that may be left out.

        Example:
            >>> segments = tuple(Segment("turn", text, turn) for turn, text in enumerate("abc"))
            >>> Example("c", 2, "recognition", segments, ()).without_oldest(1).prompt
            'bc'
        """
        if not count:
            return self
        parts = Segments.of(self.segments)
        before, after = parts.around(self.turn)
        oldest = min(count, before)
        return replace(self, segments=parts.narrowed(oldest, min(count - oldest, after)))
