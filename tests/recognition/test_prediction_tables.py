"""Predictions as tables: what goes in comes out."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from scipy.stats import entropy

from instructerc.errors import UnreadableFileError
from instructerc.recognition.prediction_tables import TableFormat, read_prediction_table, write_prediction_table
from instructerc.recognition.predictions import TurnPrediction

FORMATS = get_args(TableFormat)
ROW = TurnPrediction(
    conversation="a",
    turn=3,
    emotion="joy",
    speaker='***, "Ann"',
    text="=1+1\nnext line 😀",
    gold="anger",
    probabilities={"joy": 0.75, "anger": 0.25},
    dropped_turns=2,
    model="m",
    prompt="p",
)
GENERATED = TurnPrediction(conversation="b", turn=0, emotion="joy", answer="happy!", out_of_label=True)


@pytest.mark.parametrize("format", FORMATS)
def test_rows_come_back_as_they_were(tmp_path: Path, format: TableFormat) -> None:  # noqa: A002
    path = write_prediction_table(tmp_path / "new" / "t", [ROW, GENERATED], labels=["joy", "anger"], format=format)
    assert list(read_prediction_table(path, format=format)) == [ROW, GENERATED]


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_any_text_survives_a_csv(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    row = TurnPrediction(conversation="a", turn=0, emotion="joy", speaker=text, text=text)
    write_prediction_table(path, [row], labels=["joy"], format="csv")
    assert list(read_prediction_table(path, format="csv")) == [row]


def test_a_label_has_a_column_of_its_own(tmp_path: Path) -> None:
    path = write_prediction_table(tmp_path / "t.parquet", [ROW], labels=["joy", "anger"], format="parquet")
    (record,) = parquet.read_table(path).to_pylist()
    assert (record["p_joy"], record["p_anger"], record["confidence"], record["text"]) == (0.75, 0.25, 0.75, ROW.text)


def test_no_rows_make_an_empty_table(tmp_path: Path) -> None:
    for name in FORMATS:
        path = write_prediction_table(tmp_path / name, [], labels=["joy"], format=name)
        assert list(read_prediction_table(path, format=name)) == []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PAR1nonsense", b"\xff\xfe"])
def test_something_else_is_refused(tmp_path: Path, format: TableFormat, content: bytes) -> None:  # noqa: A002
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(UnreadableFileError, match="no table of predictions"):
        list(read_prediction_table(tmp_path / "t", format=format))


def test_a_table_from_before_there_was_an_entropy_is_read(tmp_path: Path) -> None:
    path = write_prediction_table(tmp_path / "t.csv", [ROW], labels=["joy", "anger"], format="csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, values = csv.reader(file)
    place = header.index("entropy")
    assert float(values[place]) == pytest.approx(entropy([0.75, 0.25], base=2))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([row[:place] + row[place + 1 :] for row in (header, values)])
    assert list(read_prediction_table(path, format="csv")) == [ROW]
