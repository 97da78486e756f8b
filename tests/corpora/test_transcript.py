"""Plain transcripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.streaming import load_conversations
from instructerc.corpora.transcript import split_speaker
from instructerc.errors import InvalidRowsError, UnreadableFileError

LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))).map(str.strip)
AWKWARD = st.sampled_from(["***", "###", 'say "hi"', "שלום", "🙂", "a: b: c", "---", "10:30", "http://example.org"])
SPEAKER = st.sampled_from(["Ann", "Dr. Bo", "שרה", "Agent 2", "🙂", "María José", "***"])
TURNS = st.lists(st.tuples(SPEAKER, LINE | AWKWARD), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("examples")


@settings(max_examples=60, deadline=None)
@given(st.lists(TURNS, min_size=1, max_size=3))
def test_what_is_written_is_read_back(folder: Path, parts: list[list[tuple[str, str]]]) -> None:
    path = folder / "a.txt"
    text = "\n---\n".join("\n".join(f"{speaker}: {said}" for speaker, said in part) for part in parts)
    path.write_text(text + "\n", encoding="utf-8")
    found = tuple(load_conversations(path))
    assert [[(turn.speaker, turn.text) for turn in item.utterances] for item in found] == parts
    assert [item.id for item in found] == (["a"] if len(parts) == 1 else [f"a#{k + 1}" for k in range(len(parts))])


def read(path: Path, content: str) -> tuple[Conversation, ...]:
    path.write_text(content, encoding="utf-8")
    return tuple(load_conversations(path))


def test_lines_without_a_speaker_and_indented_lines_go_on(tmp_path: Path) -> None:
    found = read(tmp_path / "a.txt", "Ann: We did it!\nAt last.\n\n  Note: alone.\nBo:\nReally?\n")
    assert found == (
        Conversation("a", (Utterance("Ann", "We did it! At last. Note: alone."), Utterance("Bo", "Really?"))),
    )


@pytest.mark.parametrize(
    "time", ["[00:01:02]", "[00:01:02.500]", "(1:02)", "00:01:02", "[00:01:02 - 00:01:05]", "00:01:02,5 --> 00:01:03,5"]
)
def test_a_time_in_front_of_a_turn_is_dropped(tmp_path: Path, time: str) -> None:
    assert read(tmp_path / "a.txt", f"{time} Ann: Hi\n")[0].utterances == (Utterance("Ann", "Hi"),)


def test_a_time_that_is_what_somebody_says_stays(tmp_path: Path) -> None:
    assert read(tmp_path / "a.txt", "Ann: When?\n10:30 works\n")[0].utterances[0].text == "When? 10:30 works"


def test_a_sentence_with_a_colon_is_no_speaker() -> None:
    assert split_speaker("What I wanted to say at that time was this: no.") is None
    assert split_speaker("see https://example.org/a") is None
    assert split_speaker(": no") is None


def test_separators_in_a_row_make_no_conversation(tmp_path: Path) -> None:
    found = read(tmp_path / "my talk.txt", "---\nAnn: Hi\n---\n\n-----\nBo: Hi\n---\n")
    assert [(item.id, item.speakers) for item in found] == [("my-talk#1", ("Ann",)), ("my-talk#2", ("Bo",))]


def test_text_before_the_first_speaker_is_named_in_every_part(tmp_path: Path) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        read(tmp_path / "a.txt", "Minutes\nAnn: Hi\n---\nPart two\nBo: Hi\n")
    assert [problem.line for problem in caught.value.problems] == [1, 4]
    assert "nobody says 'Minutes'" in caught.value.problems[0].reason


def test_an_empty_transcript_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="empty"):
        read(tmp_path / "a.txt", "\n\n")
