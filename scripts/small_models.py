"""Writes the tables of docs/small_models.md from benchmarks/results/small; with --check says whether they are current.

`python scripts/record_try.py` keeps what the tables are made from. Of a try, all seeds are one row: means and sample
deviations. Rows stand in the order of validation, which is what chooses; test figures choose nothing.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pages import between, write_or_check
from results_table import figure

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "small_models.md"
RESULTS = ROOT / "benchmarks" / "results" / "small"
START, END = "<!-- results: written by scripts/small_models.py -->", "<!-- end of results -->"

CORPORA = {"meld": "MELD", "emorynlp": "EmoryNLP", "dailydialog": "DailyDialog", "meld+emorynlp": "MELD and EmoryNLP"}
MICRO = ("dailydialog",)
"""Corpora that are reported in micro F1 without the neutral class."""

Records = Sequence[dict[str, Any]]


def row_of(records: Records) -> str:
    """All seeds of a try."""
    first = records[0]
    cells = [
        first["what"] + (f" ({first['note']})" if first["note"] else ""),
        figure([record["validation"] for record in records]),
        figure([record["test"] for record in records]),
        *([figure([record["micro_without_neutral"] for record in records])] if first["corpus"] in MICRO else []),
        ", ".join(str(record["seed"]) for record in records),
        f"{statistics.mean(record['minutes'] for record in records):.0f} min",
        f"`{first['name']}`",
    ]
    return f"| {' | '.join(cells)} |"


def section(corpus: str, records: Records) -> str:
    """The table of a corpus, best by validation first."""
    micro = ["test, micro F1 without neutral"] if corpus in MICRO else []
    heads = ["tried", "validation W-F1", "test W-F1", *micro, "seeds", "a training", "name"]
    tries: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        tries.setdefault(record["name"], []).append(record)
    rows = sorted(tries.values(), key=lambda found: -statistics.mean(record["validation"] for record in found))
    rule = "|".join(["---", *("---:" for _ in heads[1:-3]), "---", "---:", "---"])
    return "\n".join([f"### {CORPORA[corpus]}\n", f"| {' | '.join(heads)} |", f"|{rule}|", *map(row_of, rows)])


def tables(results: Path = RESULTS) -> str:
    """A table a corpus."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    records.sort(key=lambda record: record["seed"])
    by_corpus = {name: [record for record in records if record["corpus"] == name] for name in CORPORA}
    return "\n\n".join(section(name, found) for name, found in by_corpus.items() if found)


def page(text: str) -> str:
    """The page with its tables renewed."""
    return between(text, START, END, tables())


def main(arguments: Sequence[str]) -> int:
    """Writes or checks; the exit status says whether the page is current."""
    text = page(PAGE.read_text(encoding="utf-8"))
    return write_or_check(PAGE, text, arguments, source="benchmarks/results/small")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
