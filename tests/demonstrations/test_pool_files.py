"""Pools on disk: tables of one's own, and folders that are whole or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instructerc.demonstrations import DemonstrationPool, load_pool, read_pool, save_pool
from instructerc.errors import ArtefactError, InvalidRowsError, UnknownNameError, UnreadableFileError
from instructerc.labels import MELD
from tests.demonstrations.fakes import CORPUS, tiny_pool


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pool.csv", 'text,label\n"Great, thanks!",joy\nLeave me alone.,Anger\n'),
        ("pool.csv", "\ufefflabel;id;text\njoy;1;Great, thanks!\nangry;2;Leave me alone.\n"),
        ("pool.tsv", "text\tlabel\nGreat, thanks!\tjoyful\nLeave me alone.\tangry\n"),
        ("pool.jsonl", '{"text": "Great, thanks!", "label": "joy"}\n\n{"text": "Leave me alone.", "label": "angry"}\n'),
    ],
)
def test_a_table_of_texts_and_labels_becomes_a_pool(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    pool = read_pool(path, MELD)
    assert [(entry.text, entry.label) for entry in pool.entries] == [
        ("Great, thanks!", "joyful"),
        ("Leave me alone.", "angry"),
    ]
    assert {(entry.conversation, entry.turn, entry.content) for entry in pool.entries} == {(None, None, None)}


def test_parquet_becomes_a_pool_too(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"text": ["Great!"], "label": ["joy"], "id": [1]}), tmp_path / "pool.parquet")
    assert read_pool(tmp_path / "pool.parquet", MELD).counts["joyful"] == 1


def test_all_faulty_rows_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    rows: list[Any] = [
        {"text": "Great!", "label": "joy"},
        {"text": "  ", "label": "joy"},
        {"text": "Hm.", "label": "angr"},
        {"label": "joy"},
        {"text": 7, "label": None},
        ["Great!", "joy"],
        {"text": "\ud83d", "label": "joy"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{", encoding="utf-8")
    with pytest.raises(InvalidRowsError) as caught:
        read_pool(path, MELD)
    reported = [(problem.line, problem.column, problem.reason.partition(":")[0]) for problem in caught.value.problems]
    assert sorted(reported, key=str) == sorted(
        [
            (2, "text", "is blank"),
            (3, "label", "unknown label 'angr'"),
            (4, "text", "is empty"),
            (5, "text", "7 is int, not text"),
            (5, "label", "is empty"),
            (6, None, "expected a JSON object, got list"),
            (7, "text", "half of a surrogate pair (\\ud83d) at character 0"),
            (8, None, "not JSON"),
        ],
        key=str,
    )
    assert "did you mean 'angry'" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("texts,label\na,joy\n", "pool.csv: text: no such column: did you mean 'texts'? The file has: texts, label"),
        ("text,label\na,joy,b\n", "pool.csv:2: has 3 fields where the header names 2"),
        ("text,label,text\na,joy,b\n", "pool.csv:1: text: the header names this column 2 times"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "pool.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidRowsError) as caught:
        read_pool(tmp_path / "pool.csv", MELD)
    assert reason in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pool.csv").write_text("", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="the file is empty"):
        read_pool(tmp_path / "pool.csv", MELD)
    with pytest.raises(UnreadableFileError, match="no such file"):
        read_pool(tmp_path / "none.csv", MELD)
    with pytest.raises(UnknownNameError, match=r"unknown ending of a demonstration file '\.csw': did you mean '\.csv'"):
        read_pool(tmp_path / "pool.csw", MELD)


@pytest.mark.parametrize("pool", [DemonstrationPool.of_corpus(CORPUS), tiny_pool()], ids=["bare", "encoded"])
def test_a_saved_pool_comes_back(tmp_path: Path, pool: DemonstrationPool) -> None:
    again = load_pool(save_pool(pool, tmp_path / "pool"))
    assert (again.hash, again.labels, again.entries, again.encoder) == (
        pool.hash,
        pool.labels,
        pool.entries,
        pool.encoder,
    )
    assert (again.vectors is None) == (pool.vectors is None)
    if pool.vectors is not None:
        assert np.array_equal(again.vectors, pool.vectors)


def test_a_pool_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    save_pool(tiny_pool(), tmp_path)
    save_pool(DemonstrationPool.of_corpus(CORPUS, per_label=1), tmp_path)
    assert load_pool(tmp_path).vectors is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entries.jsonl", "pool.json"]


def changed_seal(folder: Path, **keys: Any) -> None:
    seal = json.loads((folder / "pool.json").read_text(encoding="utf-8"))
    seal.update(keys)
    (folder / "pool.json").write_text(json.dumps({key: value for key, value in seal.items() if value != "lost"}))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "pool.json").unlink(), "holds no pool.json"),
        (lambda folder: (folder / "pool.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "pool.json").write_text("[]"), "has format None, this version reads 1"),
        (lambda folder: changed_seal(folder, format=2), "has format 2, this version reads 1"),
        (lambda folder: changed_seal(folder, labels="lost", hash="lost"), "lacks hash, labels"),
        (lambda folder: changed_seal(folder, hash="0"), "pool.json names pool 0, its files hold"),
        (lambda folder: changed_seal(folder, files={}), "is no pool of demonstrations of ours"),
        (lambda folder: changed_seal(folder, labels=["joy"]), "unknown label 'anger'"),
        (lambda folder: changed_seal(folder, encoder=None), "or neither: give both|names pool"),
        (lambda folder: (folder / "vectors.npy").unlink(), "vectors.npy: cannot be read"),
        (lambda folder: (folder / "entries.jsonl").write_text("{}\n"), "entries.jsonl: SHA-256 is"),
        (
            lambda folder: (folder / "vectors.npy").write_bytes((folder / "vectors.npy").read_bytes()[:-1]),
            "vectors.npy: SHA-256 is",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path, damage: Any, reason: str) -> None:
    damage(save_pool(tiny_pool(), tmp_path))
    with pytest.raises(ArtefactError, match=reason):
        load_pool(tmp_path)
