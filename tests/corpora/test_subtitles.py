"""Subtitles: srt and vtt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.streaming import load_conversations
from instructerc.errors import InvalidRowsError, UnreadableFileError

SAID = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="<>&{}")).map(str.strip)
TURNS = st.lists(st.tuples(st.sampled_from(["Ann", "Dr. Bo", "שרה", "***"]), SAID), min_size=1, max_size=6)


def read(path: Path, content: str) -> tuple[Conversation, ...]:
    path.write_text(content, encoding="utf-8")
    return tuple(load_conversations(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("examples")


@settings(max_examples=50, deadline=None)
@given(TURNS)
def test_what_is_written_is_read_back(folder: Path, turns: list[tuple[str, str]]) -> None:
    cues = [f"{k}\n00:00:0{k},000 --> 00:00:0{k},900\n{who}: {said}\n" for k, (who, said) in enumerate(turns, 1)]
    voices = [f"00:0{k}.000 --> 00:0{k}.900\n<v {who}>{said}</v>\n" for k, (who, said) in enumerate(turns, 1)]
    for found in (
        read(folder / "a.srt", "\n".join(cues)),
        read(folder / "a.vtt", "WEBVTT\n\n" + "\n".join(voices)),
    ):
        assert [(turn.speaker, turn.text) for turn in found[0].utterances] == turns


def test_srt_cues_without_a_speaker_go_on_and_tags_are_dropped(tmp_path: Path) -> None:
    content = (
        "1\n00:00:01,000 --> 00:00:02,000\n<i>Ann: We did</i>\nit!\n\n"
        "2\n00:00:02,000 --> 00:00:03,000\n{\\an8}At <b>last</b>.\n\n3\n00:00:03,000 --> 00:00:04,000\nBo: 1 < 2\n"
    )
    assert read(tmp_path / "a.srt", content) == (
        Conversation("a", (Utterance("Ann", "We did it! At last."), Utterance("Bo", "1 < 2"))),
    )


def test_vtt_voices_notes_styles_names_and_settings(tmp_path: Path) -> None:
    content = (
        "WEBVTT - a title\nKind: captions\n\nNOTE\nnot: said\n\nSTYLE\n::cue {}\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start\n"
        "<v.loud Ann &amp; Co>Tom &amp; <c.red>I</c></v> <v Bo>What?</v>\n\n"
        "01:00:02.000 --> 01:00:03.000\nreally\n"
    )
    assert read(tmp_path / "a.vtt", "\ufeff" + content)[0].utterances == (
        Utterance("Ann & Co", "Tom & I"),
        Utterance("Bo", "What? really"),
    )


def test_a_cue_without_a_time_line_and_text_that_nobody_says_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        read(tmp_path / "a.srt", "1\n00:00:01,000 --> 00:00:02,000\nHi\n\n2\n00:00:03,000 -> 00:00:04,000\nAnn: Hi\n")
    assert [(problem.line, problem.reason[:15]) for problem in caught.value.problems] == [
        (3, "nobody says 'Hi"),
        (5, "'2' begins no c"),
    ]


@pytest.mark.parametrize("content", ["", "WEBVTT\n\nNOTE nothing\n"])
def test_a_file_without_cues_is_unreadable(tmp_path: Path, content: str) -> None:
    with pytest.raises(UnreadableFileError):
        read(tmp_path / "a.vtt", content)
