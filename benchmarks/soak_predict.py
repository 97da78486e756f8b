"""Whatever kills `predict`, a rerun ends as if nothing had: kill -9 at random moments, and a byte for byte comparison.

python benchmarks/soak_predict.py [--kills 20] [--turns 1536] [--json benchmarks/results/soak-predict.json]

Labels conversations of the bundled corpus with the model that ships, once without interruption. Then again, killed at
moments drawn over all of that run's time, from starting Python to the last row; after each kill it is called once more,
and the file is compared with the first one.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from instructerc.corpora import load_corpus
from instructerc.corpora.jsonl import write_jsonl
from measuring import Column, finish, parser_of


def predict(source: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "instructerc", "predict", str(source), "--out", str(out)]


def rows(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


COLUMNS = (
    Column("number", "kill"),
    Column("second", "after", ".1f", " s"),
    Column("rows", "rows in the file"),
    Column("outcome", "after another call"),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a kill."""
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--turns", type=int, default=1536)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)

    chats = load_corpus("sample").train
    many = []
    while sum(map(len, many)) < given.turns:
        chat = chats[len(many) % len(chats)]
        many.append(replace(chat, id=f"{chat.id}-{len(many)}"))
    with tempfile.TemporaryDirectory() as folder:
        source = write_jsonl(Path(folder) / "chats.jsonl", many)
        whole, out = Path(folder) / "whole.jsonl", Path(folder) / "out.jsonl"
        began = time.monotonic()
        subprocess.run(predict(source, whole), check=True, capture_output=True)
        seconds = time.monotonic() - began
        draw = random.Random(given.seed)
        kills: list[dict[str, Any]] = []
        while len(kills) < given.kills:
            out.unlink(missing_ok=True)
            moment = draw.random() * seconds
            process = subprocess.Popen(predict(source, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(timeout=moment)
                continue  # it was faster than the first one, and there was nothing to kill
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
            kill = {"number": len(kills) + 1, "second": moment, "rows": rows(out)}
            subprocess.run(predict(source, out), check=True, capture_output=True)
            if out.read_bytes() != whole.read_bytes():
                raise SystemExit(f"kill {kill}: {out} is not {whole}: row {rows(out)} of {rows(whole)}")
            kills.append({**kill, "outcome": "equal, byte for byte"})
            print(kills[-1], flush=True)
        notes = [
            f"{rows(whole):,} rows, {seconds:.0f} s without interruption; moments are drawn over all of these seconds"
        ]
    finish(given, argv, COLUMNS, kills, notes=notes)


if __name__ == "__main__":
    main()
