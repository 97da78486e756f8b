"""One stage of a training, from start or from its last checkpoint to the best epoch's model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from instructerc.backbones.adapters import attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import use_trees
from instructerc.errors import TrainingError, UnknownLabelError
from instructerc.evaluation import evaluate
from instructerc.prompts.example import Example
from instructerc.recognition.artefact import Artefact, save_artefact
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.training.batches import Batching, PaddedBatching, StepDataset
from instructerc.training.checkpoints import last_checkpoint, remove_after, step_of
from instructerc.training.curves import Curves
from instructerc.training.settings import TrainingSettings
from instructerc.training.trainer import build_trainer
from instructerc.training.tree_batches import TreeBatching

MODEL = "model"
"""Subfolder of the best epoch's model."""


class Watcher(Protocol):
    """Is told how a stage goes on; shows it to somebody."""

    def started(self, *, steps: int, done: int) -> None:
        """Training begins: optimiser steps in all, and those that an earlier run has done."""

    def step(self, done: int, loss: float | None) -> None:
        """Steps that are done; the loss where it was just measured."""

    def validated(self, epoch: int, figures: Mapping[str, float], *, best: bool) -> None:
        """Validation figures of an epoch."""


class Silent:
    """Watches without a word."""

    def started(self, *, steps: int, done: int) -> None:
        """Nothing."""

    def step(self, done: int, loss: float | None) -> None:
        """Nothing."""

    def validated(self, epoch: int, figures: Mapping[str, float], *, best: bool) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class StageResult:
    """What came out of a stage.

    Attributes:
        folder: Where its files are.
        best_epoch: The epoch whose model was kept, from 1.
        best: Its validation figures; empty where there was nothing to validate on.
        curves: The course: loss a few steps apart, validation after each epoch.
        steps: Optimiser steps of the whole stage.
        dropped_turns: Turns of history that training prompts lost because they were too long.
    """

    folder: Path
    best_epoch: int
    best: Mapping[str, float]
    curves: tuple[dict[str, Any], ...]
    steps: int
    dropped_turns: int


def train_stage(
    backbone: Backbone,
    artefact: Artefact,
    settings: TrainingSettings,
    folder: Path,
    *,
    train: Sequence[Example],
    validation: Sequence[Example],
    neutral: str | None = None,
    recognition_batch: int = 16,
    resume: bool = False,
    watcher: Watcher | None = None,
) -> StageResult:
    """Trains, validates after each epoch, and keeps the best epoch's model in `folder/model`.

    Args:
        backbone: A freshly loaded language model; changed in place.
        artefact: What is trained, and what it is asked with.
        settings: The numbers.
        folder: Where model, checkpoints and curves go.
        train: Examples with targets.
        validation: Examples with targets; without any, the last epoch is kept.
        neutral: The label that means "no emotion".
        recognition_batch: Prompts at once in validation.
        resume: Go on from the last whole checkpoint, where there is one.
        watcher: Is told how it goes on.

    Raises:
        TrainingError: There is nothing to train on, or nothing to train.
        UnknownLabelError: A target is none of its candidates.
        NonFiniteLossError: The loss became NaN or infinite.
        PromptTooLongError: A prompt is too long even without its history.
    """
    from transformers import set_seed

    if not train:
        raise TrainingError("no labelled turn to train on: check data.corpus, and that its turns have emotions")
    for example in (*train, *validation):
        if example.target not in example.candidates:
            place = f"conversation {example.conversation!r}, turn {example.turn}"
            raise UnknownLabelError(str(example.target), example.candidates, place=place)
    if artefact.adapter is None:
        raise TrainingError("nothing would be trained: set adapter.method to lora or all")
    set_seed(settings.seed)  # before the adapters draw their first weights
    attach(backbone, artefact.adapter)
    watcher = watcher or Silent()
    recognizer = EmotionRecognizer(
        backbone=backbone,
        prompt=artefact.prompt,
        batch_size=recognition_batch,
        max_length=artefact.max_length,
        batching=settings.batching,
        mode="generate" if artefact.mode == "generate" else "score",
    )
    encoded = recognizer.encode(train)
    dataset = StepDataset(encoded, _batching(backbone, settings), settings.batch_size, settings.seed)
    checkpoint = _start(folder, resume=resume)
    done = step_of(checkpoint) if checkpoint else 0
    curves = Curves.resume(folder / "curves.jsonl", step=done)
    encoded_validation = recognizer.encode(validation)

    def validate() -> Mapping[str, float]:
        rows = recognizer.answer_encoded(validation, encoded_validation)
        scores = evaluate(
            golds=[row.gold or "" for row in rows],
            predictions=[row.emotion for row in rows],
            labels=validation[0].candidates,
            neutral=neutral,
            out_of_label=[row.out_of_label for row in rows],
        )
        return {"weighted_f1": scores.weighted_f1, "macro_f1": scores.macro_f1, "accuracy": scores.accuracy}

    def epoch_done(epoch: int, best: bool) -> None:
        figures = curves.evaluations[-1]["validation"] if curves.evaluations else {}
        if best:
            _keep(artefact, backbone, folder / MODEL)
        if settings.keep == "all":
            _keep(artefact, backbone, folder / "epochs" / f"epoch-{epoch}")
        watcher.validated(epoch, figures, best=best)

    trainer = build_trainer(
        backbone,
        dataset,
        settings,
        folder,
        curves=curves,
        validate=validate if validation else None,
        on_epoch=epoch_done,
        on_step=watcher.step,
    )
    steps = len(dataset) * settings.epochs
    watcher.started(steps=steps, done=done)
    if not _stopped_early(settings, curves):  # a resumed stage that had stopped early has nothing left to do
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    best = curves.best
    return StageResult(
        folder=folder,
        best_epoch=best["epoch"] if best else settings.epochs,
        best=best["validation"] if best else {},
        curves=tuple(curves.rows),
        steps=steps,
        dropped_turns=sum(example.dropped_turns for example in encoded),
    )


def _stopped_early(settings: TrainingSettings, curves: Curves) -> bool:
    return (
        settings.early_stopping is not None
        and bool(curves.evaluations)
        and curves.since_best >= settings.early_stopping
    )


def _batching(backbone: Backbone, settings: TrainingSettings) -> Batching:
    if use_trees(backbone, settings.batching):
        return TreeBatching(backbone=backbone, loss_weighting=settings.loss_weighting)
    return PaddedBatching(
        micro_batch=settings.micro_batch or min(settings.batch_size, 8),
        pad=backbone.tokenizer.pad_token_id,
        loss_weighting=settings.loss_weighting,
    )


def _start(folder: Path, *, resume: bool) -> Path | None:
    """The checkpoint to go on from. A fresh start clears what an earlier training left in the folder."""
    checkpoints = folder / "checkpoints"
    if not resume:
        for name in ("checkpoints", MODEL, "epochs", "tensorboard"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "curves.jsonl").unlink(missing_ok=True)
    checkpoint = last_checkpoint(checkpoints)
    remove_after(checkpoints, step_of(checkpoint) if checkpoint else -1)
    return checkpoint


def _keep(artefact: Artefact, backbone: Backbone, folder: Path) -> None:
    """Puts a model where another may stand, never half of each.

    It comes before the epoch's checkpoint: after a kill in here, a resume does the epoch's end again.
    """
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    save_artefact(artefact, backbone, fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
