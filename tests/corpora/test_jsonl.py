"""Our own schema: a conversation a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.jsonl import read_jsonl, write_jsonl
from instructerc.errors import DataError, InvalidRowsError, UnreadableFileError

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
AWKWARD = st.sampled_from(
    ["***", "###", "a\tb", 'say "hi"', "one\ntwo\r\nthree", "שלום", "🙂‍↔️", "\u2028", "\x85", "\0", ""]
)
UTTERANCES = st.builds(Utterance, speaker=TEXT | AWKWARD, text=TEXT | AWKWARD, emotion=st.none() | TEXT | AWKWARD)
CONVERSATIONS = st.lists(
    st.builds(Conversation, id=TEXT, utterances=st.lists(UTTERANCES, min_size=1, max_size=4).map(tuple)),
    min_size=1,
    max_size=4,
    unique_by=lambda conversation: conversation.id,
).map(tuple)

LINE = '{"id": "a", "utterances": [{"speaker": "Ann", "text": "Hi", "emotion": "joy"}]}\n'
CHAT = Conversation("a", (Utterance("Ann", "Hi", "joy"),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("examples")


@settings(max_examples=60, deadline=None)
@given(CONVERSATIONS)
def test_what_is_written_is_read_back(folder: Path, found: tuple[Conversation, ...]) -> None:
    path = folder / "a.jsonl"
    assert read_jsonl(write_jsonl(path, found)) == found


def problems(path: Path, content: str | bytes) -> list[str]:
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    with pytest.raises(InvalidRowsError) as caught:
        read_jsonl(path)
    return [str(problem).removeprefix(str(path)) for problem in caught.value.problems]


def test_a_byte_order_mark_and_blank_lines_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + LINE.encode() + b"\n  \n")
    assert read_jsonl(path) == (CHAT,)


def test_a_line_ends_at_line_feed_only(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(LINE.replace("Hi", "one\u2028two\x85three"), encoding="utf-8")
    assert read_jsonl(path)[0].utterances[0].text == "one\u2028two\x85three"


def test_a_truncated_last_line_is_named(tmp_path: Path) -> None:
    [found] = problems(tmp_path / "a.jsonl", LINE + LINE[:30])
    assert found.startswith(":2: not JSON: ")
    assert found.endswith("; the file ends inside this line, it was cut off: write it again or delete the line")


def test_one_malformed_line_of_many_is_named(tmp_path: Path) -> None:
    lines = [LINE.replace('"a"', f'"{number}"') for number in range(6000)]
    lines[4811] = '{"id": "x", "utterances": [}\n'
    assert problems(tmp_path / "a.jsonl", "".join(lines)) == [":4812: not JSON: expecting value at character 27"]


def test_every_fault_of_every_turn_is_listed(tmp_path: Path) -> None:
    line = (
        '{"id": "b", "utterances": [{"speaker": "Ann", "text": "Hi", "emotoin": "joy"}, {"speaker": 3, "text": ""}]}\n'
    )
    assert problems(tmp_path / "a.jsonl", LINE + line + '{"id": "c"}\n[]\n') == [
        ":2: utterances[0]: utterance: has an unknown key 'emotoin'; keys are: speaker, text, emotion",
        ":2: utterances[1]: utterance: 'speaker' is int, not text: write a JSON string",
        ":3: conversation: lacks 'utterances'; keys are: id, utterances",
        ":4: conversation: expected a JSON object, got list",
    ]


def test_an_id_that_occurs_twice_names_both_lines(tmp_path: Path) -> None:
    assert problems(tmp_path / "a.jsonl", LINE + LINE) == [
        ":2: id: conversation id 'a' stands already in line 1: ids are unique in a file"
    ]


def test_a_conversation_without_turns_is_a_problem(tmp_path: Path) -> None:
    assert problems(tmp_path / "a.jsonl", '{"id": "a", "utterances": []}\n') == [
        ":1: utterances: is empty: a conversation has at least one turn"
    ]


def test_half_a_surrogate_pair_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "a.jsonl", LINE.replace("Hi", r"Hi \ud83d")) == [
        r":1: utterances[0].text: half of a surrogate pair (\ud83d) at character 3: write the whole character"
    ]


def test_bytes_that_are_not_utf8_are_named_by_offset_and_line(tmp_path: Path) -> None:
    found = problems(tmp_path / "a.jsonl", LINE.encode() + LINE.replace("Hi", "It\x92s").encode("latin-1") + b"\0\n")
    offset = len(LINE) + LINE.index("Hi") + 2
    hint = "looks like Windows-1252; save the file as UTF-8"
    assert found == [
        f":2: not UTF-8: byte 0x92 at byte offset {offset} of the file: {hint}",
        f":3: NUL byte at byte offset {2 * len(LINE) + 2} of the file: text holds none; write the row again",
    ]


@pytest.mark.parametrize("content", ["[" * 100_000 + "\n", '{"id": ' + "9" * 5000 + "}\n"])
def test_json_that_cannot_be_held_is_a_problem(tmp_path: Path, content: str) -> None:
    assert len(problems(tmp_path / "a.jsonl", content)) == 1


@pytest.mark.parametrize("content", [b"", b"\n\n", "a".encode("utf-16"), b"PK\x03\x04"])
def test_a_file_that_holds_no_text_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"a\.jsonl: "):
        read_jsonl(path)


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UnreadableFileError, match=str(path)):
            read_jsonl(path)


def test_nothing_is_written_when_something_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    broken = Conversation("b", (Utterance("Ann", "\ud83d"),))
    with pytest.raises(DataError) as caught:
        write_jsonl(path, [CHAT, CHAT, broken, Conversation("c", ())])
    assert len(str(caught.value).splitlines()) == 3
    assert list(tmp_path.iterdir()) == []
