"""A colour for every emotion: the same everywhere, never without the word beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmotionColour:
    """One colour, on paper and on a terminal.

    Attributes:
        hexadecimal: For plots and pages; from the palette of Okabe and Ito, which colour-blind people can tell apart.
        terminal: A style of rich, out of the terminal's own sixteen colours, which people set to be legible.
    """

    hexadecimal: str
    terminal: str


_JOY = EmotionColour("#E69F00", "bright_yellow")
_SADNESS = EmotionColour("#0072B2", "blue")
_ANGER = EmotionColour("#D55E00", "red")
_FEAR = EmotionColour("#CC79A7", "magenta")
_SURPRISE = EmotionColour("#56B4E9", "cyan")
_DISGUST = EmotionColour("#009E73", "green")
_NEUTRAL = EmotionColour("#999999", "bright_black")
_EXCITED = EmotionColour("#F0E442", "yellow")
_POWERFUL = EmotionColour("#7F3C8D", "bright_magenta")
_PEACEFUL = EmotionColour("#11A579", "bright_green")
_FRUSTRATED = EmotionColour("#A5672A", "bright_red")

_KNOWN: Mapping[str, EmotionColour] = {
    **dict.fromkeys(("joy", "joyful", "happy", "happiness"), _JOY),
    **dict.fromkeys(("sad", "sadness"), _SADNESS),
    **dict.fromkeys(("anger", "angry", "mad"), _ANGER),
    **dict.fromkeys(("fear", "scared", "afraid"), _FEAR),
    **dict.fromkeys(("surprise", "surprised"), _SURPRISE),
    **dict.fromkeys(("disgust", "disgusted"), _DISGUST),
    **dict.fromkeys(("neutral", "no_emotion"), _NEUTRAL),
    "excited": _EXCITED,
    "powerful": _POWERFUL,
    "peaceful": _PEACEFUL,
    "frustrated": _FRUSTRATED,
}
_OTHERS = tuple(dict.fromkeys(_KNOWN.values()))


def emotion_colour(emotion: str) -> EmotionColour:
    """The colour of an emotion, whatever its case; a label that nobody foresaw gets one by its letters.

    Example:
        >>> emotion_colour("Joyful").terminal == emotion_colour("joy").terminal
        True
    """
    word = emotion.strip().lower()
    return _KNOWN.get(word, _OTHERS[sum(word.encode("utf-8", "replace")) % len(_OTHERS)])
