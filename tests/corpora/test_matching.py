"""When two turns are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.corpora.matching import MATCHES, ExactTurnMatch, TurnMatch, count_words, get_match
from instructerc.errors import UnknownNameError

DAMAGED = "I don\x92t know\x85 well, that\x92s it"


@pytest.mark.parametrize(
    ("first", "second", "letters", "exact"),
    [
        ("You did WHAT, Ross?", "you did what ross", True, True),
        ("Oh -- you did what", "Oh you did what", True, False),
        ("I do n't know .", "I don't know.", True, False),
        (DAMAGED, "I don’t know… well, that’s it", True, True),
        ("At 5 o'clock", "At 6 o'clock", False, False),
        ("ﬁne", "fine", True, False),
        ("Was ist?", "Was isst?", False, False),
    ],
)
def test_turns_are_the_same_by_letters_or_exactly(first: str, second: str, letters: bool, exact: bool) -> None:
    assert (TurnMatch().key(first) == TurnMatch().key(second)) is letters
    assert (ExactTurnMatch().key(first) == ExactTurnMatch().key(second)) is exact


@given(st.text(), st.text())
def test_what_is_exactly_the_same_has_the_same_letters(first: str, second: str) -> None:
    if ExactTurnMatch().key(first) == ExactTurnMatch().key(second) and first.isascii() and second.isascii():
        assert TurnMatch().key(first) == TurnMatch().key(second)


def test_words_are_counted_without_punctuation_and_in_every_script() -> None:
    assert count_words("Oh -- well, it's fine.") == 4
    assert count_words("我不知道。") == 4
    assert count_words("…") == count_words("") == 0
    assert TurnMatch(minimum_words=4).is_telling("Oh -- well, it's fine.")
    assert not TurnMatch().is_telling("Oh -- well, it's fine.")


def test_an_unknown_match_is_named() -> None:
    assert set(MATCHES) == {"letters", "exact"}
    with pytest.raises(UnknownNameError, match="did you mean 'exact'"):
        get_match("exct")
