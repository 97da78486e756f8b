"""Keeps the figures of finished runs that try to make a small model better, one small file each.

python scripts/record_try.py NAME RUN_FOLDER [RUN_FOLDER …] --what WHAT [--note NOTE]

The file is benchmarks/results/small/NAME-CORPUS-SEED.json. `python scripts/small_models.py` makes the tables of
docs/small_models.md from them, over seeds; what was tried and did not help stays among them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from record_result import RESULTS, row_of

FOLDER = RESULTS / "small"


PLACES = ("output.folder", "data.folder", "training.start", "training.teachers")
"""Keys that name a place on one machine; what a training began with is in the report, by its hash."""


def recipe_of(folder: Path) -> dict[str, Any]:
    """Every effective value of a run's recipe by its path, but for places."""
    from instructerc.experiments.documents import read_value
    from instructerc.experiments.rules import flat_values

    values = flat_values(read_value((folder / "recipe.yaml").read_text(encoding="utf-8")))
    return {path: value for path, value in values.items() if path not in PLACES}


def record_of(folder: Path, name: str, what: str, note: str) -> dict[str, Any]:
    """A run's figures, its recipe, and what was tried with it."""
    run = row_of(folder)
    method, report = run["provenance"]["Method"], json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {
        "name": name,
        "what": what,
        "note": note,
        "corpus": run["provenance"]["Data"]["corpus"],
        "seed": method["seed"],
        "validation": max((value for _, value in run["validation"]), default=None),
        "test": run["weighted_f1"],
        "micro_without_neutral": report["scores"][run["split"]].get("micro_f1_without_neutral"),
        "minutes": run["provenance"]["Run"]["training seconds"] / 60,
        "recipe": recipe_of(folder),
        "run": run,
    }


def main() -> None:
    """Writes a file a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--what", required=True, help="what was tried, in a few words")
    parser.add_argument("--note", default="")
    parser.add_argument("--results", type=Path, default=FOLDER, help="where the files go")
    given = parser.parse_args()
    given.results.mkdir(parents=True, exist_ok=True)
    for folder in given.folders:
        record = record_of(folder, given.name, given.what, given.note)
        path = given.results / "{name}-{corpus}-{seed}.json".format(**record)
        path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
