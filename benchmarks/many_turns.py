"""100,000 turns through `instructerc predict`, and the memory that it takes meanwhile.

python benchmarks/many_turns.py [--turns 100000] [--json benchmarks/results/many-turns.json]

Conversations of the bundled corpus under new names, with the model that ships. Resident memory of the process is read
every few seconds; rows and seconds are those of the whole command, start included.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from instructerc.corpora import load_corpus


def memory(process: int) -> float | None:
    """Resident memory of a process, in MiB; None where it has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return None if found is None else int(found[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
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
            [sys.executable, "-m", "instructerc", "predict", str(source), "--out", str(out)], stderr=subprocess.DEVNULL
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
    assert rows == turns
    levels = [level for _, size, level in samples if size]
    tenths = [round(levels[len(levels) * part // 10]) for part in range(10)] + [round(levels[-1])]
    record = {
        "turns": turns,
        "conversations": number,
        "seconds": round(seconds, 1),
        "turns a second": round(turns / seconds, 1),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "memory MiB by tenths of the rows": tenths,
    }
    text = json.dumps(record, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
