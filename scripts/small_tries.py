"""Tries ideas for a small model one by one: a short training each, on MELD, with one seed; recorded as they finish.

python scripts/small_tries.py --data FOLDER [--out runs/tries] [--only NAME …] [--set KEY=VALUE …]

Each idea is one change to one epoch of recipe `encoder` or, at a fifth of the time, of recipe `turns`. What is recorded
already is not done again, and a training that was stopped goes on. `python scripts/small_models.py` makes the table of
docs/small_models.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from record_try import FOLDER

BASE = ("training.epochs=1", "evaluation.baselines=[]", "training.tracking=[]")
JOINT = "stages=[{{name: joint, tasks: {{recognition: 1, {task}: {weight}}}}}]"


@dataclass(frozen=True, slots=True)
class Try:
    """An idea: what it is called, what is done in words, what changes in the recipe, and in which."""

    name: str
    what: str
    changes: tuple[str, ...] = ()
    recipe: str = "turns"


TRIES = (
    Try("one-epoch", "recipe `encoder`", recipe="encoder"),
    Try("causal", "read from left to right", ("backbone.name=embedded",), "encoder"),
    Try(
        "causal-repeated",
        "read from left to right, the target turn twice",
        ("backbone.name=embedded", "prompt.wording=compact-repeated"),
        "encoder",
    ),
    Try("window-0", "no history", ("window.size=0",), "encoder"),
    Try("no-averaging", "weights as they are at the end, not averaged", ("training.averaging=null",), "encoder"),
    Try("turns-one-epoch", "recipe `turns`"),
    Try("turns-window-0", "`turns`, no history", ("window.size=0", "window.stride=1")),
    Try("turns-window-4", "`turns`, four to seven turns of history", ("window.size=4", "window.stride=4")),
    Try("turns-window-16", "`turns`, 16 to 31 turns of history", ("window.size=16", "window.stride=16")),
    Try("turns-window-8-1", "`turns`, eight turns of history, never more", ("window.stride=1",)),
    Try("turns-repeated", "`turns`, the target turn twice", ("prompt.wording=compact-repeated",)),
    Try("turns-names", "`turns`, speakers by their names", ("prompt.speakers=name",)),
    Try("turns-no-averaging", "`turns`, weights as they are at the end, not averaged", ("training.averaging=null",)),
    Try("turns-faster", "`turns`, learning rate 2e-4", ("training.learning_rate=2e-4",)),
    Try("turns-batch-16", "`turns`, 16 examples a step", ("training.batch_size=16",)),
    Try("turns-rare-labels", "`turns`, rare labels count more (square root)", ("training.class_weights=square-root",)),
    Try("turns-smoothing", "`turns`, labels smoothed by 0.1", ("training.label_smoothing=0.1",)),
    Try("turns-focal", "`turns`, focal loss, γ = 2", ("training.focal_gamma=2",)),
    Try(
        "turns-lora",
        "`turns`, LoRA of rank 16 and learning rate 1e-3 instead of all parameters",
        ("adapter.method=lora", "adapter.rank=16", "training.learning_rate=1e-3"),
    ),
    Try(
        "turns-speaker",
        "`turns`, who speaks is learned beside, weight 0.5",
        (JOINT.format(task="speaker_identification", weight=0.5),),
    ),
    Try(
        "turns-prediction",
        "`turns`, the next emotion is learned beside, weight 0.1",
        (JOINT.format(task="prediction", weight=0.1),),
    ),
    Try("turns-nearest", "`turns`, one demonstration, the nearest", ("demonstrations.pairing=nearest",)),
)


def recorded(name: str, results: Path) -> bool:
    """Whether its figures are there."""
    return any(results.glob(f"{name}-meld-*.json"))


def run(idea: Try, *, data: str, out: Path, more: list[str], results: Path) -> None:
    """Trains, measures and records one idea."""
    folder = out / idea.name
    keys = [*BASE, f"data.folder={data}", *idea.changes, *more]
    command = [sys.executable, "-m", "instructerc", "run", idea.recipe, "--out", str(folder)]
    command += [part for key in keys for part in ("--set", key)]
    subprocess.run([*command, *(["--resume"] if folder.is_dir() else [])], check=True)
    record = [sys.executable, str(Path(__file__).with_name("record_try.py")), idea.name, str(folder)]
    subprocess.run([*record, "--what", idea.what, "--note", "one epoch", "--results", str(results)], check=True)


def main() -> None:
    """Goes through the ideas in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the folder of MELD's files")
    parser.add_argument("--out", type=Path, default=Path("runs") / "tries")
    parser.add_argument("--only", nargs="+", choices=[idea.name for idea in TRIES])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all of them")
    parser.add_argument("--results", type=Path, default=FOLDER)
    given = parser.parse_args()
    for idea in TRIES:
        if (given.only is None or idea.name in given.only) and not recorded(idea.name, given.results):
            run(idea, data=given.data, out=given.out, more=given.set, results=given.results)


if __name__ == "__main__":
    main()
