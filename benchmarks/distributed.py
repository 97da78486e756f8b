"""Several processes train as one does: the losses of both beside each other, and what a step takes.

python benchmarks/distributed.py [--processes 2] [--epochs 5] [--json benchmarks/results/distributed.json]

Trains a small Llama without dropout on the bundled corpus: in one process, in several with plain data parallelism by
torchrun and by accelerate, and, where DeepSpeed is installed, with ZeRO-2 and ZeRO-3. On a CPU they speak over gloo.
FSDP 2 by accelerate needs GPUs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from instructerc.testing import tiny_llama
from measuring import Column, finish, parser_of

COLUMNS = (
    Column("how", "how"),
    Column("processes", "processes"),
    Column("losses", "points of the loss curve"),
    Column("loss", "largest difference of a loss", ".1e"),
    Column("weight", "largest difference of a weight", ".1e"),
    Column("validation", "largest difference of validation W-F1", ".1e"),
    Column("step", "a step, validation in it", ".2f", " s"),
)


def train(folder: Path, llama: Path, epochs: int, *launch: str) -> None:
    changes = {"backbone.name": llama, "backbone.dtype": "float32", "data.limit": 40}
    changes |= {"training.epochs": epochs, "training.learning_rate": 2e-3}
    options = [text for key, value in changes.items() for text in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "instructerc", "run", "quickstart", "--out", str(folder), *options, *launch]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr)


def curve(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "curves.jsonl").read_text(encoding="utf-8").splitlines()]


def apart(found: Sequence[float], expected: Sequence[float]) -> float:
    return max(abs(first - second) for first, second in zip(found, expected, strict=True))


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row for each way to start a training."""
    parser = parser_of(__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)

    several = ("--processes", str(given.processes))
    ways: dict[str, tuple[str, ...]] = {
        "one process": (),
        "torchrun": ("--launch", "torchrun", *several),
        "accelerate": ("--launch", "accelerate", *several),
    }
    if importlib.util.find_spec("deepspeed") is not None:
        for name in ("zero2", "zero3"):
            ways[f"accelerate, {name}"] = ("--launch", "accelerate", "--strategy", name, *several)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        llama = tiny_llama(folder / "llama")
        for number, (how, launch) in enumerate(ways.items()):
            own = folder / str(number)
            train(own, llama, given.epochs, *launch)
            found, first = curve(own), curve(folder / "0")
            losses, expected = ([row["loss"] for row in part if "loss" in row] for part in (found, first))
            figures, others = (
                [row["validation"]["weighted_f1"] for row in part if "validation" in row] for part in (found, first)
            )
            tensors, before = (load_file(at / "model" / "parameters.safetensors") for at in (own, folder / "0"))
            seconds = json.loads((own / "run.json").read_text(encoding="utf-8"))["seconds"]
            rows.append(
                {
                    "how": how,
                    "processes": given.processes if launch else 1,
                    "losses": len(losses),
                    "loss": apart(losses, expected),
                    "weight": max(float((tensors[name] - before[name]).abs().max()) for name in before),
                    "validation": apart(figures, others),
                    "step": seconds / found[-1]["step"],
                }
            )
    finish(given, argv, COLUMNS, rows)


if __name__ == "__main__":
    main()
