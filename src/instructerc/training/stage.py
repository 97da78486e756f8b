"""One stage of a training, from start or from its last checkpoint to the best epoch's model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from instructerc.backbones.adapters import AdapterSpec, attach, load_trained
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import use_trees
from instructerc.backbones.wide_attention import widened
from instructerc.demonstrations.demonstrator import Demonstrator
from instructerc.errors import TrainingError, UnknownLabelError
from instructerc.evaluation import Metric
from instructerc.prompts.example import Example
from instructerc.recognition.artefact import Artefact, save_artefact
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.training.batches import StepDataset
from instructerc.training.checkpoints import last_checkpoint, remove_after, saying_what_is_full, step_of
from instructerc.training.curves import Curves
from instructerc.training.planning import plan_training
from instructerc.training.ranks import ALONE, Ranks
from instructerc.training.settings import Keep, TrainingSettings
from instructerc.training.trainer import build_trainer
from instructerc.training.validating import Validation
from instructerc.training.workload import Workload

MODEL = "model"
"""Subfolder of the best epoch's model."""


class Watcher(Protocol):
    """Is told how a stage goes on; shows it to somebody."""

    def note(self, text: str) -> None:
        """Something worth knowing, in a line."""

    def started(self, *, steps: int, done: int) -> None:
        """Training begins: optimiser steps in all, and those that an earlier run has done."""

    def step(self, done: int, loss: float | None) -> None:
        """Steps that are done; the loss where it was just measured."""

    def validated(self, epoch: int, figures: Mapping[str, float], *, best: bool) -> None:
        """Validation figures of an epoch."""


