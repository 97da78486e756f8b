"""Conversations to be recognised, one at a time."""

from __future__ import annotations

import io
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.columns import Columns
from instructerc.corpora.streaming import SetAside, load_conversations, stream_conversations
from instructerc.errors import InvalidRowsError, UnknownNameError, UnreadableFileError
from instructerc.labels import EKMAN

LINE = '{"id": "a", "utterances": [{"speaker": "Ann", "text": "Hi", "emotion": "Happy"}]}\n'
CHAT = Conversation("a", (Utterance("Ann", "Hi", "Happy"),))

FILES = {
    "own.jsonl": LINE,
    "own.csv": "conversation,turn,speaker,text\na,0,Ann,Hi\n",
    "own.txt": "Ann: Hi\n",
    "own.srt": "1\n00:00:01,000 --> 00:00:02,000\nAnn: Hi\n",
    "own.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Hi</v>\n",
    "own.json": '[{"role": "user",\n"content": "Hi"}]',
    "chat.jsonl": '{"messages": [{"role": "user", "content": "Hi"}]}\n',
    "rows.jsonl": '{"conversation": "a", "turn": 0, "speaker": "Ann", "text": "Hi"}\n',
}

Pipe = Callable[[bytes], None]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """Puts bytes on standard input."""

    def put(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(content))))

    return put


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read_from_a_file_and_from_standard_input(tmp_path: Path, pipe: Pipe, name: str) -> None:
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    pipe(FILES[name].encode())
    for found in (list(load_conversations(tmp_path / name)), list(load_conversations("-"))):
        assert [(turn.speaker, turn.text) for item in found for turn in item.utterances] in (
            [("Ann", "Hi")],
            [("user", "Hi")],
        )


def test_emotions_stay_as_they_are_unless_a_set_is_given(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINE, encoding="utf-8")
    assert list(load_conversations(tmp_path / "a.jsonl")) == [CHAT]
    [found] = load_conversations(tmp_path / "a.jsonl", labels=EKMAN)
    assert found.utterances[0].emotion == "joy"


def test_empty_texts_and_missing_emotions_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("conversation,speaker,text\na,Ann,\n", encoding="utf-8")
    [found] = load_conversations(tmp_path / "a.csv", columns=Columns(turn=None))
    assert found.utterances == (Utterance("Ann", ""),)


def test_every_fault_is_found_before_the_first_conversation(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINE + "{\n" + LINE.replace("Happy", "hapy"), encoding="utf-8")
    with pytest.raises(InvalidRowsError) as caught:
        load_conversations(tmp_path / "a.jsonl", labels=EKMAN)
    assert [problem.line for problem in caught.value.problems] == [2, 3]


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Ann: Hi\n", encoding="utf-8")
    (tmp_path / "a.srt").write_text(FILES["own.srt"], encoding="utf-8")
    (tmp_path / ".c.txt").write_text("hidden", encoding="utf-8")
    (tmp_path / "notes.md").write_text("notes", encoding="utf-8")
    assert [item.id for item in load_conversations(tmp_path)] == ["a", "b"]


def test_an_id_in_two_files_of_a_folder_and_an_unreadable_file_are_problems(tmp_path: Path) -> None:
    for name, content in {"a.srt": FILES["own.srt"], "a.txt": "Ann: Hi\n", "b.csv": ""}.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InvalidRowsError) as caught:
        load_conversations(tmp_path)
    assert [(problem.file.name, problem.line) for problem in caught.value.problems] == [("a.txt", 1), ("b.csv", None)]


def test_standard_input_is_read_as_it_comes_and_ends_at_the_first_fault(pipe: Pipe) -> None:
    pipe((LINE + "{]\n" + LINE).encode())
    found = load_conversations("-")
    assert next(found) == CHAT
    with pytest.raises(InvalidRowsError, match="<standard input>:2: not JSON"):
        next(found)


def test_nothing_on_standard_input_is_unreadable(pipe: Pipe) -> None:
    pipe(b"\n")
    with pytest.raises(UnreadableFileError, match="nothing came in"):
        load_conversations("-")


