"""Cells that are done are not run again, and one that fails does not stop the others."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from instructerc.errors import ArtefactError, DataError
from instructerc.experiments.resolve import Resolved
from instructerc.experiments.watching import RunWatcher, Silent
from instructerc.recognition.predictions import PredictionWriter, TurnPrediction
from instructerc.reproduction.grid import Cell, Request, expand
from instructerc.reproduction.reading import read_table
from instructerc.reproduction.results import Results, harvest
from instructerc.reproduction.running import Outcome, absent_data, run_missing, status_of
from tests.reproduction.examples import finish


@contextlib.contextmanager
def silent() -> Iterator[RunWatcher]:
    yield Silent()


def cells(folder: Path, table: str = "ablation", **wish: Any) -> list[Cell]:
    return expand(read_table(table), Request(corpora=("meld",), out=folder, **wish))


def bring(found: list[Cell], folder: Path, **more: Any) -> Outcome:
    return run_missing(found, Results(folder / "results"), watching=silent, **more)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the run by one that leaves a report; it fails where prompts show nothing."""
    made: list[str] = []

    def run_recipe(resolved: Resolved, *, resume: bool, watcher: object) -> None:
        assert resume
        folder = resolved.recipe.output.folder
        assert folder is not None
        made.append(folder.name)
        if folder.name.startswith("without-retrieval"):
            raise DataError("no such file: name another")
        if folder.name.startswith("without-speaker"):
            raise MemoryError("none left")
        [cell] = [cell for cell in cells(folder.parents[1]) if cell.folder == folder]
        finish(cell)

    module = ModuleType("instructerc.experiments.run")
    module.run_recipe = run_recipe  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


def test_missing_cells_are_run_and_the_same_run_once(calls: list[str], tmp_path: Path) -> None:
    said: list[str] = []
    outcome = bring(cells(tmp_path), tmp_path, say=said.append)
    assert calls == [
        "full-meld-42",
        "without-prediction-meld-42",
        "without-speaker-meld-42",
        "without-both-meld-42",
        "without-retrieval-meld-42",
    ]
    assert outcome.ran == ["full-meld-42", "without-prediction-meld-42", "without-both-meld-42"]
    assert outcome.skipped == ["without-lora-meld-42"]
    assert outcome.failed == {
        "without-speaker-meld-42": "MemoryError: none left",
        "without-retrieval-meld-42": "no such file: name another",
    }
    assert "ablation 1/6: full-meld-42" in said
    assert "failed: no such file: name another" in said
    names = {path.stem for path in (tmp_path / "results" / "ablation").iterdir()}
    assert names == {*outcome.ran, *outcome.skipped}


def test_cells_that_are_done_are_not_run_again(calls: list[str], tmp_path: Path) -> None:
    bring(cells(tmp_path, rows=("full", "without-both")), tmp_path)
    calls.clear()
    outcome = bring(cells(tmp_path, rows=("full", "without-both")), tmp_path)
    assert calls == []
    assert outcome.skipped == ["full-meld-42", "without-both-meld-42"]
    # Another table, whose cell is the same run.
    outcome = bring(cells(tmp_path, "alpha", values=("0.1",)), tmp_path)
    assert (calls, outcome.skipped) == ([], ["instructerc-meld-0.1-42"])
    kept = json.loads((tmp_path / "results" / "alpha" / "instructerc-meld-0.1-42.json").read_text(encoding="utf-8"))
    assert (kept["table"], kept["row"], kept["value"]) == ("alpha", "instructerc", "0.1")


def test_a_report_that_was_made_elsewhere_is_taken(calls: list[str], tmp_path: Path) -> None:
    [cell] = cells(tmp_path, rows=("without-retrieval",))
    finish(cell)
    assert status_of(cell, Results(tmp_path / "results")).state == "finished"
    assert bring([cell], tmp_path).skipped == ["without-retrieval-meld-42"]
    assert calls == []


def test_a_report_of_another_setting_is_not_taken(calls: list[str], tmp_path: Path) -> None:
    [other] = cells(tmp_path, rows=("full",), settings=("training.epochs=9",))
    finish(other)
    [cell] = cells(tmp_path, rows=("full",))
    assert status_of(cell, Results(tmp_path / "results")).state == "missing"


def test_a_result_of_another_setting_is_refused_with_what_differs(calls: list[str], tmp_path: Path) -> None:
    bring(cells(tmp_path, rows=("full",)), tmp_path)
    outcome = bring(cells(tmp_path, rows=("full",), settings=("training.epochs=9",)), tmp_path)
    assert "(training.epochs was 4, is 9): undo the change, or choose another --out" in outcome.failed["full-meld-42"]
    assert calls == ["full-meld-42"]


def test_a_wrong_key_is_the_fault_of_its_cell(calls: list[str], tmp_path: Path) -> None:
    outcome = bring(cells(tmp_path, rows=("full",), settings=("training.epoch=9",)), tmp_path)
    assert "did you mean 'training.epochs'?" in outcome.failed["full-meld-42"]
    assert calls == []


