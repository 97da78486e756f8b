from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instructerc.corpora.repair import REPAIRED, VERBATIM

UNDEFINED = "\x81\x8d\x8f\x90\x9d"


def test_the_characters_of_meld_are_what_their_bytes_mean() -> None:
    assert REPAIRED.apply("\x85\x91\x92\x93\x94\x96\x97") == "…‘’“”–—"


def test_codes_without_a_meaning_stay() -> None:
    assert REPAIRED.apply(UNDEFINED) == UNDEFINED


@given(st.text())
def test_no_other_character_changes(text: str) -> None:
    repaired = REPAIRED.apply(text)
    assert len(repaired) == len(text)
    for before, after in zip(text, repaired, strict=True):
        if before in UNDEFINED or not 0x80 <= ord(before) < 0xA0:
            assert after == before
        else:
            assert after.encode("cp1252") == before.encode("latin-1")
    assert REPAIRED.apply(repaired) == repaired


@given(st.text())
def test_verbatim_changes_nothing(text: str) -> None:
    assert VERBATIM.apply(text) == text
