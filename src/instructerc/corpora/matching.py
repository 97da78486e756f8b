"""When two turns are the same turn, transcribed by two people."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from instructerc.errors import UnknownNameError

# Scripts that write no blanks between words: each character counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORDS = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_DROPPED = re.compile(r"[^\w\s]|[\x80-\x9f]")  # MELD's damaged characters are punctuation, \x85 too
_NO_LETTER_OR_DIGIT = re.compile(r"[\W_\x80-\x9f]+")
_NO_LETTER = re.compile(r"[\W\d_\x80-\x9f]+")


def count_words(text: str) -> int:
    """Words of a text once its punctuation is dropped.

    Example:
        >>> count_words("Oh -- well, it's fine."), count_words("我不知道")
        (4, 4)
    """
    return len(_WORDS.findall(_DROPPED.sub("", text)))


def letters_of(text: str) -> str:
    """A text as its letters alone, in lower case: what two conversations are compared by.

    Example:
        >>> letters_of("At 5 o'clock!")
        'atoclock'
    """
    return _NO_LETTER.sub("", unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnMatch:
    """Turns are the same where their letters and digits are, in lower case; blanks do not count.

    ```
    MELD       Oh -- I don’t know...   ┐
    EmoryNLP   Oh! I do n't know .     ┴ ohidontknow
    ```

    Attributes:
        name: What it is called.
        minimum_words: Shorter turns ("Oh my God!") tell nothing: two people say them independently.
    """

    name: str = "letters"
    minimum_words: int = 5

    def key(self, text: str) -> str:
        """Equal for turns that are the same."""
        return _NO_LETTER_OR_DIGIT.sub("", unicodedata.normalize("NFKC", text).casefold())

    def is_telling(self, text: str) -> bool:
        """Whether the turn is long enough to be recognised."""
        return count_words(text) >= self.minimum_words


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactTurnMatch(TurnMatch):
    """Turns are the same in lower case with punctuation dropped, blanks as they stand: the count of method §12.

    A dash between blanks leaves two blanks, so that "oh - no" and "oh, no" differ.
    """

    name: str = "exact"

    def key(self, text: str) -> str:
        """Equal for turns that are the same."""
        return _DROPPED.sub("", text.lower()).strip()


MATCHES: Mapping[str, TurnMatch] = {match.name: match for match in (TurnMatch(), ExactTurnMatch())}
"""Every way to compare turns that has a name."""


def get_match(name: str) -> TurnMatch:
    """The way to compare turns of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in MATCHES:
        raise UnknownNameError("way to compare turns", name, MATCHES)
    return MATCHES[name]
