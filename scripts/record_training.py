"""Keeps the figures of finished trainings that compare wordings and batches, one small file each.

python scripts/record_training.py RUN_FOLDER [RUN_FOLDER …]

The file is benchmarks/results/wording-CORPUS-WORDING-BATCHING-STEPS-SEED.json; the run's report decides its name.
`python scripts/benchmarks_page.py` makes the table of docs/benchmarks.md from them, over seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from record_result import RESULTS, row_of

STEPS = {"whole conversations": "conversations", "parts of conversations": "parts", "single examples": "examples"}
"""What the names of files call what a step is made of."""


def record_of(folder: Path) -> dict[str, Any]:
    """A run's figures, and what it is compared by."""
    run = row_of(folder)
    data, method = run["provenance"]["Data"], run["provenance"]["Method"]
    return {
        "corpus": data["corpus"],
        "wording": method["wording"],
        "batching": method["batching"],
        "steps": method["a step"],
        "window": method["window"],
        "seed": method["seed"],
        "run": run,
    }


def main() -> None:
    """Writes a file a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the files go")
    given = parser.parse_args()
    given.results.mkdir(parents=True, exist_ok=True)
    for folder in given.folders:
        record = record_of(folder)
        steps = next(name for words, name in STEPS.items() if words in record["steps"])
        path = (
            given.results / f"wording-{'{corpus}-{wording}-{batching}'.format(**record)}-{steps}-{record['seed']}.json"
        )
        path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
