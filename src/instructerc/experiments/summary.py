"""The report of a run: its figures, how they came about, and what a reader has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.baselines.registry import TITLES, run_baselines
from instructerc.conversation import SPLITS, Split
from instructerc.evaluation import Scores
from instructerc.experiments.data import RunData
from instructerc.experiments.folder import read_state
from instructerc.experiments.provenance import machine, peak_memory_mib, versions
from instructerc.recognition.predictions import TurnPrediction
from instructerc.reporting.report import Curves, Report, report_of_rows
from instructerc.training.stage import StageResult

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe

READY_MADE = "as in the prompt files"
"""What stands for wording and window where the recipe brings its prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run has to tell.

    Attributes:
        rows: Predictions of the measured split.
        stage: How the training went.
        revision: Commit of the backbone on the hub; None where there is none.
        cut_prompts: Ready-made prompts of the measured split that were too long and lost their beginning.
        seconds: Wall time so far.
    """

    rows: Sequence[TurnPrediction]
    stage: StageResult
    revision: str | None
    cut_prompts: int
    seconds: float


def run_report(recipe: Recipe, data: RunData, outcome: Outcome, folder: Path) -> Report:
    """The report of a finished run."""
    stage, split = outcome.stage, recipe.evaluation.split
    return report_of_rows(
        outcome.rows,
        title=recipe.name,
        labels=data.labels.labels,
        neutral=data.labels.neutral,
        split=split,
        samples=recipe.evaluation.bootstrap,
        seed=recipe.seed,
        summary=f"{recipe.backbone.name} on {data.name}, {split} split: {_chosen(stage)}",
        baselines=_baselines(recipe, data),
        curves=_curves(stage),
        notices=_notices(recipe, data, outcome, folder),
        provenance=_provenance(recipe, data, outcome, folder),
    )


def _chosen(stage: StageResult) -> str:
    if not stage.best:
        return f"epoch {stage.best_epoch}, the last"
    return f"epoch {stage.best_epoch}, chosen by validation W-F1 {100 * stage.best['weighted_f1']:.2f}"


def _curves(stage: StageResult) -> Curves:
    losses = tuple((row["step"], row["loss"]) for row in stage.curves if "loss" in row)
    validation = tuple((row["epoch"], row["validation"]["weighted_f1"]) for row in stage.curves if "validation" in row)
    return Curves(loss=losses, validation=validation, best_epoch=stage.best_epoch)


def _baselines(recipe: Recipe, data: RunData) -> Mapping[str, Scores]:
    names, split = recipe.evaluation.baselines, recipe.evaluation.split
    if data.corpus is None or not names:
        return {}
    return {TITLES[name]: scores for name, scores in run_baselines(data.corpus, names, split=split).items()}


def _notices(recipe: Recipe, data: RunData, outcome: Outcome, folder: Path) -> tuple[str, ...]:
    stage, prompts = outcome.stage, recipe.data.prompts
    began, now = read_state(folder)["versions"], versions()
    changed = [
        f"{name} {began.get(name)}, then {version}" for name, version in now.items() if began.get(name) != version
    ]
    both = recipe.window.context == "both" and data.corpus is not None
    candidates = (
        (
            stage.dropped_turns,
            f"Training prompts lost {stage.dropped_turns} of their oldest turns: they were too long.",
        ),
        (stage.cut_prompts, f"{stage.cut_prompts} training prompts lost their beginning: they were too long."),
        (outcome.cut_prompts, f"{outcome.cut_prompts} measured prompts lost their beginning: they were too long."),
        (not data.labelled("validation"), "There was no validation split: the last epoch was kept."),
        (both, "Prompts show turns after the target (window.context: both): a task of its own."),
        (prompts and prompts.single, "One prompt file served training and measurement: a smoke test, no measurement."),
        (changed, f"Begun and ended under different versions: {'; '.join(changed)}."),
    )
    return tuple(text for holds, text in candidates if holds)


def _provenance(recipe: Recipe, data: RunData, outcome: Outcome, folder: Path) -> dict[str, dict[str, Any]]:
    state, peak = read_state(folder), peak_memory_mib()
    return {
        "Data": {
            "corpus": data.name,
            **{split: _counted(data, split) for split in SPLITS},
            "hash": data.hash[:12],
        },
        "Method": _method(recipe, data, outcome),
        "Run": {
            "training seconds": round(state["seconds"], 1),
            "seconds in all": round(outcome.seconds, 1),
            "peak memory MiB": None if peak is None else round(peak),
            "revision": state["revision"],
            **machine(),
        },
        "Versions": versions(),
    }


def _method(recipe: Recipe, data: RunData, outcome: Outcome) -> dict[str, Any]:
    workload = outcome.stage.workload
    window = ", ".join(f"{name} {value}" for name, value in data.spec.window.to_json().items())
    return {
        "backbone": recipe.backbone.name,
        "backbone revision": outcome.revision,
        "wording": READY_MADE if data.corpus is None else recipe.prompt.wording,
        "window": READY_MADE if data.corpus is None else window,
        "adapter": recipe.adapter.method,
        "dtype": recipe.backbone.dtype,
        "precision": recipe.training.precision,
        "batching": recipe.training.batching,
        "batches": workload.batches,
        "a step": workload.steps,
        "tokens": str(workload.tokens),
        "learning rate": recipe.training.learning_rate,
        "epochs": recipe.training.epochs,
        "recognition": recipe.recognition.mode,
        "prompt hash": data.spec.hash,
        "seed": recipe.seed,
    }


def _counted(data: RunData, split: Split) -> str:
    if data.corpus is None:
        return f"{data.labelled(split)} prompts"
    return f"{len(data.conversations(split))} conversations, {data.labelled(split)} turns"
