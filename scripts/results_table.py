"""Writes the README's table of results from benchmarks/results; with --check only says whether it is current."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
START, END = "<!-- results: written by scripts/results_table.py -->", "<!-- end of results -->"


def figure(values: list[float]) -> str:
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


def main() -> None:
    """Writes the table between its marks, or checks it."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    current = f"{before}{START}\n\n{table()}\n\n{END}{after}"
    if "--check" in sys.argv[1:]:
        sys.exit(0 if current == text else "the README's results are out of date: run `make docs`")
    README.write_text(current, encoding="utf-8")


if __name__ == "__main__":
    main()
