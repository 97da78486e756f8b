"""Whatever kills a training, a rerun ends as if nothing had: kill -9 at random moments, weights compared bit for bit.

python benchmarks/soak_training.py [--kills 20] [--json benchmarks/results/soak-training.json]

A run of two stages (speaker identification, then recognition) of a tiny Llama, from reading data to the report: once
without interruption, then killed at moments drawn over all of that run's time and called again with `--resume` until it
ends. Its weights have to be the same bit for bit, its predictions byte for byte, its figures equal.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from instructerc.corpora.jsonl import write_jsonl
from instructerc.testing import TINY_LABELS, tiny_corpus, tiny_llama
from measuring import Column, finish, parser_of

COLUMNS = (
    Column("number", "kill"),
    Column("second", "after", ".1f", " s"),
    Column("where", "what was there"),
    Column("calls", "calls to the end"),
    Column("outcome", "outcome"),
)


def recipe(folder: Path) -> Path:
    """Written as JSON, which is YAML."""
    for split, chats in tiny_corpus().splits():
        write_jsonl(folder / "corpus" / f"{split}.jsonl", chats)
    path = folder / "tiny.yaml"
    values = {
        "name": "tiny",
        "data": {"corpus": str(folder / "corpus"), "labels": list(TINY_LABELS)},
        "backbone": {"name": str(tiny_llama(folder / "llama")), "dtype": "float32"},
        "adapter": {"method": "all"},
        "training": {"epochs": 12, "batch_size": 4, "learning_rate": 0.01, "precision": "float32", "tracking": []},
        "stages": [
            {"name": "identify", "tasks": {"speaker_identification": 1.0}},
            {"name": "recognise", "tasks": {"recognition": 1.0}},
        ],
        "evaluation": {"bootstrap": 50},
    }
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def run(path: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "instructerc", "run", str(path), "--set", f"output.folder={out}", "--resume"]


def outcome(out: Path) -> dict[str, Any]:
    """What has to be the same."""
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    weights = sorted(out.rglob("model/parameters.safetensors"))
    return {
        "weights": [hashlib.sha256(file.read_bytes()).hexdigest() for file in weights],
        "predictions": hashlib.sha256((out / "predictions.jsonl").read_bytes()).hexdigest(),
        "scores": report["scores"],
        "curves": report["curves"],
    }


def require_same(out: Path, expected: dict[str, Any], what: str) -> None:
    """Ends this program where a run came to something else than the one that nothing stopped."""
    found = outcome(out)
    wrong = [name for name in expected if found[name] != expected[name]]
    if wrong:
        raise SystemExit(f"{what}: {', '.join(wrong)} are others than those of the run that nothing stopped")


def where(out: Path) -> str:
    """How far a run is, by what lies in its folder."""
    for name, text in (("report.json", "a report"), ("predictions.jsonl", "predictions"), ("model", "a model")):
        if (out / name).exists():
            return text
    stages = sorted(path.name for path in (out / "stages").glob("*/model")) if (out / "stages").exists() else []
    steps = sorted(path.parent.name for path in out.rglob("complete"))
    return f"stage 1, {steps[-1]}" if steps and not stages else (steps[-1] if steps else "no checkpoint")


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a kill."""
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    draw = random.Random(given.seed)
    kills: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = recipe(Path(folder))
        began = time.monotonic()
        subprocess.run(run(path, Path(folder) / "whole"), check=True, capture_output=True)
        seconds = time.monotonic() - began
        expected = outcome(Path(folder) / "whole")
        while len(kills) < given.kills:
            out = Path(folder) / f"run-{len(kills)}"
            calls = 0
            killed: list[dict[str, Any]] = []
            while True:
                calls += 1
                process = subprocess.Popen(run(path, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                moment = draw.random() * seconds
                try:
                    # Every other run is killed more than once.
                    process.wait(timeout=moment if calls == 1 or (calls == 2 and draw.random() < 0.5) else None)
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    killed.append({"number": len(kills) + len(killed) + 1, "second": moment, "where": where(out)})
            assert process.returncode == 0, f"{out} ended with {process.returncode}"
            require_same(out, expected, f"after {killed}")
            for kill in killed:
                kills.append({**kill, "calls": calls, "outcome": "weights, predictions and figures equal"})
                print(kills[-1], flush=True)
    notes = [f"{seconds:.0f} s without interruption; weights of both stages compared bit for bit"]
    finish(given, argv, COLUMNS, kills, notes=notes)


if __name__ == "__main__":
    main()
