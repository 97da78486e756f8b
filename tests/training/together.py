"""What each of several processes does in `test_distributed.py`: a program for torchrun.

Usage: python -m tests.training.together LLAMA OUT BATCHING [--resume] [--kill-at STEP] [--lora] [--batch-size N]
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from transformers import TrainerCallback

from instructerc.training import stage
from instructerc.training.ranks import Ranks
from instructerc.training.stage import Silent, StageResult, train_stage
from instructerc.training.trainer import build_trainer
from tests.tiny_models import load
from tests.training.runs import ALL, LORA, artefact_of, examples, settings_of

SETTINGS: dict[str, Any] = {"epochs": 2, "save_every": 4, "micro_batch": 3, "gradient_clip": 0.5}


class FirstGradients(TrainerCallback):
    """Keeps the gradients of the first step, as the optimiser gets them."""

    def __init__(self, path: Path, ranks: Ranks) -> None:
        self.path, self.ranks = path, ranks

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step == 0 and self.ranks.first:
            found = {
                name.removeprefix("module."): parameter.grad.clone()
                for name, parameter in model.named_parameters()
                if parameter.grad is not None
            }
            torch.save(found, self.path)


class DieAt(Silent):
    """Ends the process after a step, as a kill would."""

    def __init__(self, at: int | None) -> None:
        self.at = at

    def step(self, done: int, loss: float | None) -> None:
        if done == self.at:
            os._exit(9)


def train_together(
    llama: Path,
    folder: Path,
    batching: str,
    *,
    lora: bool = False,
    resume: bool = False,
    kill_at: int | None = None,
    batch_size: int = 8,
) -> StageResult:
    """Trains, and leaves the gradients of the first step in the folder."""
    ranks = Ranks.here()

    def building(*arguments: Any, **named: Any) -> Any:
        built = build_trainer(*arguments, **named)
        built.add_callback(FirstGradients(folder / "gradients.pt", ranks))
        return built

    with mock.patch.object(stage, "build_trainer", building):
        return train_stage(
            load(llama),
            artefact_of(llama, LORA if lora else ALL),
            settings_of(batching=batching, batch_size=batch_size, **SETTINGS),
            folder,
            train=examples("train"),
            validation=examples("validation"),
            neutral="neutral",
            resume=resume,
            watcher=DieAt(kill_at if ranks.first else None),
            ranks=ranks,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("llama", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("batching")
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--kill-at", type=int)
    parser.add_argument("--batch-size", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    result = train_together(
        given.llama,
        given.out,
        given.batching,
        lora=given.lora,
        resume=given.resume,
        kill_at=given.kill_at,
        batch_size=given.batch_size,
    )
    ranks = Ranks.here()
    (given.out / f"result-{ranks.rank}.json").write_text(json.dumps([result.best_epoch, dict(result.best)]))
    ranks.leave()


if __name__ == "__main__":
    main()
