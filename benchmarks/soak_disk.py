"""Whatever a full disk stops, a resume ends as if nothing had: quotas and a file system without room.

python benchmarks/soak_disk.py [--quotas 12] [--json benchmarks/results/soak-disk.json]

Trains the tiny Llama in two stages, once with room enough. Then again where the system lets no file become larger than
a drawn size, and, by root, in a file system in memory that is too small. Each ends with an error of ours and is resumed
with room enough; weights, predictions, scores and curves are compared with those of the first run.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from measuring import Column, finish, parser_of
from soak_training import outcome, recipe, require_same, run

COLUMNS = (
    Column("number", "try"),
    Column("room", "room"),
    Column("said", "what it said"),
    Column("outcome", "after a resume with room"),
)


def first_try(path: Path, out: Path, quota: int | None = None) -> tuple[int, str]:
    """A run that may find no room; its exit status and the last line that it said."""
    before = None if quota is None else partial(resource.setrlimit, resource.RLIMIT_FSIZE, (quota, quota))
    ended = subprocess.run(run(path, out), preexec_fn=before, capture_output=True, text=True, check=False)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    return ended.returncode, lines[-1].removeprefix("error: ") if lines else ""


def compared(path: Path, out: Path, expected: dict[str, Any]) -> str:
    """Resumes; ends this program where anything differs."""
    subprocess.run(run(path, out), check=True, capture_output=True)
    require_same(out, expected, str(out))
    return "weights, predictions and figures equal"


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a try."""
    parser = parser_of(__doc__)
    parser.add_argument("--quotas", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    draw = random.Random(given.seed)
    rows: list[dict[str, Any]] = []

    def add(room: str, said: str, after: str, out: Path) -> None:
        said = said.replace(str(out), "RUN")
        if "should not happen" in said or not said:
            raise SystemExit(f"{room}: ended with an error that nobody foresaw: {said}")
        rows.append({"number": len(rows) + 1, "room": room, "said": said, "outcome": after})
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as folder:
        path = recipe(Path(folder))
        subprocess.run(run(path, Path(folder) / "whole"), check=True, capture_output=True)
        expected = outcome(Path(folder) / "whole")
        while len(rows) < given.quotas:
            out, size = Path(folder) / f"quota-{len(rows)}", round(2 ** draw.uniform(10, 18.6))
            status, said = first_try(path, out, size)
            if status:  # else the quota was enough
                add(f"files of at most {size:,} bytes", said, compared(path, out, expected), out)
            shutil.rmtree(out, ignore_errors=True)
        mount = Path(folder) / "small"
        mount.mkdir()
        for kib in (200, 400, 700):
            command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(mount)]
            if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
                print("no file system could be mounted: left out", file=sys.stderr)
                break
            try:
                status, said = first_try(path, mount / "run")
                moved = Path(folder) / f"moved-{kib}"
                shutil.copytree(mount / "run", moved)
            finally:
                subprocess.run(["umount", str(mount)], check=True)
            if status:
                add(
                    f"a file system of {kib} KiB",
                    said.replace(str(mount / "run"), "RUN"),
                    compared(path, moved, expected),
                    moved,
                )
    finish(given, argv, COLUMNS, rows)


if __name__ == "__main__":
    main()
