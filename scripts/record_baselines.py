"""Keeps the figures of `instructerc baselines … --out FOLDER` as small files, which docs/baselines.md is made from.

python scripts/record_baselines.py FOLDER --command COMMAND [--suffix -1] [--note NOTE]

Writes benchmarks/results/baselines/CORPUS-NAME[SUFFIX].json for each baseline in the folder;
`python scripts/baselines_table.py` then writes the table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "baselines"


def record(folder: Path, *, command: str, suffix: str = "", note: str = "", results: Path = RESULTS) -> list[Path]:
    """Writes the files of a folder of results, and names them."""
    summary = json.loads((folder / "baselines.json").read_text(encoding="utf-8"))
    shared = {key: summary[key] for key in ("corpus", "split", "notices", "machine", "versions")}
    results.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figures in summary["baselines"].items():
        path = results / f"{summary['corpus']}-{name}{suffix}.json"
        content = {"baseline": name, **figures, **shared, "command": command, "note": note}
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--command", required=True)
    parser.add_argument("--suffix", default="")
    parser.add_argument("--note", default="")
    given = parser.parse_args()
    for path in record(given.folder, command=given.command, suffix=given.suffix, note=given.note):
        print(path)


if __name__ == "__main__":
    main()
