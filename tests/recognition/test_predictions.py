from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.errors import DataError, EvaluationError, InvalidRowsError, UnreadableFileError
from instructerc.recognition.predictions import PredictionWriter, TurnPrediction, read_predictions

ANY_TEXT = st.text(st.characters())  # half surrogate pairs included
ROWS = st.builds(
    TurnPrediction,
    conversation=ANY_TEXT,
    turn=st.integers(0, 99),
    emotion=ANY_TEXT,
    speaker=ANY_TEXT,
    text=ANY_TEXT,
    gold=st.none() | ANY_TEXT,
    probabilities=st.none() | st.just({"joy": 0.25, "fear": 0.75}),
    answer=st.none() | ANY_TEXT,
    out_of_label=st.booleans(),
    dropped_turns=st.integers(0, 9),
)


def _rows(conversation: str, turns: int) -> list[TurnPrediction]:
    return [
        TurnPrediction(conversation=conversation, turn=turn, emotion="joy", text="naïve 🙂") for turn in range(turns)
    ]


def _written(path: Path, *conversations: list[TurnPrediction]) -> Path:
    with PredictionWriter(path) as writer:
        for rows in conversations:
            writer.append(rows)
    return path


@settings(max_examples=50)
@given(st.lists(ROWS, max_size=6, unique_by=lambda row: (row.conversation, row.turn)))
def test_any_text_comes_back_as_it_was_written(rows: list[TurnPrediction]) -> None:
    by_conversation: dict[str, list[TurnPrediction]] = {}
    for row in rows:
        by_conversation.setdefault(row.conversation, []).append(row)
    with tempfile.TemporaryDirectory() as folder:
        path = _written(Path(folder) / "predictions.jsonl", *by_conversation.values())
        if rows:
            assert read_predictions(path) == [row for part in by_conversation.values() for row in part]


def test_keys_stand_in_the_documented_order() -> None:
    row = TurnPrediction(conversation="support-001", turn=3, emotion="joy")
    assert list(row.to_json()) == [
        *("conversation", "turn", "speaker", "text", "gold", "emotion", "probabilities"),
        *("answer", "out_of_label", "dropped_turns", "model", "prompt"),
    ]


def test_only_place_and_emotion_must_be_there() -> None:
    assert TurnPrediction.from_json({"conversation": "a", "turn": 0, "emotion": "joy"}).gold is None


def test_all_faults_of_a_record_are_named() -> None:
    with pytest.raises(DataError, match="emotion: is missing; turn: is -1, not a whole number from 0"):
        TurnPrediction.from_json({"conversation": "a", "turn": -1})


def test_a_finished_conversation_is_on_disk_before_the_next_begins(tmp_path: Path) -> None:
    writer = PredictionWriter(tmp_path / "new" / "predictions.jsonl")
    writer.append(_rows("a", 2))
    assert len(read_predictions(writer.path)) == 2
    writer.close()


def test_a_reopened_file_says_what_is_complete_and_goes_on(tmp_path: Path) -> None:
    path = _written(tmp_path / "predictions.jsonl", _rows("a", 2), _rows("b", 1))
    with PredictionWriter(path) as writer:
        assert (writer.completed, writer.dropped_rows) == ({"a", "b"}, 0)
        writer.append(_rows("c", 1))
    assert [row.conversation for row in read_predictions(path)] == ["a", "a", "b", "c"]


def test_cut_at_any_byte_the_file_is_resumed_to_the_same_end(tmp_path: Path) -> None:
    conversations = [_rows("a", 2), _rows("b", 3)]
    whole = _written(tmp_path / "whole.jsonl", *conversations).read_bytes()
    expected = {"a": 2, "b": 3}
    for length in range(len(whole) + 1):
        path = tmp_path / f"{length}.jsonl"
        path.write_bytes(whole[:length])
        with PredictionWriter(path, expected_rows=expected) as writer:
            for rows in conversations:
                if rows[0].conversation not in writer.completed:
                    writer.append(rows)
        assert path.read_bytes() == whole, length


def test_a_torn_line_takes_its_conversation_with_it(tmp_path: Path) -> None:
    path = _written(tmp_path / "predictions.jsonl", _rows("a", 2), _rows("b", 3))
    path.write_bytes(path.read_bytes()[:-10])
    with PredictionWriter(path) as writer:
        assert (writer.completed, writer.dropped_rows) == ({"a"}, 3)
    assert len(read_predictions(path)) == 2


def test_a_whole_line_without_its_line_end_counts_as_torn(tmp_path: Path) -> None:
    path = _written(tmp_path / "predictions.jsonl", _rows("a", 1))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    with PredictionWriter(path) as writer:
        assert writer.completed == set()
    assert path.read_bytes() == b""


def test_a_kill_between_two_lines_is_seen_where_the_number_of_rows_is_known(tmp_path: Path) -> None:
    path = _written(tmp_path / "predictions.jsonl", _rows("a", 2), _rows("b", 1))
    with PredictionWriter(path, expected_rows={"a": 2, "b": 4}) as writer:
        assert (writer.completed, writer.dropped_rows) == ({"a"}, 1)


def test_zeros_that_a_power_cut_left_are_cut(tmp_path: Path) -> None:
    path = _written(tmp_path / "predictions.jsonl", _rows("a", 2), _rows("b", 1))
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    with PredictionWriter(path) as writer:
        assert writer.completed == {"a"}


