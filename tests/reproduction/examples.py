"""A small table, and run folders as finished runs leave them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from instructerc.evaluation import Interval, evaluate
from instructerc.reporting import Report
from instructerc.reproduction.grid import Cell
from instructerc.reproduction.reading import read_table
from instructerc.reproduction.results import CellResult, Figure
from instructerc.reproduction.table import Table

TABLE = """
title: Small
source: Table 1
backbone: llama2-7b
corpora: [meld, emorynlp]
runs: 3
note: A note.
settings: {training.epochs: 1}
published: {training.epochs: 15}
shows: [copy rate]
axis:
  title: fraction
  scale: log
  values:
    "1": {data.fraction: 1.0}
    "1/2": {data.fraction: 0.5}
rows:
  - {name: other, title: Other system, reported: {meld: ["38.6", null]}}
  - name: single
    overrides: {}
    reported: {meld: [69.15 ± .08, 67.54], emorynlp: [41.37, 39.65]}
  - name: mix
    mixture: true
    overrides: {data.unify: released, data.leaks: published}
    marks: ["leaks: published"]
"""


def write_table(folder: Path, text: str = TABLE) -> Path:
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def small_table(folder: Path, text: str = TABLE) -> Table:
    return read_table(str(write_table(folder, text)))


def finish(cell: Cell, *, right: int = 3, provenance: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Leaves what a finished run leaves: `right` of four turns are recognised."""
    cell.folder.mkdir(parents=True, exist_ok=True)
    (cell.folder / "recipe.yaml").write_text(cell.resolve().to_yaml(), encoding="utf-8")
    golds = ["joy", "anger", "joy", "anger"]
    answers = [*golds[:right], *(["neutral"] * (4 - right))]
    scores = evaluate(golds=golds, predictions=answers, labels=["joy", "anger", "neutral"])
    interval = Interval(
        metric="weighted_f1", estimate=0.7, low=0.5, high=0.9, confidence=0.95, samples=10, unit="turns"
    )
    report = Report(
        title="x",
        scores={"test": scores},
        intervals={"test": interval},
        provenance={"Run": {"training seconds": 50.0, "seconds in all": 20.0, "revision": "abc"}, **(provenance or {})},
    )
    record = {**report.to_json(), **more}
    (cell.folder / "report.json").write_text(json.dumps(record), encoding="utf-8")


def result(
    row: str,
    figures: Mapping[str, float],
    *,
    seed: int = 1,
    value: str = "1",
    corpora: Sequence[str] = ("meld",),
    **more: Any,
) -> CellResult:
    """A result with these weighted F1s, by corpus, fractions."""
    measured = {
        corpus: Figure(weighted_f1=figure, macro_f1=0.5, accuracy=0.5, turns=4, low=figure - 0.1, high=figure + 0.1)
        for corpus, figure in figures.items()
    }
    values = {"key": f"{row}{seed}{value}", "setting": {"seed": seed}, "seconds": 600.0, "passes": 100.0, **more}
    return CellResult(
        table="small", row=row, corpora=tuple(corpora), value=value, seed=seed, figures=measured, **values
    )
