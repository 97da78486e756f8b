"""Keeps the figures of finished runs as one small file, which the README's table is made from.

python scripts/record_result.py NAME RUN_FOLDER [RUN_FOLDER …] --title TITLE --command COMMAND [--note NOTE]

Several folders are the seeds of one experiment. `python scripts/results_table.py` then writes the table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def row_of(folder: Path) -> dict[str, Any]:
    """What a run's report says in a few figures."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    split = "test" if "test" in report["scores"] else next(iter(report["scores"]))
    scores = report["scores"][split]
    return {
        "split": split,
        "summary": report["summary"],
        "weighted_f1": scores["weighted_f1"],
        "macro_f1": scores["macro_f1"],
        "accuracy": scores["accuracy"],
        "interval": report["intervals"].get(split),
        "validation": report["curves"]["validation"],
        "baselines": {name: baseline["weighted_f1"] for name, baseline in report["baselines"].items()},
        "provenance": report["provenance"],
    }


def main() -> None:
    """Writes `benchmarks/results/NAME.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--title", required=True)
    parser.add_argument("--command", required=True)
    parser.add_argument("--note", default="")
    given = parser.parse_args()
    record = {
        "title": given.title,
        "command": given.command,
        "note": given.note,
        "runs": [row_of(folder) for folder in given.folders],
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{given.name}.json"
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