def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\nbread", encoding="utf-8")
    with pytest.raises(InvalidRowsError, match=r"notes.txt:1: is no JSON object"):
        PredictionWriter(path)
    assert path.read_text(encoding="utf-8") == "milk\nbread"


def test_a_conversation_is_appended_alone_and_once(tmp_path: Path) -> None:
    with PredictionWriter(tmp_path / "predictions.jsonl") as writer:
        with pytest.raises(EvaluationError, match="several conversations at once: a, b"):
            writer.append([*_rows("a", 1), *_rows("b", 1)])
        writer.append(_rows("a", 1))
        with pytest.raises(EvaluationError, match=r"'a' is in .* already"):
            writer.append(_rows("a", 1))
        writer.append([])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_writer_leaves_a_file_that_can_be_resumed(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    code = (
        "import sys; from instructerc.recognition.predictions import *\n"
        "writer = PredictionWriter(sys.argv[1])\n"
        "for n in range(10**6):\n"
        "    writer.append([TurnPrediction(conversation=str(n), turn=t, emotion='joy', text='x' * 5000)"
        " for t in range(20)])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as process:
        while not path.exists() or path.stat().st_size < 2_000_000:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    with PredictionWriter(path) as writer:
        resumed = len(writer.completed)
    assert {row.conversation for row in read_predictions(path)} == {str(number) for number in range(resumed)}


GOOD = {"conversation": "a", "turn": 0, "emotion": "joy"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"turn": "3"}, "1: turn: is '3', not a whole number from 0"),
        ({"turn": True}, "1: turn: is True, not a whole number"),
        ({"emotion": None}, "1: emotion: is None, not text"),
        ({"gold": 3}, "1: gold: is 3, not text"),
        ({"out_of_label": "no"}, "1: out_of_label: is 'no', not true or false"),
        ({"probabilities": {}}, "1: probabilities: is {}, not an object with a number for each label"),
        ({"probabilities": {"joy": "1"}}, "1: probabilities: 'joy' has '1', not a number from 0 to 1"),
        ({"probabilities": {"joy": float("nan")}}, "1: probabilities: 'joy' has nan"),
        ({"probabilities": {"joy": 0.4, "fear": 0.4}}, "1: probabilities: sum to 0.8000, not to 1"),
        ({"emotoin": "joy"}, "1: emotoin: is no key of a prediction: did you mean 'emotion'?"),
        ({"zzz": 1}, "1: zzz: is no key of a prediction: keys are: conversation, turn"),
    ],
)
def test_a_row_that_breaks_the_schema_is_named_with_its_place(
    tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({**GOOD, **changed}) + "\n", encoding="utf-8")
    with pytest.raises(InvalidRowsError) as caught:
        read_predictions(path)
    assert f"{path}:{message}" in str(caught.value)


def test_all_bad_rows_are_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    lines = ['{"turn": 1}', "", "[1]", json.dumps(GOOD), json.dumps(GOOD), '{"conversation": "b", "tu']
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InvalidRowsError) as caught:
        read_predictions(path)
    assert str(caught.value).split("\n") == [
        f"{path}:1: conversation: is missing",
        f"{path}:1: emotion: is missing",
        f"{path}:3: is list, not a JSON object with conversation, turn, emotion",
        f"{path}:5: turn 0 of conversation 'a' stands on line 4 already: keep one",
        f"{path}:6: breaks off: the run that wrote it was stopped; resuming it cuts the line and writes the rest",
    ]


def test_a_file_of_something_else_is_not_listed_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("{\n" * 50, encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=r"no line of it is a prediction, .*report.json:1: is no JSON object"):
        read_predictions(path)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n")
    assert read_predictions(path)[0].emotion == "joy"
    with PredictionWriter(path) as writer:
        writer.append(_rows("b", 1))
    assert len(read_predictions(path)) == 2


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with pytest.raises(UnreadableFileError, match="No such file"):
        read_predictions(path)
    path.write_bytes(b"\n")
    with pytest.raises(UnreadableFileError, match="no predictions in it"):
        read_predictions(path)
    path.write_bytes(b'{"conversation": "caf\xe9"}\n')
    with pytest.raises(UnreadableFileError, match=r"predictions.jsonl:1: byte 0xe9 is not UTF-8"):
        read_predictions(path)
    with pytest.raises(UnreadableFileError, match="Is a directory"):
        read_predictions(tmp_path)


def test_rows_of_another_model_are_begun_anew(tmp_path: Path) -> None:
    path = _written(tmp_path / "predictions.jsonl", _rows("a", 2), _rows("b", 1))
    with PredictionWriter(path, model="") as writer:
        assert writer.completed == {"a", "b"}
    with PredictionWriter(path, model="1234") as writer:
        assert (writer.completed, writer.dropped_rows) == (set(), 3)
    assert path.read_bytes() == b""


def test_a_long_conversation_can_come_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with PredictionWriter(path) as writer:
        writer.append_part(_rows("a", 3)[:2])
        assert len(read_predictions(path)) == 2
        writer.append_part(_rows("a", 3)[2:])
        writer.append(_rows("b", 1))
        with pytest.raises(EvaluationError, match="'a' is in"):
            writer.append_part(_rows("a", 4)[3:])
    assert read_predictions(path) == [*_rows("a", 3), *_rows("b", 1)]
    with PredictionWriter(path, expected_rows={"b": 2}) as writer:
        assert writer.completed == {"a"}
