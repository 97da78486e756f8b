"""Speaker numbers where several corpora are one: each counts from a number of its own (method §10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instructerc.corpora.mixing import Part

RELEASED_OFFSETS: Mapping[str, int] = {"iemocap": 0, "meld": 2, "emorynlp": 10}
"""First speaker number of each corpus in the released unified files; MELD's last, 10, is EmoryNLP's first."""

FIRST_FREE = 19
"""First number behind those of the released files, whose corpora have nine speakers at most."""


def speaker_offsets(parts: Iterable[Part], *, wording: str = "released") -> dict[str, int]:
    """The first speaker number of each corpus of a mixture.

    ```
              iemocap  meld  emorynlp  dailydialog
    released  0-1      2-10  10-18     19-20        exact, though MELD and EmoryNLP meet at Speaker_10
    others    0-1      2-10  11-19     20-21        no number twice
    ```

    Args:
        parts: The corpora of the mixture, in its order.
        wording: The released wording has the released numbers, every other one has numbers of its own.

    Example:
        >>> from instructerc.corpora.mixing import Part
        >>> def part(name, speakers):
        ...     return Part(name=name, family=name, labels=(), speakers=speakers, targets=0, available=0)
        >>> parts = [part("iemocap", 2), part("meld", 9), part("emorynlp", 9)]
        >>> speaker_offsets(parts)
        {'iemocap': 0, 'meld': 2, 'emorynlp': 10}
        >>> speaker_offsets(parts, wording="compact")
        {'iemocap': 0, 'meld': 2, 'emorynlp': 11}
    """
    released = RELEASED_OFFSETS if wording == "released" else {}
    free = FIRST_FREE if released else 0
    offsets = {}
    for part in parts:
        if part.family in released:
            offsets[part.name] = released[part.family]
        else:
            offsets[part.name] = free
            free += part.speakers
    return offsets
