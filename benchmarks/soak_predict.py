"""Whatever kills `predict`, a rerun ends as if nothing had: kill -9 at random moments, and a byte for byte comparison.

python benchmarks/soak_predict.py [--kills 20] [--turns 2048] [--json benchmarks/results/soak-predict.json]

Labels conversations of the bundled corpus with the model that ships, once without interruption. Then again, killed at
moments drawn over all of that run's time, from starting Python to the last row; after each kill it is run again on the
same file. Whenever it comes to its end the file is compared, and another one begun.
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


LOADING = 8.0
"""Seconds from starting Python to the first turn, about."""

COLUMNS = (
    Column("number", "kill"),
    Column("second", "after", ".1f", " s"),
    Column("before", "rows before"),
    Column("after", "rows after"),
    Column("outcome", "outcome"),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a kill."""
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--turns", type=int, default=2048)
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
        ends = 0
        while len(kills) < given.kills or out.exists():
            before = rows(out)
            process = subprocess.Popen(predict(source, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # Of a run that has less to do, as of the first one: anywhere between its first and its last second.
            left = 1 - before / rows(whole)
            moment = draw.random() * (LOADING + (seconds - LOADING) * left)
            killed = False
            if len(kills) < given.kills and before < rows(whole):  # of one that has all its rows, the end is due
                try:
                    process.wait(timeout=moment)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    killed = True
            process.wait()
            if killed:
                kills.append({"number": len(kills) + 1, "second": moment, "before": before, "after": rows(out)})
                print(kills[-1], flush=True)
                continue
            assert process.returncode == 0
            if out.read_bytes() != whole.read_bytes():
                raise SystemExit(f"{out} is not {whole}: row {rows(out)} of {rows(whole)}")
            ends += 1
            for kill in kills:
                kill.setdefault("outcome", f"end {ends}: equal, byte for byte")
            print(f"end {ends}: equal, {rows(out):,} rows", flush=True)
            out.unlink()
        notes = [
            f"{rows(whole):,} rows, {seconds:.0f} s without interruption; moments are drawn over all of these seconds",
            f"{len(kills)} kills, {ends} ends, each the file of the run that nobody killed",
        ]
    finish(given, argv, COLUMNS, kills, notes=notes)


if __name__ == "__main__":
    main()
