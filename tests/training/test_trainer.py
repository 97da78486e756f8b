"""When to validate, save and stop, and what transformers' Trainer is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from instructerc.backbones.backbone import Backbone
from instructerc.training import trainer
from instructerc.training.averaging import AsTheyAre
from instructerc.training.batches import PaddedBatching, StepDataset
from instructerc.training.curves import Curves
from instructerc.training.grouping import ByExample
from instructerc.training.trainer import Course
from tests.training.runs import STEPS, encoded, settings_of


class Heard:
    """A course of `STEPS` steps an epoch, and what it told."""

    def __init__(self, backbone: Backbone, folder: Path, *, validates: bool = True, **settings: Any) -> None:
        batching = PaddedBatching(micro_batch=8, pad=backbone.tokenizer.pad_token_id)
        self.dataset = StepDataset(encoded(backbone), ByExample(), batching, 8, 0)
        self.curves = Curves.resume(folder / "curves.jsonl", step=0)
        self.epochs: list[tuple[int, bool]] = []
        self.steps: list[tuple[int, float | None]] = []
        self.course = Course(
            self.dataset,
            settings_of(**settings),
            self.curves,
            lambda epoch, best: self.epochs.append((epoch, best)),
            lambda done, loss: self.steps.append((done, loss)),
            validates=validates,
            average=AsTheyAre(),
        )


def state(step: int) -> Any:
    return SimpleNamespace(global_step=step, epoch=step / STEPS)


def control() -> Any:
    return SimpleNamespace(should_save=False, should_evaluate=False, should_training_stop=False)


def test_checkpoints_come_every_so_many_steps_but_not_before_an_epochs_validation(
    llama: Backbone, tmp_path: Path
) -> None:
    heard = Heard(llama, tmp_path, save_every=3)
    saved = []
    for step in range(1, 2 * STEPS + 1):
        at = control()
        heard.course.step_ends(state(step), at)
        if at.should_save:
            saved.append(step)
    assert saved == [3, 9], "6 and 12 end an epoch: saved after its validation"
    assert heard.steps == [(step, None) for step in range(1, 13)]


def test_a_resume_in_the_middle_of_an_epoch_meets_its_order(llama: Backbone, tmp_path: Path) -> None:
    heard = Heard(llama, tmp_path)
    served = []
    for step in (0, 5, 6, 13):
        heard.course.epoch_begins(state(step))
        served.append(heard.dataset.epoch)
    assert served == [0, 0, 1, 2]


def test_an_epoch_ends_with_validation_then_a_checkpoint(llama: Backbone, tmp_path: Path) -> None:
    heard, at = Heard(llama, tmp_path), control()
    heard.course.epoch_ends(state(STEPS), at)
    assert (at.should_save, at.should_evaluate) == (True, True)
    assert heard.epochs == []
    heard.course.validated(state(STEPS), at, {"eval_weighted_f1": 0.5})
    assert heard.epochs == [(1, True)]
    assert heard.curves.rows == [{"step": STEPS, "epoch": 1, "validation": {"weighted_f1": 0.5}}]


def test_without_validation_every_epoch_is_the_best_so_far(llama: Backbone, tmp_path: Path) -> None:
    heard, at = Heard(llama, tmp_path, validates=False), control()
    heard.course.epoch_ends(state(STEPS), at)
    assert (at.should_save, at.should_evaluate) == (True, False)
    assert heard.epochs == [(1, True)]


def test_patience_counts_epochs_after_the_best(llama: Backbone, tmp_path: Path) -> None:
    heard, stops = Heard(llama, tmp_path, early_stopping=2), []
    for epoch, figure in enumerate((0.4, 0.6, 0.6, 0.5), start=1):
        at = control()
        heard.course.validated(state(epoch * STEPS), at, {"eval_weighted_f1": figure})
        stops.append(at.should_training_stop)
    assert stops == [False, False, False, True]
    assert heard.epochs == [(1, True), (2, True), (3, False), (4, False)]


def test_only_losses_of_steps_are_points_of_the_curve(llama: Backbone, tmp_path: Path) -> None:
    heard = Heard(llama, tmp_path)
    heard.course.logged(state(2), {"loss": 1.5, "learning_rate": 1e-3, "grad_norm": 2.0})
    heard.course.logged(state(2), {"train_loss": 1.5, "train_runtime": 3.0})
    heard.course.logged(state(2), {"eval_weighted_f1": 0.5})
    assert heard.curves.rows == [{"step": 2, "epoch": round(2 / STEPS, 4), "loss": 1.5, "learning_rate": 1e-3}]
    assert heard.steps == [(2, 1.5)]


@pytest.mark.parametrize(
    ("schedule", "name"), [("linear", "linear"), ("cosine", "cosine"), ("constant", "constant_with_warmup")]
)
def test_the_trainer_is_told_the_numbers(tmp_path: Path, schedule: Any, name: str) -> None:
    settings = settings_of(schedule=schedule, warmup=0.1, betas=(0.8, 0.9), gradient_clip=0.5, seed=7, weight_decay=0.1)
    told = trainer._arguments(settings, tmp_path, steps=25, device=torch.device("cpu"))
    assert told.lr_scheduler_type == name
    assert told.warmup_steps == 3, "a share of the steps, rounded up"
    assert (told.adam_beta1, told.adam_beta2) == (0.8, 0.9)
    assert (told.max_grad_norm, told.seed, told.weight_decay) == (0.5, 7, 0.1)
    assert (told.learning_rate, told.num_train_epochs) == (settings.learning_rate, settings.epochs)
    assert told.per_device_train_batch_size == 1, "an item is a whole step"
