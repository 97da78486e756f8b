"""Cells that are done are not run again, and one that fails does not stop the others."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
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
from instructerc.reproduction.lines import lines_of
from instructerc.reproduction.overview import cost_of
from instructerc.reproduction.reading import read_table
from instructerc.reproduction.results import Results, harvest
from instructerc.reproduction.running import Outcome, absent_data, run_missing, status_of
from tests.reproduction.examples import finish, small_table


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
    finish(cell)
    with pytest.raises(ArtefactError, match=r"holds no scores where the cell learns from meld, emorynlp"):
        harvest(cell)


MIXTURE = "rows: [{name: mix, mixture: true, overrides: {data.unify: released}}]\n"


def cell_of(folder: Path, corpora: str, rows: str = MIXTURE) -> Cell:
    [cell] = expand(small_table(folder, f"corpora: {corpora}\n{rows}"), Request(out=folder / "runs"))
    return cell


def finish_mixture(cell: Cell, figures: Mapping[str, float]) -> None:
    """Leaves a report with these weighted F1s, by the corpora's names in the run; the headline is that of `finish`."""
    finish(cell)
    scores = json.loads((cell.folder / "report.json").read_text(encoding="utf-8"))["scores"]["test"]
    finish(cell, sources={name: {**scores, "weighted_f1": figure} for name, figure in figures.items()})


def measured(cell: Cell) -> dict[str, float]:
    return {corpus: figure.weighted_f1 for corpus, figure in harvest(cell).figures.items()}


@pytest.mark.parametrize(
    ("corpora", "sources"),
    [
        ("{second: HERE/first, first: HERE/second}", ("first", "second")),
        ("{a: HERE/first/, b: HERE/calls.csv}", ("first", "calls")),
        ("{a: meld-cosmic, b: HERE/calls.v2}", ("meld-cosmic", "calls.v2")),
        ("{a: ours=HERE/first, b: meld=HERE/second}", ("ours", "meld")),
        ("{a: /elsewhere/calls.v2, b: /elsewhere/more.csv}", ("calls.v2", "more")),
    ],
)
def test_figures_of_a_mixture_go_to_the_corpora_that_the_table_calls_otherwise(
    tmp_path: Path, corpora: str, sources: tuple[str, str]
) -> None:
    for name in ("first", "second", "calls.v2"):
        (tmp_path / name).mkdir()
    (tmp_path / "calls.csv").touch()
    cell = cell_of(tmp_path, corpora.replace("HERE", str(tmp_path)))
    finish_mixture(cell, dict(zip(sources, (0.25, 0.75), strict=True)))
    assert measured(cell) == dict(zip(cell.corpora, (0.25, 0.75), strict=True))


def test_an_interval_is_that_of_the_corpus_in_the_run(tmp_path: Path) -> None:
    cell = cell_of(tmp_path, "{second: /data/first, first: /data/second}")
    finish_mixture(cell, {"first": 1.0, "second": 0.5})
    rows = [
        TurnPrediction(conversation=f"{name}:{number}", turn=0, emotion="joy", gold=gold)
        for name, golds in (("first", ["joy"] * 4), ("second", ["joy", "anger"] * 2))
        for number, gold in enumerate(golds)
    ]
    with PredictionWriter(cell.folder / "predictions.jsonl", expected_rows={row.conversation: 1 for row in rows}) as to:
        for row in rows:
            to.append([row])
    found = harvest(cell).figures
    assert (found["second"].low, found["second"].high) == (1, 1)
    assert found["first"].low is not None
    assert found["first"].low < 1


@pytest.mark.parametrize("rows", [MIXTURE, "rows: [{name: one, overrides: {data.unify: released}}]\n"])
@pytest.mark.parametrize("sources", [{"first": 0.25}, {}])
def test_one_corpus_under_unified_labels_has_the_headline(tmp_path: Path, rows: str, sources: dict[str, float]) -> None:
    cell = cell_of(tmp_path, "{mine: /data/first}", rows)
    finish_mixture(cell, sources)
    [figure] = harvest(cell).figures.values()
    headline = json.loads((cell.folder / "report.json").read_text(encoding="utf-8"))["scores"]["test"]["weighted_f1"]
    assert (figure.weighted_f1, figure.low, figure.high) == (headline, 0.5, 0.9)


