"""One recipe, from data to report.

```
run folder
├── recipe.yaml         every effective value; `instructerc run` takes it as it is
├── run.json            hashes of data and prompts, versions, revision: what a resume has to meet again
├── model/              the best epoch's model; with it alone one can predict
├── checkpoints/        the last one, to go on from
├── curves.jsonl        loss and validation figures, as they came; tensorboard/ has the same
├── predictions.jsonl   a row a turn of the measured split, as they came
└── report.json, .md, .html, confusion.png, curves.png
```
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructerc.assets import write_atomically
from instructerc.backbones.adapters import AdapterSpec
from instructerc.backbones.loading import load_backbone, quiet_transformers
from instructerc.baselines.registry import TITLES, run_baselines
from instructerc.errors import TrainingError, UsageError
from instructerc.evaluation import Scores
from instructerc.experiments.data import RunData, prepare_data
from instructerc.experiments.provenance import git_revision, machine, peak_memory_mib, versions
from instructerc.experiments.resolve import Resolved
from instructerc.experiments.watching import RunWatcher, Silent
from instructerc.recognition.artefact import Artefact
from instructerc.recognition.predictions import PredictionWriter, TurnPrediction, read_predictions
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.reporting.card import model_card
from instructerc.reporting.report import Curves, Report, report_of_rows
from instructerc.reporting.writing import write_report
from instructerc.training.settings import TrainingSettings
from instructerc.training.stage import MODEL, StageResult, train_stage

RECIPE = "recipe.yaml"
STATE = "run.json"
PREDICTIONS = "predictions.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came out of a run.

    Attributes:
        folder: The run folder.
        report: The report, as it stands in the folder.
        seconds: Wall time of this call.
    """

    folder: Path
    report: Report
    seconds: float

    @property
    def weighted_f1(self) -> float:
        """Weighted F1 on the measured split, a fraction."""
        return self.report.main.weighted_f1

    @property
    def baselines(self) -> dict[str, float]:
        """Weighted F1 of the baselines on the same split, by name, fractions."""
        return {name: scores.weighted_f1 for name, scores in self.report.baselines.items()}

    def to_json(self) -> dict[str, Any]:
        """The figures that scripts want."""
        return {
            "folder": str(self.folder),
            "split": self.report.main_split,
            "window": self.report.provenance["Method"]["window"],
            "weighted_f1": self.weighted_f1,
            "scores": self.report.main.to_json(),
            "baselines": self.baselines,
            "seconds": round(self.seconds, 1),
        }


def run_recipe(resolved: Resolved, *, resume: bool = False, watcher: RunWatcher | None = None) -> RunResult:
    """Trains, chooses an epoch on validation, predicts, evaluates and reports, as a recipe says.

    Args:
        resolved: The recipe.
        resume: Go on with what the run folder holds. A finished run is reported anew, nothing is trained again.
        watcher: Is told how it goes on.

    Raises:
        UsageError: The folder holds another run, and `resume` is not set.
        TrainingError: `resume` is set, and recipe or data are no longer those that the run began with.
    """
    started = time.monotonic()
    quiet_transformers()
    watcher = watcher or Silent()
    folder = resolved.recipe.output.folder
    assert folder is not None
    watcher.phase("reading data")
    data = prepare_data(resolved.recipe)
    _claim(folder, resolved, data, resume=resume)
    stage = _train(resolved, data, folder, resume=resume, watcher=watcher)
    watcher.phase("recognising")
    rows = _predict(resolved, data, folder, watcher)
    watcher.phase("measuring baselines and writing the report")
    report = _report(resolved, data, rows, stage, folder, seconds=time.monotonic() - started)
    write_report(report, folder)
    (folder / MODEL / "README.md").write_text(model_card(report, _artefact(resolved, data).to_json()), encoding="utf-8")
    return RunResult(folder=folder, report=report, seconds=time.monotonic() - started)


