"""Tables: a turn a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.columns import Columns
from instructerc.corpora.splits import SPLIT_NAMES
from instructerc.corpora.table import read_table, write_table
from instructerc.errors import DataError, InvalidRowsError, UnknownNameError, UnreadableFileError

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
AWKWARD = st.sampled_from(
    ["***", "###", "a\tb", 'say "hi"', "one\ntwo\r\nthree\r", "שלום", "🙂", "\u2028", "\x85", ";,", "'"]
)
NAME = (TEXT | AWKWARD).filter(lambda text: bool(text.strip()))
EMOTION = st.none() | NAME.map(str.strip)
CONVERSATIONS = st.lists(
    st.builds(
        Conversation,
        id=NAME,
        utterances=st.lists(
            st.builds(Utterance, speaker=NAME, text=TEXT | AWKWARD, emotion=EMOTION), min_size=1, max_size=12
        ).map(tuple),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda conversation: conversation.id,
).map(tuple)

HEADER = "conversation,turn,speaker,text,emotion\n"
TABLE = HEADER + "a,0,Ann,Hi,joy\na,1,Bo,Yes,\n"
CHAT = Conversation("a", (Utterance("Ann", "Hi", "joy"), Utterance("Bo", "Yes")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("kind", ["csv", "tsv", "rows", "parquet"])
@settings(max_examples=50, deadline=None)
@given(found=CONVERSATIONS)
def test_what_is_written_is_read_back(folder: Path, kind: str, found: tuple[Conversation, ...]) -> None:
    path = folder / "a"
    assert read_table(write_table(path, found, format=kind), format=kind) == found


@pytest.mark.parametrize("kind", ["csv", "tsv", "rows", "parquet"])
def test_columns_may_have_any_name_and_turns_may_be_missing(tmp_path: Path, kind: str) -> None:
    columns = Columns(conversation="Dialog", turn=None, speaker="Who", text="Was\nnoch", emotion=None)
    plain = Conversation("a", tuple(Utterance(turn.speaker, turn.text) for turn in CHAT.utterances))
    path = write_table(tmp_path / "a", [CHAT], columns=columns, format=kind)
    assert read_table(path, columns=columns, format=kind) == (plain,)


def read(path: Path, content: str | bytes, *, kind: str = "csv", **columns: Any) -> tuple[Conversation, ...]:
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return read_table(path, columns=Columns(**columns), format=kind)


def problems(path: Path, content: str | bytes, *, kind: str = "csv", **columns: Any) -> list[str]:
    with pytest.raises(InvalidRowsError) as caught:
        read(path, content, kind=kind, **columns)
    return [str(problem).removeprefix(str(path)) for problem in caught.value.problems]


def test_rows_are_grouped_in_file_order_and_sorted_by_number(tmp_path: Path) -> None:
    rows = ["b,10,Ann,ten,", "a,0,Bo,zero,", "b,9,Ann,nine,", "b,9.5,Ann,between,"]
    found = read(tmp_path / "a.csv", HEADER + "\n".join(rows))
    assert [(item.id, [turn.text for turn in item.utterances]) for item in found] == [
        ("b", ["nine", "between", "ten"]),
        ("a", ["zero"]),
    ]


def test_without_a_turn_column_rows_stay_in_file_order(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "conversation,speaker,text\na,Ann,second\na,Ann,first\n", turn=None)
    assert [turn.text for turn in found[0].utterances] == ["second", "first"]


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    assert read(tmp_path / "a.csv", TABLE.replace(",", delimiter)) == (CHAT,)


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n\n"])
def test_line_endings_blank_lines_and_a_byte_order_mark_are_accepted(tmp_path: Path, ending: str) -> None:
    assert read(tmp_path / "a.csv", "\ufeff" + TABLE.replace("\n", ending)) == (CHAT,)


def test_columns_that_nobody_asked_for_are_ignored(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", TABLE.replace("\n", ",x\n").replace("emotion,x", "emotion,other")) == (CHAT,)


def test_an_empty_text_is_a_turn(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", TABLE.replace("Hi", ""))[0].utterances[0].text == ""


def test_missing_columns_name_the_nearest(tmp_path: Path) -> None:
    first, second = problems(tmp_path / "a.csv", "Conversation,Turn,speaker,text\na,0,Ann,Hi\n")
    has = "The table has: Conversation, Turn, speaker, text."
    assert first == (
        f": conversation: no such column: did you mean 'Conversation'? {has} "
        "Name it: Columns(conversation=…), --column conversation=…"
    )
    assert second == (
        f": turn: no such column: did you mean 'Turn'? {has} "
        "Name it: Columns(turn=…), --column turn=…, or turn=None (--column turn=) where rows stand in spoken order"
    )


def test_faults_of_different_rows_are_all_listed_by_line(tmp_path: Path) -> None:
    rows = 'a,0,Ann,"two\nlines",joy\na,one,Bo,Yes,\na,0,,Yes,\na,0,Bo,Yes,\nb,0,Bo\n,0,Bo,Yes,\n'
    assert problems(tmp_path / "a.csv", HEADER + rows) == [
        ":4: turn: 'one' is not a number: write a number, or name no turn column to keep file order",
        ":5: speaker: is empty: every row names one",
        ":6: turn: turn 0 of conversation 'a' stands already in line 2: a turn occurs once",
        ":7: has 3 fields where the header names 5: put a text that holds ',' in quotes",
        ":8: conversation: is empty: every row names one",
    ]


def test_bytes_that_are_not_utf8_are_named_by_offset_and_line(tmp_path: Path) -> None:
    content = TABLE.replace("Hi", "It\x92s").replace("Yes", "Y\0s").encode("latin-1")
    assert problems(tmp_path / "a.csv", content) == [
        ":2: not UTF-8: byte 0x92 at byte offset 49 of the file: looks like Windows-1252; save the file as UTF-8",
        ":3: NUL byte at byte offset 64 of the file: text holds none; write the row again",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('a,2,Ann,"Hello,joy\nb,0,Ann,Hi,joy\n', ":4: a quote opened in this row never closes"),
        ('a,2,Ann,"Hello" she said,joy\n', ":4: not CSV from here on"),
        ('a,2,Ann,"' + "x" * 10_000_000 + '",joy\n', ":4: a field of this row is longer than 131,072 characters"),
    ],
    ids=["unclosed", "stray", "10 MB"],
)
def test_a_quote_out_of_place_is_named_by_its_row(tmp_path: Path, row: str, reason: str) -> None:
    assert problems(tmp_path / "a.csv", TABLE + row)[0].startswith(reason)


def test_a_malformed_row_of_a_long_file_is_named(tmp_path: Path) -> None:
    rows = [f"c{number},0,Ann,Hi,joy" for number in range(6000)]
    rows[4810] = "c,first,Ann,Hi,joy"
    assert problems(tmp_path / "a.csv", HEADER + "\n".join(rows)) == [
        ":4812: turn: 'first' is not a number: write a number, or name no turn column to keep file order"
    ]


def test_a_column_that_is_named_twice_is_a_problem(tmp_path: Path) -> None:
    content = HEADER.replace("emotion", "text") + "a,0,Ann,Hi,joy\n"
    assert problems(tmp_path / "a.csv", content) == [
        ":1: text: the header names this column 2 times: a name occurs once"
    ]


def test_a_conversation_in_two_splits_is_a_problem(tmp_path: Path) -> None:
    content = "conversation,speaker,text,split\na,Ann,Hi,train\na,Bo,Hi,DEV\nb,Bo,Hi,tset\n"
    assert problems(tmp_path / "a.csv", content, turn=None) == [
        ":3: split: conversation 'a' is in validation here and in train in line 2: a conversation is in one split",
        f":4: split: unknown split 'tset': did you mean 'test'? Known: {', '.join(SPLIT_NAMES)}",
    ]


@pytest.mark.parametrize("content", ["", "  \n", HEADER, TABLE.encode("utf-16"), TABLE.encode("utf-16-le"), b"PAR1x"])
def test_a_file_without_rows_is_unreadable(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(UnreadableFileError, match=r"a\.csv: "):
        read(tmp_path / "a.csv", content)


def test_json_rows_keep_numbers_as_names_and_refuse_them_as_text(tmp_path: Path) -> None:
    rows = [
        {"conversation": 1, "turn": 1, "speaker": 2.0, "text": "b"},
        {"conversation": 1, "turn": 0, "speaker": 2, "text": "a"},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    assert read(tmp_path / "a", lines, kind="rows") == (Conversation("1", (Utterance("2", "a"), Utterance("2", "b"))),)
    wrong = {"conversation": True, "turn": True, "speaker": None, "text": 5, "emotion": 3}
    assert problems(tmp_path / "a", json.dumps(wrong) + "\n[1]\n", kind="rows") == [
        ":1: conversation: True is bool, not text: write it as text",
        ":1: speaker: is empty: every row names one",
        ":1: text: 5 is int, not text: write it as text",
        ":1: emotion: 3 is int, not text: write it as text",
        ":1: turn: True is not a number: write a number, or name no turn column to keep file order",
        ':2: expected a JSON object, got list: a row is {"text": …}',
    ]


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_reads_dictionaries_large_strings_and_numbers(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        conversation=pa.array([7, 7]),
        turn=pa.array([1.0, 0.0]),
        speaker=pa.array(["Bo", "Ann"]).dictionary_encode(),
        text=pa.array(["Yes", "Hi"], pa.large_string()),
        emotion=pa.array([None, "joy"]),
    )
    assert read_table(path, format="parquet") == (Conversation("7", CHAT.utterances),)


def test_parquet_columns_of_the_wrong_type_are_one_problem_each(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        conversation=["a"] * 9,
        turn=[b"x"] * 9,
        speaker=["A"] * 9,
        text=[3] * 9,
        emotion=[[1]] * 9,
    )
    with pytest.raises(InvalidRowsError) as caught:
        read_table(path, format="parquet")
    assert [(problem.column, problem.reason.partition(",")[0]) for problem in caught.value.problems] == [
        ("turn", "the Parquet column holds binary"),
        ("text", "the Parquet column holds int64"),
        ("emotion", "the Parquet column holds list<element: int64>"),
    ]


def test_parquet_names_the_row_of_a_null(tmp_path: Path) -> None:
    cells = {"conversation": ["a", "a"], "turn": [0, None], "speaker": ["A", None], "text": ["x", "y"]}
    path = parquet(tmp_path / "a.parquet", **cells)
    with pytest.raises(InvalidRowsError) as caught:
        read_table(path, format="parquet")
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, "speaker"), (2, "turn")]


def test_a_parquet_file_that_is_cut_off_empty_or_none_is_unreadable(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "whole", conversation=["a"], turn=[0], speaker=["A"], text=["x"]).read_bytes()
    empty = parquet(tmp_path / "empty", **{name: pa.array([], pa.string()) for name in HEADER.strip().split(",")})
    for content in (b"", whole[:-9], b"no parquet at all", empty.read_bytes()):
        with pytest.raises(UnreadableFileError, match=r"a\.parquet: "):
            read(tmp_path / "a.parquet", content, kind="parquet")


def test_what_a_table_cannot_express_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    found = [
        Conversation(" ", (Utterance("Ann", "Hi"),)),
        Conversation("b", (Utterance("", "Hi", " joy"), Utterance("Bo", "a\0b"), Utterance("Bo", "x" * 200_000))),
        Conversation("c", ()),
    ]
    with pytest.raises(DataError) as caught:
        write_table(tmp_path / "a.csv", found)
    assert len(str(caught.value).splitlines()) == 6
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="csv, tsv, rows, parquet"):
        write_table(tmp_path / "a", [CHAT], format="xlsx")


@pytest.mark.parametrize(("split", "sizes"), [("train", (1038, 9989)), ("dev", (114, 1109)), ("test", (280, 2610))])
def test_the_table_that_meld_publishes_is_read_by_naming_its_columns(
    shared: Path, split: str, sizes: tuple[int, int]
) -> None:
    columns = Columns(
        conversation="Dialogue_ID", turn="Utterance_ID", speaker="Speaker", text="Utterance", emotion="Emotion"
    )
    found = read_table(shared / "data" / "meld" / f"{split}_sent_emo.csv", columns=columns)
    assert (len(found), sum(map(len, found))) == sizes