def test_a_corpus_without_labels_to_measure_by_is_missing_with_the_reason(tmp_path: Path) -> None:
    cell = cell_of(tmp_path, "{a: /data/first, b: /data/second}")
    finish_mixture(cell, {"second": 0.75})
    results = Results(tmp_path / "results")
    assert bring([cell], tmp_path).skipped == [cell.name]
    found = results.read(cell)
    assert found == harvest(cell)
    assert found is not None
    assert found.unmeasured == {"a": "nothing measured: no labelled turn in test"}
    assert {corpus: figure.weighted_f1 for corpus, figure in found.figures.items()} == {"b": 0.75}
    again = status_of(cell_of(tmp_path, "{x: /data/first, y: /data/second}"), results)
    assert (again.state, again.result) == ("same run", found.of(again.cell))
    assert again.result is not None
    assert (list(again.result.figures), list(again.result.unmeasured)) == (["y"], ["x"])


def test_a_report_of_other_corpora_is_not_taken(tmp_path: Path) -> None:
    cell = cell_of(tmp_path, "{a: /data/first, b: /data/second}")
    finish_mixture(cell, {"first": 0.25, "third": 0.75})
    with pytest.raises(ArtefactError, match="holds scores of first, third where the cell learns from first, second"):
        harvest(cell)


def test_results_that_know_of_nothing_unmeasured_are_read(tmp_path: Path) -> None:
    [cell] = cells(tmp_path, rows=("full",))
    finish(cell)
    results = Results(tmp_path / "results")
    path = results.write(cell, harvest(cell))
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["unmeasured"]
    path.write_text(json.dumps(record), encoding="utf-8")
    assert results.read(cell) == harvest(cell)


def test_marks_of_a_row_stay_with_the_row(tmp_path: Path) -> None:
    text = (
        "corpora: [meld]\nrows: [{name: a, marks: [mine], overrides: {}}, {name: b, marks: [other], overrides: {}}]\n"
    )
    table, request = small_table(tmp_path, text), Request(out=tmp_path)
    first, second = expand(table, request)
    finish(first, marks=["oracle demonstrations"])
    assert bring([first, second], tmp_path).skipped == ["a-meld-42", "b-meld-42"]
    found = Results(tmp_path / "results").of_table("small")
    assert [result.marks for result in found] == [("oracle demonstrations",)] * 2
    lines = lines_of(table, request, found)
    assert [line.marks for line in lines] == [("mine", "oracle demonstrations"), ("other", "oracle demonstrations")]


@pytest.mark.parametrize("text", ["", "{", "{}", '{"format": 1}', '{"format": 9}'])
def test_a_damaged_result_is_named(text: str, tmp_path: Path) -> None:
    [cell] = cells(tmp_path, rows=("full",))
    path = Results(tmp_path).path(cell.table, cell.name)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=str(path)):
        Results(tmp_path).read(cell)


@pytest.mark.parametrize("text", ["{", "[1]", '{"format": 9}', '{"metric": 0.5}'])
def test_files_that_are_no_results_do_not_stop_other_tables(tmp_path: Path, text: str) -> None:
    [cell] = cells(tmp_path, rows=("full",))
    finish(cell)
    results = Results(tmp_path / "results")
    results.write(cell, harvest(cell))
    foreign = results.path("aaa", "notes")
    foreign.parent.mkdir()
    foreign.write_text(text, encoding="utf-8")
    [other] = cells(tmp_path, "alpha", values=("0.1",))
    statuses = [status_of(other, results)]
    assert [status.state for status in statuses] == ["same run"]
    assert cost_of(statuses, results) == (0, 0, True)
    with pytest.raises(ArtefactError, match=str(foreign)):
        results.of_table("aaa")


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


def test_what_a_launcher_prints_is_no_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bring(cells(tmp_path, rows=("full",)), tmp_path, launcher=[sys.executable, "-c", "print('queued')"])
    assert tuple(capfd.readouterr()) == ("", "queued\n")


def test_a_launcher_is_handed_cells_of_the_same_run_once(tmp_path: Path) -> None:
    code = f"import sys; open({str(tmp_path / 'queue')!r}, 'a').write(sys.argv[-2] + '\\n')"
    found = cells(tmp_path, rows=("full", "without-both", "without-lora"))
    outcome = bring(found, tmp_path, launcher=[sys.executable, "-c", code])
    assert outcome.handed == ["full-meld-42", "without-both-meld-42", "without-lora-meld-42"]
    queue = (tmp_path / "queue").read_text(encoding="utf-8").split()
    assert queue == [str(cell.folder) for cell in found[:2]]


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
