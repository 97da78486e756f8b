"""100,000 turns through `instructerc predict`, and the memory that it takes meanwhile.

python benchmarks/many_turns.py [--turns 100000] [--json benchmarks/results/many-turns.json]

Conversations of the bundled corpus under new names, with the model that ships. Resident memory of the process is read
every few seconds; rows and seconds are those of the whole command, start included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from instructerc.corpora import load_corpus
from measuring import Column, finish, memory, parser_of

COLUMNS = (
    Column("part", "rows written"),
    Column("seconds", "after", ",.0f", " s"),
    Column("memory", "memory", ",.0f", " MiB"),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a tenth."""
    parser = parser_of(__doc__)
    parser.add_argument("--turns", type=int, default=100_000)
    given = parser.parse_args(argv)
    chats = load_corpus("sample").train
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "chats.jsonl", Path(folder) / "out.jsonl"
        turns = number = 0
        with source.open("w", encoding="utf-8") as file:
            while turns < given.turns:
                chat = chats[number % len(chats)]
                file.write(json.dumps({**chat.to_json(), "id": f"{chat.id}-{number}"}) + "\n")
                turns, number = turns + len(chat), number + 1
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "instructerc", "predict", str(source), "--out", str(out)],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": str(given.threads)},
        )
        samples: list[tuple[float, int, float]] = []
        while process.poll() is None:
            time.sleep(5)
            found = memory(process.pid)
            if found is not None:
                size = out.stat().st_size if out.exists() else 0
                samples.append((time.monotonic() - began, size, found))
                print(f"{samples[-1][0]:.0f} s, {size / 2**20:.1f} MiB written, {found:.0f} MiB", flush=True)
        seconds = time.monotonic() - began
        assert process.returncode == 0
        rows = out.read_bytes().count(b"\n")
        end = out.stat().st_size
    assert rows == turns
    table = []
    for part in range(1, 11):
        after, _, level = next((sample for sample in samples if sample[1] >= end * part / 10), samples[-1])
        table.append({"part": f"{10 * part} %", "seconds": after, "memory": level})
    notes = [
        f"{turns:,} turns of {number:,} conversations in {seconds:,.0f} s: {turns / seconds:.1f} a second",
        f"most memory at any time: {max(level for _, _, level in samples):,.0f} MiB",
    ]
    finish(given, argv, COLUMNS, table, notes=notes)


if __name__ == "__main__":
    main()
