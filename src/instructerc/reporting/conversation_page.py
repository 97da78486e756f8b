"""Conversations with their emotions as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

from dataclasses import dataclass

from instructerc import __version__
from instructerc.reporting.conversations import ConversationView, Summary
from instructerc.reporting.html import page_template
from instructerc.reporting.palette import palette

_STEP = 14
"""Width of a turn in a timeline, in pixels."""
_LANE = 18
"""Height of a speaker's lane in a timeline, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Emotion over time: a lane for each speaker, a mark for each turn.

    Attributes:
        width: Of the drawing, in pixels.
        height: Of the drawing, in pixels.
        lanes: Speakers from top to bottom.
        marks: Place x and y in pixels, turn number and emotion of each turn.
    """

    width: int
    height: int
    lanes: tuple[str, ...]
    marks: tuple[tuple[int, int, int, str], ...]


def timeline(view: ConversationView) -> Timeline:
    """Where the turns of a conversation stand in its timeline."""
    lanes = {speaker: number for number, speaker in enumerate(view.speakers)}
    marks = tuple(
        (place * _STEP, lanes[moment.speaker] * _LANE, moment.turn, moment.emotion)
        for place, moment in enumerate(view.moments)
    )
    return Timeline(
        width=max(len(view.moments), 1) * _STEP, height=max(len(lanes), 1) * _LANE, lanes=tuple(lanes), marks=marks
    )


def render_conversations(summary: Summary, *, title: str, neutral: str | None = None, strongest: int = 5) -> str:
    """The page, light or dark as the reader's system is; every text of users is escaped.

    Args:
        summary: What to show.
        title: Heads the page.
        neutral: The label that is nobody's strongest moment.
        strongest: How many of the surest moments of each conversation are listed.
    """
    return page_template("conversations.html.j2").render(
        title=title,
        summary=summary,
        marks=palette(summary.labels),
        timelines={view.id: timeline(view) for view in summary.shown},
        moments={view.id: view.strongest(strongest, neutral=neutral) for view in summary.shown},
        left_out=summary.conversations - len(summary.shown),
        version=__version__,
    )
