"""A training of the tiny Llama on the tiny corpus, in about a second."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instructerc.backbones.adapters import PARAMETERS, AdapterSpec
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import Example, PromptSpec
from instructerc.recognition.artefact import Artefact
from instructerc.testing import TINY_LABELS, tiny_corpus
from instructerc.training.settings import TrainingSettings
from instructerc.training.stage import Silent, StageResult, train_stage
from tests.tiny_models import load

SPEC = PromptSpec(labels=TINY_LABELS, wording="compact")
ALL = AdapterSpec(method="all")
LORA = AdapterSpec(rank=4, dropout=0.2)
STEPS = 6
"""Steps an epoch: 48 examples, 8 a step."""


def examples(split: Any) -> list[Example]:
    return [example for chat in tiny_corpus().split(split) for example in SPEC.labelled_examples(chat)]


def encoded(backbone: Any, split: Any = "train") -> list[EncodedExample]:
    return PromptEncoder(backbone.tokenizer, backbone.context).encode_all(examples(split))


def settings_of(**changes: Any) -> TrainingSettings:
    quick: dict[str, Any] = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "tracking": ()}
    return TrainingSettings(**{**quick, **changes})


def artefact_of(llama_folder: Path, adapter: AdapterSpec | None, mode: str = "score") -> Artefact:
    return Artefact(
        backbone=str(llama_folder),
        revision=None,
        adapter=adapter,
        prompt=SPEC,
        mode=mode,
        dtype="float32",
        precision="float32",
    )


def train(
    llama_folder: Path,
    folder: Path,
    *,
    adapter: AdapterSpec | None = ALL,
    mode: str = "score",
    resume: bool = False,
    watcher: Any = None,
    train: list[Example] | None = None,
    validation: list[Example] | None = None,
    decision: Any = None,
    **settings: Any,
) -> StageResult:
    return train_stage(
        load(llama_folder),
        artefact_of(llama_folder, adapter, mode),
        settings_of(**settings),
        folder,
        train=examples("train") if train is None else train,
        validation=examples("validation") if validation is None else validation,
        neutral="neutral",
        resume=resume,
        watcher=watcher,
        decision=decision,
    )


class Killed(BaseException):
    """Ends a training as a kill would: nobody catches it, nothing is tidied up."""


class KillAtStep(Silent):
    """Kills after a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, done: int, loss: float | None) -> None:
        if done == self.at:
            raise Killed


class KillAtValidation(Silent):
    """Kills after the validation of an epoch, before its checkpoint is written."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def validated(self, epoch: int, figures: Mapping[str, float], *, best: bool) -> None:
        if epoch == self.epoch:
            raise Killed


class Log(Silent):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.start: tuple[int, int] | None = None
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.epochs: list[tuple[int, bool]] = []
        self.figures: list[Mapping[str, float]] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def started(self, *, steps: int, done: int) -> None:
        self.start = steps, done

    def step(self, done: int, loss: float | None) -> None:
        self.steps.append(done)
        if loss is not None:
            self.losses.append(loss)

    def validated(self, epoch: int, figures: Mapping[str, float], *, best: bool) -> None:
        self.epochs.append((epoch, best))
        self.figures.append(figures)


def weights(folder: Path) -> bytes:
    """The trained tensors of a run, as they lie on the disk."""
    return (folder / "model" / PARAMETERS).read_bytes()


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "curves.jsonl").read_text(encoding="utf-8").splitlines()]


def validations(folder: Path) -> list[dict[str, Any]]:
    return [row for row in rows(folder) if "validation" in row]
