"""What speakers are called in a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

Speakers = Literal["index", "name"]
"""`index`: numbered in the order of their first turn, as published. `name`: as the source calls them."""


def speaker_numbers(speakers: Sequence[str], *, order: Sequence[str] = (), first: int = 0) -> dict[str, int]:
    """Numbers the speakers of a conversation.

    Args:
        speakers: The speakers in the order of their first turn.
        order: Speakers with a fixed number, wherever they appear first: method §3 numbers IEMOCAP's M 0 and F 1.
        first: The number that counting begins with.

    Example:
        >>> speaker_numbers(["Ross", "Monica"]), speaker_numbers(["F", "M"], order=("M", "F"))
        ({'Ross': 0, 'Monica': 1}, {'M': 0, 'F': 1})
    """
    known = [speaker for speaker in order if speaker in speakers]
    fixed = {speaker: first + order.index(speaker) for speaker in known}
    others = [speaker for speaker in speakers if speaker not in fixed]
    start = first + len(order) if known else first
    return fixed | {speaker: number for number, speaker in enumerate(others, start=start)}


def numbered(number: int) -> str:
    """The published way to write speaker `number`.

    Example:
        >>> numbered(3)
        'Speaker_3'
    """
    return f"Speaker_{number}"


def lettered(number: int) -> str:
    """A short way to write speaker `number`, one token for the first 26 in most vocabularies.

    Example:
        >>> [lettered(number) for number in (0, 1, 25, 26, 27, 702)]
        ['A', 'B', 'Z', 'AA', 'AB', 'AAA']
    """
    letters = ""
    number += 1
    while number:
        number, remainder = divmod(number - 1, 26)
        letters = chr(ord("A") + remainder) + letters
    return letters


NumberStyle = Callable[[int], str]
"""How a wording writes the number of a speaker."""
