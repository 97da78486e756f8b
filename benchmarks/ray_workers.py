"""Turns a second on a Ray cluster of this machine, with one worker and with more, and the same output from each.

python benchmarks/ray_workers.py [--turns 3000] [--workers 1 2] [--json benchmarks/results/ray-workers.json]

Conversations of the bundled corpus in eight files, by the model that ships, a core a worker. The speed is that of the
seconds from the first partition that is done to the last, without Ray's own start and the loading of models. *One
process* labels the same partitions one after the other.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from instructerc.corpora import load_corpus
from instructerc.corpora.jsonl import write_jsonl
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.scale.labelling import Done, label_partition
from instructerc.scale.partitions import partitions
from instructerc.scale.ray_engine import ScaleSettings, label_with_ray
from measuring import Column, finish, parser_of, use_threads

FILES = 8
COLUMNS = (
    Column("workers", "workers"),
    Column("turns", "turns", ","),
    Column("seconds", "in all", ".1f", " s"),
    Column("working", "from the first partition to the last", ".1f", " s"),
    Column("speed", "turns a second meanwhile", ".1f"),
    Column("same", "output"),
)


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a number of workers."""
    parser = parser_of(__doc__)
    parser.add_argument("--turns", type=int, default=3000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args(argv)
    use_threads(given.threads)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    chats = load_corpus("sample").train
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        source, alone = Path(folder) / "in", Path(folder) / "alone"
        number = turns = 0
        for file in range(FILES):
            part = []
            while turns < given.turns * (file + 1) / FILES:
                part.append(replace(chats[number % len(chats)], id=f"chat-{number}"))
                turns, number = turns + len(part[-1]), number + 1
            write_jsonl(source / f"part-{file}.jsonl", part)
        recognizer = EmotionRecognizer.from_pretrained("embedded", device="cpu")
        began = time.monotonic()
        for part_ in partitions(str(source), size=2**20):
            label_partition(recognizer, part_, str(alone))
        seconds = time.monotonic() - began
        row = {"workers": "one process", "turns": turns, "seconds": seconds, "working": seconds, "same": ""}
        rows.append({**row, "speed": turns / seconds})
        for workers in given.workers:
            out = Path(folder) / f"out-{workers}"
            moments: list[tuple[float, int]] = []

            def told(done: Done, moments: list[tuple[float, int]] = moments) -> None:
                moments.append((time.monotonic(), done.turns))

            began = time.monotonic()
            label_with_ray(str(source), str(out), ScaleSettings(model="embedded", workers=workers), progress=told)
            working = moments[-1][0] - moments[0][0]
            rows.append(
                {
                    "workers": str(workers),
                    "turns": turns,
                    "seconds": time.monotonic() - began,
                    "working": working,
                    "speed": sum(count for _, count in moments[1:]) / working,
                    "same": "that of one process" if files(out) == files(alone) else "ANOTHER",
                }
            )
    finish(given, argv, COLUMNS, rows)


if __name__ == "__main__":
    main()