def test_a_missing_file_an_unknown_content_and_an_unknown_format_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("once upon a time", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="no such file"):
        load_conversations(tmp_path / "none.csv")
    with pytest.raises(UnreadableFileError, match="neither its name nor its first line"):
        load_conversations(tmp_path / "a")
    with pytest.raises(UnknownNameError, match="transcript"):
        load_conversations(tmp_path / "a", format="transcripts")


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(LINE, encoding="utf-8")
    found = load_conversations(path)
    path.write_text("{]\n", encoding="utf-8")
    with pytest.raises(InvalidRowsError):
        next(found)


def test_json_lines_take_the_memory_of_one_conversation(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(100):
            turn = {"speaker": "Ann", "text": "x" * 100_000}
            file.write(json.dumps({"id": str(number), "utterances": [turn]}) + "\n")
    tracemalloc.start()
    count = sum(1 for _ in load_conversations(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100
    assert peak < 2_000_000 < path.stat().st_size


def sorted_out(path: Path | str, **arguments: Any) -> tuple[list[str], list[tuple[str | None, int | None]]]:
    """Ids of what is read, and conversation and line of what is set aside."""
    items = list(stream_conversations(path, **arguments))
    aside = [item for item in items if isinstance(item, SetAside)]
    return (
        [item.id for item in items if isinstance(item, Conversation)],
        [(item.conversation, item.problem.line) for item in aside],
    )


def test_a_malformed_line_is_set_aside_and_the_rest_goes_on(tmp_path: Path, pipe: Pipe) -> None:
    lines = LINE + '{"id": "b", "utter\n' + LINE.replace('"a"', '"c"') + LINE
    (tmp_path / "own.jsonl").write_text(lines, encoding="utf-8")
    pipe(lines.encode())
    for path in (tmp_path / "own.jsonl", "-"):
        assert sorted_out(path) == (["a", "c"], [(None, 2), (None, 4)])  # line 4: its id stands in line 1 already


TABLE = "conversation,turn,speaker,text\n"


@pytest.mark.parametrize(
    ("rows", "read", "aside"),
    [
        ("a,0,Ann,Hi\na,x,Bob,Hi\nb,0,Ann,Hi\n", ["b"], [(None, 3), ("a", 2)]),
        ("a,0,Ann,Hi\na,0,Bob,Hi\nb,0,Ann,Hi\n", ["b"], [(None, 3), ("a", 2)]),
        # Whose row the third is nobody can say: it may be b's first one.
        ("a,0,Ann,Hi\na,1,Bob\nb,0,Ann,Hi\nc,0,Ann,Hi\n", ["c"], [(None, 3), ("a", 2), ("b", 4)]),
        (",0,Ann,Hi\na,0,Ann,Hi\nb,0,Ann,Hi\n", ["b"], [(None, 2), ("a", 3)]),
    ],
    ids=["no number", "twice", "too few cells", "nobody's"],
)
def test_a_conversation_of_a_table_is_whole_or_set_aside(
    tmp_path: Path, rows: str, read: list[str], aside: list[tuple[str | None, int]]
) -> None:
    (tmp_path / "own.csv").write_text(TABLE + rows, encoding="utf-8")
    assert sorted_out(tmp_path / "own.csv") == (read, aside)


def test_splits_are_nothing_to_whoever_recognises(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(
        "conversation,turn,speaker,text,split\na,0,Ann,Hi,train\na,1,Bob,Hi,nonsense\n", encoding="utf-8"
    )
    assert sorted_out(tmp_path / "own.csv") == (["a"], [])


def test_a_file_of_a_folder_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text(LINE, encoding="utf-8")
    (tmp_path / "2.jsonl").write_bytes(b"PK\x03\x04")
    (tmp_path / "3.jsonl").write_text(LINE + LINE.replace('"a"', '"b"'), encoding="utf-8")
    assert sorted_out(tmp_path) == (["a", "b"], [(None, None), ("a", 1)])


def test_a_path_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        list(stream_conversations(tmp_path / "missing.jsonl"))
