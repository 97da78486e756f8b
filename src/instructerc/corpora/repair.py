r"""Characters that lost their encoding on the way, and what they were.

MELD's texts were once read as Latin-1 though they were Windows-1252, so that an apostrophe became U+0092. Beside them
stand real apostrophes (method §12): the text is repaired a character at a time, never encoded anew.

```
company\x92s, she’s   ─ Windows1252Repair ─→   company’s, she’s
company\x92s, she’s   ─ VerbatimText ──────→   company\x92s, she’s
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class TextRepair(Protocol):
    """What a reader does with each text it reads."""

    def apply(self, text: str) -> str:
        """The text as the corpus should hold it."""
        ...


def _table() -> dict[int, str]:
    table = {}
    for code in range(0x80, 0xA0):
        # Five codes mean nothing in Windows-1252 (0x81, 0x8d, 0x8f, 0x90, 0x9d): those characters stay.
        character = bytes([code]).decode("cp1252", errors="ignore")
        if character:
            table[code] = character
    return table


_WINDOWS_1252 = _table()


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows1252Repair:
    r"""Replaces each of U+0080 to U+009F by the character that its byte means in Windows-1252 (method §12).

    Example:
        >>> Windows1252Repair().apply("company\x92s\x85 she’s")
        'company’s… she’s'
    """

    def apply(self, text: str) -> str:
        """The text with those characters replaced, and no other."""
        return text.translate(_WINDOWS_1252)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbatimText:
    """Leaves every text as the file has it; the released prompts were written so."""

    def apply(self, text: str) -> str:
        """The text itself."""
        return text


REPAIRED = Windows1252Repair()
"""What readers of MELD do unless told otherwise."""

VERBATIM = VerbatimText()
"""What the released wording needs."""
