"""A colour and a symbol for each emotion: told apart by eyes of every kind, on light and on dark ground.

Colours are Okabe and Ito's ("Color Universal Design", 2008), with a few of Paul Tol's where they do not reach. A
colour never stands alone: the symbol, or the label itself, stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class Mark:
    """How an emotion is marked.

    Attributes:
        colour: Hexadecimal, `#rrggbb`.
        symbol: A single character of ordinary width.
    """

    colour: str
    symbol: str


NEUTRAL = Mark("#808080", "○")
JOY = Mark("#e69f00", "▲")
SADNESS = Mark("#0072b2", "▼")
ANGER = Mark("#d55e00", "■")
SURPRISE = Mark("#56b4e9", "◆")
FEAR = Mark("#cc79a7", "◊")
DISGUST = Mark("#009e73", "✖")
EXCITEMENT = Mark("#f0e442", "★")
FRUSTRATION = Mark("#882255", "▣")
POWER = Mark("#7b5ce6", "◉")
PEACE = Mark("#88ccaa", "◐")

_BY_WORD: Mapping[str, Mark] = {
    word: mark
    for mark, words in (
        (NEUTRAL, "neutral no_emotion none"),
        (JOY, "joy joyful happy happiness"),
        (SADNESS, "sadness sad"),
        (ANGER, "anger angry mad"),
        (SURPRISE, "surprise surprised"),
        (FEAR, "fear afraid scared"),
        (DISGUST, "disgust disgusted"),
        (EXCITEMENT, "excited excitement"),
        (FRUSTRATION, "frustrated frustration"),
        (POWER, "powerful"),
        (PEACE, "peaceful calm"),
    )
    for word in words.split()
}


def palette(labels: Sequence[str]) -> dict[str, Mark]:
    """A mark for each label: the same emotion is marked alike in every label set, and no two labels are.

    Args:
        labels: Any labels, as many as there are; unknown ones take what is left over.

    Example:
        >>> marks = palette(["neutral", "joyful", "bored"])
        >>> marks["joyful"].symbol, marks["bored"] in (marks["neutral"], marks["joyful"])
        ('▲', False)
    """
    marks: dict[str, Mark] = {}
    for label in labels:
        known = _BY_WORD.get(label.strip().lower())
        if known is not None and known not in marks.values():
            marks[label] = known
    spare = (mark for mark in _spare() if mark not in marks.values())
    return {label: marks[label] if label in marks else next(spare) for label in labels}


def _spare() -> Iterator[Mark]:
    """Marks without end: first those of the known emotions, then other pairs of their colours and symbols."""
    known = tuple(dict.fromkeys(_BY_WORD.values()))
    for shift in count():
        for number, mark in enumerate(known):
            around = shift // len(known)
            symbol = known[(number + shift) % len(known)].symbol
            yield Mark(mark.colour, symbol if not around else f"{symbol}{around}")
