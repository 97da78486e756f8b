"""Writes the README's table of results from benchmarks/results; with --check only says whether it is current."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages import between

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
START, END = "<!-- results: written by scripts/results_table.py -->", "<!-- end of results -->"
SMALL_START, SMALL_END = "<!-- small: written by scripts/results_table.py -->", "<!-- end of small -->"


@dataclass(frozen=True, slots=True)
class Best:
    """What the best small model of a corpus was measured at, and the best that was published.

    Attributes:
        title: Corpus and metric.
        corpus: Name of the corpus.
        name: That of the try in `benchmarks/results/small`.
        metric: Key of its result file.
        published: The best published figure of a text-only model below 100 million parameters, and whose it is.
        command: The last command that made it.
    """

    title: str
    corpus: str
    name: str
    metric: str
    published: str
    command: str


BEST = (
    Best(
        title="MELD, W-F1",
        corpus="meld",
        name="begun",
        metric="test",
        published="60.84 (BiERU)",
        command="instructerc run encoder --set training.epochs=2 --set training.start=runs/friends --seeds 1,2,3",
    ),
    Best(
        title="EmoryNLP, W-F1",
        corpus="emorynlp",
        name="begun-decision",
        metric="test",
        published="34.39 (KET)",
        command="instructerc run encoder --set data.corpus=emorynlp --set training.epochs=2 "
        "--set training.start=runs/friends --set recognition.decision=weighted-f1 --seeds 1,2,3",
    ),
    Best(
        title="DailyDialog, micro F1 without neutral",
        corpus="dailydialog",
        name="turns-dailydialog",
        metric="micro_without_neutral",
        published="57.75 (SentEmoContext)",
        command="instructerc run turns-dailydialog --seeds 1,2,3",
    ),
)


def figure(values: Sequence[float]) -> str:
    """A fraction, or the mean and deviation of several, times 100."""
    mean = 100 * statistics.mean(values)
    return f"{mean:.2f} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else f"{mean:.2f}"


def minutes(seconds: float) -> str:
    """Wall time for people."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def lines_of(record: dict[str, Any]) -> list[str]:
    """The rows of one experiment: the model, then its baselines."""
    runs = record["runs"]
    seconds = statistics.mean(run["provenance"]["Run"]["seconds in all"] for run in runs)
    peak = max(run["provenance"]["Run"]["peak memory MiB"] or 0 for run in runs)
    seeds = ", ".join(str(run["provenance"]["Method"]["seed"]) for run in runs)
    own = figure([run["weighted_f1"] for run in runs])
    if len(runs) == 1 and runs[0]["interval"]:
        interval = runs[0]["interval"]
        own += f" ({100 * interval['low']:.2f} to {100 * interval['high']:.2f})"
    title = f"{record['title']}, seed{'s' if len(runs) > 1 else ''} {seeds}"
    rows = [f"| {title} | **{own}** | {minutes(seconds)} | {peak:,} MiB | `{record['command']}` |"]
    rows += [
        f"| — {name} | {100 * value:.2f} | | | computed in the same run |"
        for name, value in runs[0]["baselines"].items()
    ]
    return rows


def table() -> str:
    """The whole table, and the notes under it."""
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    records = [file for file in files if "runs" in file]  # the others are those of docs/benchmarks.md
    head = ["| | W-F1 | wall time | peak memory | command |", "|---|---|---|---|---|"]
    rows = [line for record in records for line in lines_of(record)]
    notes = [f"{record['title']}: {record['note']}" for record in records if record["note"]]
    return "\n".join([*head, *rows, *(f"\n{note}" for note in notes)])


def small_row(best: Best) -> str:
    """The row of a corpus, over the seeds of the try."""
    files = sorted((RESULTS / "small").glob(f"{best.name}-{best.corpus}-*.json"))
    records = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    seeds = ", ".join(str(record["seed"]) for record in records)
    own = figure([record[best.metric] for record in records])
    return f"| {best.title} | **{own}** | {best.published} | {seeds} | `{best.command}` |"


def small_table() -> str:
    """What the small models of docs/small_models.md were measured at."""
    head = [
        "| | 22 million parameters | published, below 100 million | seeds | last command |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(small_row, BEST)])


def main() -> None:
    """Writes the tables between their marks, or checks them."""
    text = README.read_text(encoding="utf-8")
    current = between(text, START, END, table())
    current = between(current, SMALL_START, SMALL_END, small_table())
    if "--check" in sys.argv[1:]:
        sys.exit(0 if current == text else "the README's results are out of date: run `make docs`")
    README.write_text(current, encoding="utf-8")


if __name__ == "__main__":
    main()