def _claim(folder: Path, resolved: Resolved, data: RunData, *, resume: bool) -> None:
    """Makes the folder this run's, or makes sure that it already is."""
    state = {"recipe": resolved.to_yaml(), "data": data.hash, "prompt": data.spec.hash}
    known = _known_state(folder)
    if known is not None and not resume:
        raise UsageError(f"{folder}: holds a run: go on with it by --resume, choose --out, or remove it")
    if known is not None:
        faults = [name for name in ("data", "prompt", "recipe") if _comparable(known[name]) != _comparable(state[name])]
        if faults:
            raise TrainingError(
                f"{folder}: {' and '.join(faults)} changed since the run began, whose figures would mix two runs: "
                "undo the change, or start anew in another folder (--out)"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / RECIPE, resolved.to_yaml())
    record = {**state, "revision": git_revision(), "versions": versions(), "seconds": 0.0}
    write_atomically(folder / STATE, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _known_state(folder: Path) -> dict[str, Any] | None:
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TrainingError(f"{path}: is damaged ({error}): remove the folder and start anew") from None
    return record


def _comparable(text: str) -> list[str]:
    """A recipe without its head, and without the folder, which may have been moved."""
    return [line for line in text.splitlines() if not line.startswith("#") and "folder:" not in line]


def _artefact(resolved: Resolved, data: RunData) -> Artefact:
    recipe = resolved.recipe
    return Artefact(
        backbone=recipe.backbone.name,
        revision=recipe.backbone.revision,
        adapter=AdapterSpec(
            method=recipe.adapter.method,
            rank=recipe.adapter.rank,
            alpha=recipe.adapter.alpha,
            dropout=recipe.adapter.dropout,
            targets=recipe.adapter.targets,
        ),
        prompt=data.spec,
        max_length=recipe.prompt.max_length,
        mode=recipe.recognition.mode,
        corpus=data.name,
        dtype=recipe.backbone.dtype,
        precision=recipe.training.precision,
    )


def _train(resolved: Resolved, data: RunData, folder: Path, *, resume: bool, watcher: RunWatcher) -> StageResult:
    recipe = resolved.recipe
    watcher.phase(f"loading {recipe.backbone.name}")
    artefact = _artefact(resolved, data)
    backbone = load_backbone(
        artefact.backbone,
        revision=artefact.revision,
        dtype=artefact.training_dtype,
        precision=artefact.precision,
    )
    watcher.phase("training")
    with _timed(folder):
        return train_stage(
            backbone,
            artefact,
            training_settings(resolved),
            folder,
            train=data.examples("train"),
            validation=data.examples("validation"),
            neutral=data.labels.neutral,
            recognition_batch=recipe.recognition.batch_size,
            resume=resume,
            watcher=watcher,
        )


@contextlib.contextmanager
def _timed(folder: Path) -> Iterator[None]:
    """Adds what training takes to the run's account, also when it is interrupted."""
    started = time.monotonic()
    try:
        yield
    finally:
        record = _known_state(folder)
        if record is not None:
            record["seconds"] += time.monotonic() - started
            write_atomically(folder / STATE, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def training_settings(resolved: Resolved) -> TrainingSettings:
    """The numbers of a recipe as `training` takes them."""
    values = resolved.recipe.training
    assert values.learning_rate is not None
    return TrainingSettings(
        epochs=values.epochs,
        learning_rate=values.learning_rate,
        schedule=values.schedule,
        warmup=values.warmup,
        batch_size=values.batch_size,
        batching=values.batching,
        micro_batch=values.micro_batch,
        weight_decay=values.weight_decay,
        betas=values.betas,
        gradient_clip=values.gradient_clip,
        early_stopping=values.early_stopping,
        gradient_checkpointing=values.gradient_checkpointing,
        loss_weighting=values.loss_weighting,
        save_every=values.save_every,
        tracking=values.tracking,
        keep=resolved.recipe.checkpoints.keep,
        seed=resolved.recipe.seed,
    )


def _predict(resolved: Resolved, data: RunData, folder: Path, watcher: RunWatcher) -> list[TurnPrediction]:
    """Predicts the measured split by the folder's model alone, a conversation at a time."""
    recipe = resolved.recipe
    recognizer = EmotionRecognizer.from_pretrained(
        folder, batch_size=recipe.recognition.batch_size, batching=recipe.training.batching
    )
    split = recipe.evaluation.split
    path = folder / PREDICTIONS
    if path.exists() and any(row.model != recognizer.model_hash for row in read_predictions(path)):
        path.unlink()  # another model's: training has gone on since
    if data.corpus is None:
        watcher.recognizing(turns=len(data.prompts[split]))
        rows = recognizer.answer(data.prompts[split], progress=watcher.recognized)
        path.unlink(missing_ok=True)
        with PredictionWriter(path) as writer:
            writer.append(rows)
        return rows
    conversations = data.conversations(split)
    expected = {conversation.id: len(conversation) for conversation in conversations}
    with PredictionWriter(path, expected_rows=expected) as writer:
        missing = [conversation for conversation in conversations if conversation.id not in writer.completed]
        watcher.recognizing(turns=sum(map(len, missing)))
        for predictions in recognizer.recognize_all(missing, progress=watcher.recognized):
            writer.append(predictions)
    return read_predictions(path)


def _report(
    resolved: Resolved,
    data: RunData,
    rows: list[TurnPrediction],
    stage: StageResult,
    folder: Path,
    *,
    seconds: float,
) -> Report:
    recipe = resolved.recipe
    split = recipe.evaluation.split
    losses = tuple((row["step"], row["loss"]) for row in stage.curves if "loss" in row)
    validation = tuple((row["epoch"], row["validation"]["weighted_f1"]) for row in stage.curves if "validation" in row)
    chosen = (
        f"epoch {stage.best_epoch}, chosen by validation W-F1 {100 * stage.best['weighted_f1']:.2f}"
        if stage.best
        else ""
    )
    return report_of_rows(
        rows,
        title=recipe.name,
        labels=data.labels.labels,
        neutral=data.labels.neutral,
        split=split,
        samples=recipe.evaluation.bootstrap,
        seed=recipe.seed,
        summary=f"{recipe.backbone.name} on {data.name}, {split} split: {chosen}",
        baselines=_baselines(resolved, data),
        curves=Curves(loss=losses, validation=validation, best_epoch=stage.best_epoch),
        notices=_notices(resolved, data, stage),
        provenance=_provenance(resolved, data, folder, seconds=seconds),
    )


def _baselines(resolved: Resolved, data: RunData) -> Mapping[str, Scores]:
    names, split = resolved.recipe.evaluation.baselines, resolved.recipe.evaluation.split
    if data.corpus is None or not names:
        return {}
    return {TITLES[name]: scores for name, scores in run_baselines(data.corpus, names, split=split).items()}


def _notices(resolved: Resolved, data: RunData, stage: StageResult) -> tuple[str, ...]:
    notices = []
    if stage.dropped_turns:
        notices.append(f"Training prompts lost {stage.dropped_turns} of their oldest turns: they were too long.")
    if not data.examples("validation"):
        notices.append("There was no validation split: the last epoch was kept.")
    if resolved.recipe.window.context == "both":
        notices.append("Prompts show turns after the target (window.context: both): a task of its own.")
    return tuple(notices)


def _provenance(resolved: Resolved, data: RunData, folder: Path, *, seconds: float) -> dict[str, dict[str, Any]]:
    recipe = resolved.recipe
    state = _known_state(folder) or {}
    peak = peak_memory_mib()
    counts = data.counts()
    return {
        "Data": {
            "corpus": data.name,
            **{
                split: f"{count['conversations']} conversations, {count['examples']} turns"
                for split, count in counts.items()
            },
            "hash": data.hash[:12],
        },
        "Method": {
            "backbone": recipe.backbone.name,
            "wording": recipe.prompt.wording,
            "window": ", ".join(f"{name} {value}" for name, value in data.spec.window.to_json().items()),
            "adapter": recipe.adapter.method,
            "dtype": recipe.backbone.dtype,
            "precision": recipe.training.precision,
            "batching": recipe.training.batching,
            "learning rate": recipe.training.learning_rate,
            "epochs": recipe.training.epochs,
            "recognition": recipe.recognition.mode,
            "prompt hash": data.spec.hash,
            "seed": recipe.seed,
        },
        "Run": {
            "training seconds": round(state.get("seconds", 0.0), 1),
            "seconds in all": round(seconds, 1),
            "peak memory MiB": None if peak is None else round(peak),
            "revision": state.get("revision"),
            **machine(),
        },
        "Versions": versions(),
    }


def _counted(count: Mapping[str, int]) -> str:
    return f"{count['conversations']} conversations, {count['examples']} turns"
