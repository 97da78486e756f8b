"""Whatever a file holds, a reader ends with conversations, with what it set aside, or with a line that says why."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from instructerc.conversation import Conversation
from instructerc.corpora.formats import READERS
from instructerc.corpora.streaming import load_conversations, stream_conversations
from instructerc.errors import UnreadableFileError
from tests.hostile import SEEDS, mutated, read


@pytest.mark.parametrize("format", sorted(READERS))
@given(seed=st.integers(0, 2**32))
def test_a_file_with_faults_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    format: str,  # noqa: A002
    seed: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"hostile-{format}"
    path.write_bytes(mutated(SEEDS[format], random.Random(seed)))
    read(path, format)
    path.unlink()


@pytest.mark.parametrize("format", sorted(READERS))
def test_the_seeds_are_right(tmp_path: Path, format: str) -> None:  # noqa: A002
    assert SEEDS.keys() == READERS.keys()
    path = tmp_path / "right"
    path.write_bytes(SEEDS[format])
    found = list(stream_conversations(path, format=format))
    assert found
    assert all(isinstance(item, Conversation) for item in found)


@pytest.mark.parametrize("name", ["calls.csv", "calls.tsv", "calls.jsonl", "calls.txt", "calls.json", "calls.srt"])
@pytest.mark.parametrize(
    "content",
    [
        b'conversation,turn,speaker,text\na,0,Ann,"' + b"x" * 10_000_000 + b'"\n',
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"\x00" * 1_000_000,
        b'{"id": "a", "utterances": [{"speaker": "Ann", "text": "\\ud83d"}]}\n',
        b"Ann: " + b"\xff" * 1_000,
        b'"' * 100_000,
        b",".join([b"a"] * 100_000),
    ],
    ids=["10 MB field", "nested lists", "nested objects", "zeros", "half a pair", "no text", "quotes", "columns"],
)
def test_what_is_large_or_deep_or_no_text_is_read_or_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    read(path, None)


@pytest.mark.parametrize(
    "columns",
    [
        {"conversation": ["a"], "turn": [0], "speaker": [1], "text": [2.5]},
        {"conversation": [None], "turn": [None], "speaker": [None], "text": [None]},
        {"conversation": [["a"]], "turn": [[0]], "speaker": [{"x": 1}], "text": [b"\xff"]},
        {"conversation": ["a"], "turn": ["zero"], "speaker": ["Ann"], "text": ["hi"]},
        {"conversation": ["a"], "turn": [2**62], "speaker": ["Ann"], "text": ["hi"]},
        {"conversation": ["a"], "turn": [float("nan")], "speaker": ["Ann"], "text": ["hi"]},
        {"text": ["hi"]},
        {},
    ],
    ids=["numbers", "nothing", "nested", "words", "huge", "nan", "one column", "no column"],
)
def test_a_parquet_file_of_other_types_is_read_or_refused(tmp_path: Path, columns: dict[str, list[object]]) -> None:
    path = tmp_path / "calls.parquet"
    parquet.write_table(pa.table(columns), path)
    read(path, None)


@pytest.mark.parametrize("claimed", [1, 3, 2**40])
def test_a_parquet_file_that_claims_other_rows_than_it_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claimed: int
) -> None:
    path = tmp_path / "calls.parquet"
    names = {"conversation": ["a", "a"], "turn": [0, 1], "speaker": ["Ann", "Bob"], "text": ["Hi", "Ho"]}
    parquet.write_table(pa.table(names), path)
    monkeypatch.setattr(parquet.ParquetFile, "metadata", SimpleNamespace(num_rows=claimed))
    with pytest.raises(UnreadableFileError, match=rf"has 2 of the {claimed:,} rows that it claims"):
        list(load_conversations(path))
