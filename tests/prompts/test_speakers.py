"""Speakers: numbers, and how they are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instructerc.prompts.speakers import lettered, numbered, speaker_numbers

names = st.lists(st.text(max_size=3), unique=True, max_size=12)


@given(names)
def test_speakers_are_numbered_in_the_order_of_their_first_turn(speakers: list[str]) -> None:
    assert speaker_numbers(speakers) == {speaker: number for number, speaker in enumerate(speakers)}


@given(names, names)
def test_numbers_are_distinct_and_an_order_is_kept(speakers: list[str], order: list[str]) -> None:
    numbers = speaker_numbers(speakers, order=order)
    assert set(numbers) == set(speakers)
    assert len(set(numbers.values())) == len(numbers)
    assert all(numbers[speaker] == order.index(speaker) for speaker in speakers if speaker in order)


def test_an_order_holds_whoever_speaks_first_or_alone() -> None:
    assert speaker_numbers(["F", "M"], order=("M", "F")) == {"M": 0, "F": 1}
    assert speaker_numbers(["F"], order=("M", "F")) == {"F": 1}


def test_an_order_that_names_nobody_present_changes_nothing() -> None:
    assert speaker_numbers(["Ann", "Bo"], order=("M", "F")) == {"Ann": 0, "Bo": 1}


def test_speakers_outside_the_order_come_after_it() -> None:
    assert speaker_numbers(["Ann", "F"], order=("M", "F")) == {"F": 1, "Ann": 2}


def test_numbers_are_written_as_published() -> None:
    assert [numbered(number) for number in (0, 8, 12)] == ["Speaker_0", "Speaker_8", "Speaker_12"]


@given(st.integers(0, 20_000))
def test_letters_are_distinct_and_capital(number: int) -> None:
    word = lettered(number)
    value = 0
    for letter in word:
        assert "A" <= letter <= "Z"
        value = value * 26 + ord(letter) - ord("A") + 1
    assert value - 1 == number
