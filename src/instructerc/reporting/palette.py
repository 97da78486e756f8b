"""A colour and a symbol for each emotion: told apart by eyes of every kind, on light and on dark ground.

Colours are Okabe and Ito's ("Color Universal Design", 2008), with a few of Paul Tol's where they do not reach; on a
terminal they are the terminal's own sixteen, which people set to be legible. A colour never stands alone: the symbol,
or the label itself, stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count


@dataclass(frozen=True, slots=True)
class Mark:
    """How an emotion is marked.

    Attributes:
        colour: For plots and pages: hexadecimal, `#rrggbb`.
        symbol: A single character of ordinary width.
        terminal: For terminals: a style of rich.
    """

    colour: str
    symbol: str
    terminal: str


NEUTRAL = Mark("#808080", "○", "bright_black")
JOY = Mark("#e69f00", "▲", "bright_yellow")
SADNESS = Mark("#0072b2", "▼", "blue")
ANGER = Mark("#d55e00", "■", "red")
SURPRISE = Mark("#56b4e9", "◆", "cyan")
FEAR = Mark("#cc79a7", "◊", "magenta")
DISGUST = Mark("#009e73", "✖", "green")
EXCITEMENT = Mark("#f0e442", "★", "yellow")
FRUSTRATION = Mark("#882255", "▣", "bright_red")
POWER = Mark("#7b5ce6", "◉", "bright_magenta")
PEACE = Mark("#88ccaa", "◐", "bright_green")
UNCERTAIN = Mark("#a0a0a0", "?", "bright_black")

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
        (UNCERTAIN, "uncertain"),
    )
    for word in words.split()
}
_KNOWN = tuple(known for known in dict.fromkeys(_BY_WORD.values()) if known != UNCERTAIN)


def mark(label: str) -> Mark:
    """The mark of one label on its own, whatever its case; a label that nobody foresaw gets one by its letters.

    Example:
        >>> mark("Joyful") == mark("joy")
        True
    """
    word = label.strip().lower()
    return _BY_WORD.get(word, _KNOWN[sum(word.encode("utf-8", "replace")) % len(_KNOWN)])


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
    spare = (free for free in _spare() if free not in marks.values())
    return {label: marks[label] if label in marks else next(spare) for label in labels}


def _spare() -> Iterator[Mark]:
    """Marks without end: first those of the known emotions, then other pairs of their colours and symbols."""
    for shift in count():
        for number, known in enumerate(_KNOWN):
            around = shift // len(_KNOWN)
            symbol = _KNOWN[(number + shift) % len(_KNOWN)].symbol
            yield replace(known, symbol=symbol if not around else f"{symbol}{around}")