class Silent:
    """Watches without a word."""

    def note(self, text: str) -> None:
        """Nothing."""

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
        cut_prompts: Ready-made training prompts that lost their beginning for the same reason.
        dropped_demonstrations: Demonstrations that training prompts lost for the same reason.
        workload: How the training examples were read, and how many tokens that took.
    """

    folder: Path
    best_epoch: int
    best: Mapping[str, float]
    curves: tuple[dict[str, Any], ...]
    steps: int
    dropped_turns: int
    workload: Workload
    cut_prompts: int = 0
    dropped_demonstrations: int = 0

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back; the folder is left out, since it may be moved."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "folder"}
        return {**record, "best": dict(self.best), "curves": list(self.curves), "workload": self.workload.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any], folder: Path) -> StageResult:
        """Reads what `to_json` wrote, of a stage in this folder."""
        workload = Workload.from_json(record["workload"])
        return cls(**{**record, "curves": tuple(record["curves"]), "workload": workload, "folder": folder})


def train_stage(
    backbone: Backbone,
    artefact: Artefact,
    settings: TrainingSettings,
    folder: Path,
    *,
    train: Sequence[Example],
    validation: Sequence[Example],
    neutral: str | None = None,
    start: Path | None = None,
    demonstrator: Demonstrator | None = None,
    recognition_batch: int = 16,
    resume: bool = False,
    watcher: Watcher | None = None,
    ranks: Ranks = ALONE,
    decision: Metric | None = None,
) -> StageResult:
    """Trains, validates after each epoch, and keeps the best epoch's model in `folder/model`.

    Where several processes train together, all of them call this with the same arguments. Each computes its share of
    every step and of validation; rank 0 writes.

    Args:
        backbone: A freshly loaded language model; changed in place.
        artefact: What is trained, and what it is asked with.
        settings: The numbers.
        folder: Where model, checkpoints and curves go.
        train: Examples with targets.
        validation: Examples of one task, with targets; without any, the last epoch is kept.
        neutral: The label that means "no emotion".
        start: Folder of the model that an earlier stage ended with; None starts from the backbone as it came.
        demonstrator: What found the demonstrations of the examples; saved with the model.
        recognition_batch: Prompts at once in validation.
        resume: Go on from the last whole checkpoint, where there is one.
        watcher: Is told how it goes on.
        ranks: This process among those that train together.
        decision: The figure that decisions will be fitted for: the epoch is chosen by what they reach with it, on the
            validation turns that they are fitted to. None chooses by weighted F1.

    Raises:
        TrainingError: There is nothing to train on, or nothing to train.
        UnknownLabelError: A target is none of its candidates.
        NonFiniteLossError: The loss became NaN or infinite.
        PromptTooLongError: A prompt is too long even without its history.
    """
    from transformers import set_seed

    adapter = _require_trainable(artefact, train, validation)
    set_seed(settings.seed)  # before the adapters draw their first weights
    attach(backbone, adapter)
    if start is not None:
        load_trained(backbone, start)
    recognizer = EmotionRecognizer(
        backbone=backbone,
        prompt=artefact.prompt,
        batch_size=recognition_batch,
        max_length=artefact.max_length,
        batching=settings.batching,
        mode=artefact.mode,
    )
    # All of it before the folder is touched: a prompt that is too long destroys nothing.
    encoded = recognizer.encode(train)
    validate = Validation(recognizer, validation, recognizer.encode(validation), neutral, ranks)
    plan = plan_training(backbone, settings, encoded, ranks=ranks)
    dataset, watcher = plan.dataset, watcher or Silent()
    for line in plan.workload.lines():
        watcher.note(line)
    if not ranks.alone:
        watcher.note(f"{ranks.count} processes train, each a share of every step")
    ranks.join(backbone.device)
    checkpoint = _start(folder, resume=resume, ranks=ranks)
    step = step_of(checkpoint) if checkpoint else 0
    curves = Curves.resume(folder / "curves.jsonl", step=step, writes=ranks.first)
    validate = replace(validate, decision=curves.decision(decision))
    keeper = _Keeper(artefact, backbone, demonstrator, folder, settings.keep, curves, watcher, ranks)
    _run(backbone, dataset, settings, keeper, validate=validate if validation else None, checkpoint=checkpoint)
    ranks.wait()  # nobody reads the model before it is written
    best = curves.best
    return StageResult(
        folder=folder,
        best_epoch=best["epoch"] if best else settings.epochs,
        best=best["validation"] if best else {},
        curves=tuple(curves.rows),
        steps=len(dataset) * settings.epochs,
        dropped_turns=sum(example.dropped_turns for example in encoded),
        cut_prompts=sum(example.cut_tokens > 0 for example in encoded),
        dropped_demonstrations=sum(example.dropped_demonstrations for example in encoded),
        workload=plan.workload,
    )


def _require_trainable(artefact: Artefact, train: Sequence[Example], validation: Sequence[Example]) -> AdapterSpec:
    if not train:
        raise TrainingError("no labelled turn to train on: check data.corpus, and that its turns have emotions")
    for example in (*train, *validation):
        if example.target not in example.candidates:
            place = f"conversation {example.conversation!r}, turn {example.turn}"
            raise UnknownLabelError(str(example.target), example.candidates, place=place)
    if artefact.adapter is None:
        raise TrainingError("nothing would be trained: set adapter.method to lora or all")
    return artefact.adapter


def _run(
    backbone: Backbone,
    dataset: StepDataset,
    settings: TrainingSettings,
    keeper: _Keeper,
    *,
    validate: Validation | None,
    checkpoint: Path | None,
) -> None:
    trainer = build_trainer(
        backbone,
        dataset,
        settings,
        keeper.folder,
        curves=keeper.curves,
        validate=validate,
        on_epoch=keeper.epoch_done,
        on_step=keeper.watcher.step,
        tell=keeper.watcher.note,
    )
    done = step_of(checkpoint) if checkpoint else 0
    keeper.watcher.started(steps=len(dataset) * settings.epochs, done=done)
    if keeper.curves.stalled(settings.early_stopping):  # a stage that had stopped early has nothing left to do
        return
    padded = not use_trees(backbone, settings.batching)
    with widened(backbone) if padded else nullcontext():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


@dataclass(frozen=True, slots=True)
class _Keeper:
    """Keeps models at the end of an epoch, and tells the watcher."""

    artefact: Artefact
    backbone: Backbone
    demonstrator: Demonstrator | None
    folder: Path
    keep: Keep
    curves: Curves
    watcher: Watcher
    ranks: Ranks

    def epoch_done(self, epoch: int, best: bool) -> None:
        figures = self.curves.evaluations[-1]["validation"] if self.curves.evaluations else {}
        if best:
            self._keep(self.folder / MODEL)
        if self.keep == "all":
            self._keep(self.folder / "epochs" / f"epoch-{epoch}")
        self.watcher.validated(epoch, figures, best=best)

    def _keep(self, folder: Path) -> None:
        """Puts a model where another may stand, never half of each.

        It comes before the epoch's checkpoint: after a kill in here, a resume does the epoch's end again.
        """
        fresh = folder.with_name(folder.name + ".new")
        write = self.ranks.first
        if write:
            shutil.rmtree(fresh, ignore_errors=True)
        with saying_what_is_full(folder):
            save_artefact(self.artefact, self.backbone, fresh, demonstrator=self.demonstrator, write=write)
            if write:
                shutil.rmtree(folder, ignore_errors=True)
                fresh.rename(folder)


def _start(folder: Path, *, resume: bool, ranks: Ranks) -> Path | None:
    """The checkpoint to go on from. A fresh start clears what an earlier training left in the folder."""
    checkpoints = folder / "checkpoints"
    if ranks.first:
        if not resume:
            for name in ("checkpoints", MODEL, "epochs", "tensorboard"):
                shutil.rmtree(folder / name, ignore_errors=True)
            (folder / "curves.jsonl").unlink(missing_ok=True)
        checkpoint = last_checkpoint(checkpoints)
        remove_after(checkpoints, step_of(checkpoint) if checkpoint else -1)
    ranks.wait()  # nobody looks before it is tidy
    found = last_checkpoint(checkpoints)
    ranks.wait()  # nobody writes before all have looked
    return found
