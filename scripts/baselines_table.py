"""Writes the table of docs/baselines.md from benchmarks/results/baselines; with --check says whether it is current.

`python scripts/record_baselines.py` keeps what the table is made from.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pages import between, write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "baselines.md"
RESULTS = ROOT / "benchmarks" / "results" / "baselines"
START, END = "<!-- results: written by scripts/baselines_table.py -->", "<!-- end of results -->"

HEAD = (
    "| corpus | baseline | W-F1 | 95 % interval | macro F1 | accuracy | processor | command |",
    "|---|---|---:|---|---:|---:|---:|---|",
)

ORDER = ("majority", "tfidf", "embedding-nearest", "embedding-logistic", "encoder")


def percent(fraction: float) -> str:
    """A fraction times 100."""
    return f"{100 * fraction:.2f}"


def line_of(record: dict[str, Any]) -> str:
    """The row of one file."""
    interval = record["interval"]
    figures = (percent(record["macro_f1"]), percent(record["accuracy"]), f"{record['processor_seconds']:.0f} s")
    cells = (
        record["corpus"],
        f"`{record['baseline']}`",
        percent(record["weighted_f1"]),
        f"{percent(interval['low'])} to {percent(interval['high'])}",
        *figures,
        f"`{record['command']}`",
    )
    return f"| {' | '.join(cells)} |"


def table(results: Path = RESULTS) -> str:
    """The whole table, and the notes under it."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    records.sort(key=lambda record: (record["corpus"], ORDER.index(record["baseline"])))
    notes = dict.fromkeys(f"{record['note']}" for record in records if record["note"])
    return "\n".join([*HEAD, *map(line_of, records), *(f"\n{note}" for note in notes)])


def page(text: str) -> str:
    """The page with its table renewed."""
    return between(text, START, END, table())


def main(arguments: list[str]) -> int:
    """Writes or checks the page; returns the exit status."""
    text = page(PAGE.read_text(encoding="utf-8"))
    return write_or_check(PAGE, text, arguments, source="benchmarks/results/baselines")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
