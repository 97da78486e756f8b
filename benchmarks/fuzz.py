"""Everything that reads, fed by a fuzzer that looks for new paths through our code.

python benchmarks/fuzz.py [--seconds 60] [--only NAME] [--json benchmarks/results/fuzz.json]

Needs atheris (`pip install atheris`), libFuzzer for Python. Each target of tests/hostile.py gets as many seconds,
begins with its right inputs, and may take 2 GiB and 20 seconds an input. Inputs that found something are printed in
base64.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from measuring import Column, finish, parser_of  # noqa: E402 — the tests' targets stand beside this folder

COLUMNS = (
    Column("name", "what reads"),
    Column("inputs", "inputs tried", ","),
    Column("seconds", "time", ".0f", " s"),
    Column("coverage", "edges of our code", ","),
    Column("outcome", "found"),
)


def measure(name: str, seconds: int) -> dict[str, Any]:
    """Fuzzes one target in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "benchmarks" / "fuzz_target.py"), name, str(seconds), folder]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
        found = [path for kind in ("crash", "timeout", "oom") for path in Path(folder).glob(f"{kind}-*")]
        for path in found:
            print(f"{name}: {path.name}: {base64.b64encode(path.read_bytes()).decode()}", file=sys.stderr)
    text = ended.stdout + ended.stderr
    if ended.returncode:
        print(text[-3000:], file=sys.stderr)
    stats = {key: re.findall(pattern, text) for key, pattern in PATTERNS.items()}
    return {
        "name": name,
        "inputs": int(stats["inputs"][-1]) if stats["inputs"] else None,
        "seconds": float(seconds),
        "coverage": int(stats["coverage"][-1]) if stats["coverage"] else None,
        "outcome": ", ".join(path.name.partition("-")[0] for path in found)
        or ("nothing" if not ended.returncode else "?"),
    }


PATTERNS = {"inputs": r"stat::number_of_executed_units:\s*(\d+)", "coverage": r"cov: (\d+)"}
"""What libFuzzer says at its end."""


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a target."""
    parser = parser_of(__doc__, threads=False)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", action="append")
    given = parser.parse_args(argv)
    from tests.hostile import TARGETS

    rows = []
    for name in given.only or TARGETS:
        rows.append(measure(name, given.seconds))
        print(rows[-1], flush=True)
    finish(given, argv, COLUMNS, rows)


if __name__ == "__main__":
    main()
