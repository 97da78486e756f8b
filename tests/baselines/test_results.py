"""docs/baselines.md is made from what was measured."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from instructerc.baselines import BASELINES
from instructerc.cli import app
from tests.experiments.recipes import write_corpus

ROOT = Path(__file__).parents[2]


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    if not (ROOT / "scripts").is_dir():
        pytest.skip("the scripts are not part of this installation")
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module(name)


def test_what_the_command_measures_becomes_rows_of_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder, out, results = write_corpus(tmp_path / "corpus"), tmp_path / "out", tmp_path / "results"
    command = ["baselines", str(folder), "--baselines", "tfidf,majority", "--out", str(out), "--samples", "20"]
    assert CliRunner().invoke(app, command).exit_code == 0
    record = script("record_baselines", monkeypatch).record
    written = record(out, command="instructerc baselines corpus", suffix="-1", note="Once.", results=results)
    assert [path.name for path in written] == ["corpus-tfidf-1.json", "corpus-majority-1.json"]
    head, rule, majority, tfidf, note = script("baselines_table", monkeypatch).table(results).split("\n", 4)
    assert head.count("|") == rule.count("|") == majority.count("|") == 9
    assert majority.startswith("| corpus | `majority` | 33.33 | ")
    assert tfidf.startswith("| corpus | `tfidf` | ")
    assert tfidf.endswith("| `instructerc baselines corpus` |")
    assert note == "\nOnce."


def test_the_table_of_the_page_is_that_of_the_result_files(monkeypatch: pytest.MonkeyPatch) -> None:
    table = script("baselines_table", monkeypatch)
    text = table.PAGE.read_text(encoding="utf-8")
    assert table.table() in text
    assert table.page(text) == text


def test_the_table_knows_every_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tuple(BASELINES) == script("baselines_table", monkeypatch).ORDER


def test_results_name_no_folder_of_a_machine() -> None:
    files = sorted((ROOT / "benchmarks" / "results" / "baselines").glob("*.json"))
    assert files
    for file in files:
        record = json.loads(file.read_text(encoding="utf-8"))
        assert record["command"].startswith("instructerc baselines ")
        assert "/" not in record["command"], file.name
        low, high = record["interval"]["low"], record["interval"]["high"]
        assert low <= record["interval"]["estimate"] == record["weighted_f1"] <= high