def test_where_data_lie_does_not_matter_to_what_is_done(calls: list[str], tmp_path: Path) -> None:
    bring(cells(tmp_path, rows=("full",)), tmp_path)
    assert bring(cells(tmp_path, rows=("full",), data=tmp_path), tmp_path).skipped == ["full-meld-42"]


def test_a_result_holds_what_the_report_says(tmp_path: Path) -> None:
    [cell] = cells(tmp_path, rows=("full",))
    shown = {"Demonstrations": {"agreement": 0.5, "copy rate": 0.4}}
    finish(cell, right=4, provenance=shown, marks=["test-selected epoch"])
    results = Results(tmp_path / "results")
    bring([cell], tmp_path)
    kept = results.read(cell)
    assert kept is not None
    assert kept == harvest(cell)
    figure = kept.figures["meld"]
    assert (figure.weighted_f1, figure.turns, figure.low, figure.high) == (1.0, 4, 0.5, 0.9)
    assert (kept.seconds, kept.passes, kept.backbone) == (50.0, (3 + 2 * 4) * 9989, "embedded")
    assert kept.marks == ("test-selected epoch",)
    assert kept.facts["Demonstrations"] == shown["Demonstrations"]
    record = json.loads(results.path("ablation", "full-meld-42").read_text(encoding="utf-8"))
    assert record["revision"] == "abc"
    assert record["setting"]["window.stride"] == 4
    assert "data.folder" not in record["setting"]


def test_a_mixture_is_measured_on_each_corpus(tmp_path: Path) -> None:
    request = Request(corpora=("meld", "emorynlp"), rows=("total-published",), values=("1/4",), out=tmp_path)
    [cell] = expand(read_table("unified"), request)
    finish(cell)
    scores = json.loads((cell.folder / "report.json").read_text(encoding="utf-8"))["scores"]["test"]
    finish(cell, sources={"meld": scores, "emorynlp": {**scores, "weighted_f1": 0.25}}, marks=["leaks: published"])
    rows = [
        TurnPrediction(conversation=f"meld:{number}", turn=0, emotion="joy", gold="joy" if number else "anger")
        for number in range(4)
    ]
    with PredictionWriter(cell.folder / "predictions.jsonl", expected_rows={row.conversation: 1 for row in rows}) as to:
        for row in rows:
            to.append([row])
    found = harvest(cell)
    assert found.marks == ("leaks: published",)
    assert found.figures["emorynlp"].weighted_f1 == 0.25
    assert found.figures["emorynlp"].low is None
    low, high = found.figures["meld"].low, found.figures["meld"].high
    assert low is not None
    assert high is not None
    assert 0 <= low < high <= 1
    finish(cell, sources={"meld": scores})
    with pytest.raises(ArtefactError, match="holds no scores of emorynlp"):
        harvest(cell)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"format": 1}', '{"format": 9}'])
def test_a_damaged_result_is_named(text: str, tmp_path: Path) -> None:
    [cell] = cells(tmp_path, rows=("full",))
    path = Results(tmp_path).path(cell.table, cell.name)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=str(path)):
        Results(tmp_path).read(cell)


def test_a_report_without_scores_is_named(tmp_path: Path) -> None:
    [cell] = cells(tmp_path, rows=("full",))
    finish(cell)
    (cell.folder / "report.json").write_text('{"provenance": {}}', encoding="utf-8")
    with pytest.raises(ArtefactError, match="lacks 'scores'"):
        harvest(cell)


def test_a_launcher_is_handed_the_command_line(tmp_path: Path) -> None:
    script = tmp_path / "launch.py"
    script.write_text(
        "import json, pathlib, sys\npathlib.Path(sys.argv[1]).write_text(json.dumps(sys.argv[2:]))\n", encoding="utf-8"
    )
    [cell] = cells(tmp_path, rows=("full",))
    outcome = bring([cell], tmp_path, launcher=[sys.executable, str(script), str(tmp_path / "words.json")])
    assert outcome.handed == ["full-meld-42"]
    assert json.loads((tmp_path / "words.json").read_text(encoding="utf-8")) == cell.command()


@pytest.mark.parametrize(
    ("launcher", "reason"),
    [([sys.executable, "-c", "exit(3)"], "ended with exit code 3"), (["/no/such/program"], "cannot be started")],
)
def test_a_launcher_that_fails_is_the_fault_of_its_cell(tmp_path: Path, launcher: list[str], reason: str) -> None:
    outcome = bring(cells(tmp_path, rows=("full",)), tmp_path, launcher=launcher)
    assert reason in outcome.failed["full-meld-42"]


def test_data_that_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "meld").mkdir()
    both = Request(corpora=("meld", "emorynlp"), values=("1",), rows=("ratio", "single"), data=tmp_path)
    found = {cell.name: absent_data(cell) for cell in expand(read_table("unified"), both)}
    assert found == {
        "ratio-meld+emorynlp-1-42": [tmp_path / "emorynlp"],
        "single-meld-1-42": [],
        "single-emorynlp-1-42": [tmp_path / "emorynlp"],
    }
    [cell] = cells(tmp_path, rows=("full",))
    [folder] = absent_data(cell)
    assert folder.name == "meld"
    assert absent_data(replace(cell, overrides={"data.corpus": "sample"})) == []
