"""The report of a run: its figures, how they came about, and what a reader has to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.backbones.backbone import Style
from instructerc.baselines.registry import TITLES, run_baselines
from instructerc.conversation import SPLITS, Split
from instructerc.demonstrations.statistics import demonstration_statistics
from instructerc.evaluation import Scores
from instructerc.evaluation.sources import evaluate_by_source
from instructerc.experiments.asking import Asked
from instructerc.experiments.data import RunData
from instructerc.experiments.folder import read_state
from instructerc.experiments.provenance import machine, peak_memory_mib, versions
from instructerc.experiments.stages import Stage
from instructerc.experiments.starting import start_notice
from instructerc.experiments.watching import RunWatcher, Silent
from instructerc.recognition.predictions import TurnPrediction
from instructerc.reporting.report import Curves, Report, report_of_rows
from instructerc.training.curves import FITTED, SELECTION, chosen_by
from instructerc.training.stage import StageResult

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe

_OF_ASKING = ("backbone", "wording", "window", "adapter", "recognition", "prompt hash", "seed")
"""What there is to say of the method where a server runs the model."""

READY_MADE = "as in the prompt files"
"""What stands for wording and window where the recipe brings its prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """What prompts lost: those of the measured split, because they were too long; turns stand in the predictions.

    Attributes:
        cut_prompts: Ready-made prompts that lost their beginning.
        dropped_demonstrations: Demonstrations that are not shown.
        unknown: A notice of words that the backbone does not know, which are lost on it; empty where it knows them.
    """

    cut_prompts: int = 0
    dropped_demonstrations: int = 0
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run has to tell.

    Attributes:
        rows: Predictions of the measured split.
        stages: The stages of the training, and how each went; none where nothing was trained.
        revision: Commit of the backbone on the hub; None where there is none.
        shortened: What prompts of the measured split lost.
        seconds: Wall time so far.
        asked: What asking a server came to; None where the model ran here.
        style: How prompts were put to the model.
    """

    rows: Sequence[TurnPrediction]
    stages: Sequence[tuple[Stage, StageResult]]
    revision: str | None
    shortened: Shortened
    seconds: float
    asked: Asked | None = None
    style: Style = "plain"

    @property
    def last(self) -> StageResult | None:
        """The stage whose model is that of the run."""
        return self.stages[-1][1] if self.stages else None


def run_report(
    recipe: Recipe, data: RunData, outcome: Outcome, folder: Path, *, watcher: RunWatcher | None = None
) -> Report:
    """The report of a finished run; its baselines are fitted for it, which the watcher is told."""
    split = recipe.evaluation.split
    chooser = recipe.checkpoints.select
    curves = {stage.name: _curves(stage, result, chooser) for stage, result in outcome.stages}
    sources = _sources(data, outcome)
    return report_of_rows(
        outcome.rows,
        title=recipe.name,
        labels=data.labels.labels,
        neutral=data.labels.neutral,
        split=split,
        samples=recipe.evaluation.bootstrap,
        seed=recipe.seed,
        summary=f"{_model(recipe, outcome)} on {data.name}, {split} split: {_chosen(recipe, outcome.last)}",
        baselines=_baselines(recipe, data, watcher or Silent()),
        sources=sources,
        marks=_marks(recipe, data),
        curves=curves.pop(outcome.stages[-1][0].name) if outcome.stages else None,
        stages=curves,
        notices=_notices(recipe, data, outcome, folder, sources),
        provenance=_provenance(recipe, data, outcome, folder),
    )


def _model(recipe: Recipe, outcome: Outcome) -> str:
    return recipe.backbone.name if outcome.asked is None else outcome.asked.model


def _chosen(recipe: Recipe, result: StageResult | None) -> str:
    if result is None:
        return "few-shot, not trained" if recipe.demonstrations.pairing else "zero-shot, not trained"
    if not result.best:
        return f"epoch {result.best_epoch}, the last"
    figure = chosen_by(result.best)
    fitted = f"{figure.removeprefix(FITTED).replace('_', ' ')} with fitted decisions"
    title = "W-F1" if figure == SELECTION else fitted
    return f"epoch {result.best_epoch}, chosen by {recipe.checkpoints.select} {title} {100 * result.best[figure]:.2f}"


def _curves(stage: Stage, result: StageResult, split: Split) -> Curves:
    losses = tuple((row["step"], row["loss"]) for row in result.curves if "loss" in row)
    validation = tuple((row["epoch"], row["validation"]["weighted_f1"]) for row in result.curves if "validation" in row)
    return Curves(loss=losses, validation=validation, best_epoch=result.best_epoch, task=stage.validated, split=split)


def _sources(data: RunData, outcome: Outcome) -> Mapping[str, Scores]:
    """Scores of each corpus of a mixture, over the labels that it can carry."""
    if data.mixture is None:
        return {}
    found = evaluate_by_source(
        outcome.rows,
        labels=data.labels.labels,
        neutral=data.labels.neutral,
        sources=data.mixture.sources,
        labels_of=data.mixture.labels_of,
    )
    return found.by_source


def _marks(recipe: Recipe, data: RunData) -> tuple[str, ...]:
    """What makes the figure no ordinary result."""
    trained, chosen, measured = recipe.adapter.method != "none", recipe.checkpoints.select, recipe.evaluation.split
    leaks = None if data.leaks is None else data.leaks.mark
    candidates = (
        (trained and chosen == "test", "test-selected epoch"),
        (trained and chosen == measured == "validation", "epoch chosen by the measured split (validation)"),
        (leaks, str(leaks)),
        (recipe.demonstrations.pairing == "oracle", "oracle demonstrations: chosen by the right answers"),
        (recipe.window.context == "both" and data.corpus is not None, "sees turns after the target"),
    )
    return tuple(text for holds, text in candidates if holds)


def wanted_baselines(recipe: Recipe, data: RunData) -> tuple[str, ...]:
    """The baselines that stand beside the figure; none where there is nothing to fit them on."""
    return recipe.evaluation.baselines if data.corpus is not None and data.labelled("train") else ()


def _baselines(recipe: Recipe, data: RunData, watcher: RunWatcher) -> Mapping[str, Scores]:
    names = wanted_baselines(recipe, data)
    if data.corpus is None or not names:
        return {}
    found = run_baselines(data.corpus, names, split=recipe.evaluation.split, watcher=watcher)
    return {TITLES[name]: scores for name, scores in found.items()}


def _notices(
    recipe: Recipe, data: RunData, outcome: Outcome, folder: Path, scored: Mapping[str, Scores]
) -> tuple[str, ...]:
    results, prompts = [result for _, result in outcome.stages], recipe.data.prompts
    dropped = sum(result.dropped_turns for result in results)
    cut = sum(result.cut_prompts for result in results)
    lost, short, asked = sum(result.dropped_demonstrations for result in results), outcome.shortened, outcome.asked
    unshown = short.dropped_demonstrations + (0 if asked is None else asked.dropped_demonstrations)
    unlabelled = [source for source in (data.mixture.sources if data.mixture else ()) if source not in scored]
    began, now = read_state(folder)["versions"], versions()
    changed = [
        f"{name} {began.get(name)}, then {version}" for name, version in now.items() if began.get(name) != version
    ]
    both = recipe.window.context == "both" and data.corpus is not None
    candidates = (
        (dropped, f"Training prompts lost {dropped} of their oldest turns: they were too long."),
        (cut, f"{cut} training prompts lost their beginning: they were too long."),
        (lost, f"Training prompts lost {lost} demonstrations: they were too long."),
        (short.unknown, short.unknown),
        (short.cut_prompts, f"{short.cut_prompts} measured prompts lost their beginning: they were too long."),
        (
            unshown,
            f"Measured prompts lost {unshown} demonstrations: they were too long.",
        ),
        (
            results and not data.labelled(recipe.checkpoints.select),
            f"There was no {recipe.checkpoints.select} split: the last epoch was kept.",
        ),
        (data.leaks is not None, data.leaks.summary if data.leaks is not None else ""),
        (data.start is not None, start_notice(data.start) if data.start is not None else ""),
        (data.teaching.teachers, data.teaching.notice),
        (
            recipe.evaluation.baselines and data.corpus and not data.labelled("train"),
            "There are no baselines: no training turn carries a label.",
        ),
        (
            recipe.evaluation.split == "validation" and "encoder" in wanted_baselines(recipe, data),
            f"The baseline {TITLES['encoder']!r} chose its epoch on validation, the measured split.",
        ),
        (unlabelled, f"{', '.join(unlabelled)}: no labelled turn in the measured split, so no figure of its own."),
        (both, "Prompts show turns after the target (window.context: both): a task of its own."),
        (prompts and prompts.single, "One prompt file served training and measurement: a smoke test, no measurement."),
        (changed, f"Begun and ended under different versions: {'; '.join(changed)}."),
    )
    told = () if asked is None else asked.notices
    return tuple(text for holds, text in candidates if holds) + told


def _provenance(recipe: Recipe, data: RunData, outcome: Outcome, folder: Path) -> dict[str, dict[str, Any]]:
    state, peak = read_state(folder), peak_memory_mib()
    shown = {"Demonstrations": _demonstrations(data, outcome, recipe.evaluation.split)} if data.demonstrator else {}
    return {
        "Data": {
            "corpus": data.name,
            **{split: _counted(data, split) for split in SPLITS},
            **_sampling(recipe, data),
            "hash": data.hash[:12],
        },
        "Method": _method(recipe, data, outcome),
        **({} if outcome.asked is None else {"Endpoint": dict(outcome.asked.facts)}),
        **shown,
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
    workloads = [(stage.name, result.workload) for stage, result in outcome.stages]
    window = ", ".join(f"{name} {value}" for name, value in data.spec.window.to_json().items())
    engine, decision = recipe.recognition.engine, recipe.recognition.decision
    method = {
        "backbone": _model(recipe, outcome),
        "backbone revision": outcome.revision,
        "wording": READY_MADE if data.corpus is None else recipe.prompt.wording,
        "window": READY_MADE if data.corpus is None else window,
        **({"prompt style": "chat template"} if outcome.style == "chat" else {}),
        "adapter": recipe.adapter.method,
        **({"begins with": f"model {data.start.hash}"} if data.start is not None else {}),
        "dtype": recipe.backbone.dtype,
        "precision": recipe.training.precision,
        "batching": recipe.training.batching,
        "stages": "; ".join(map(_stage_text, (stage for stage, _ in outcome.stages))) or "none: not trained",
        "batches": _by_stage((name, workload.batches) for name, workload in workloads),
        "a step": _by_stage((name, workload.steps) for name, workload in workloads),
        "tokens": _by_stage((name, str(workload.tokens)) for name, workload in workloads),
        "learning rate": recipe.training.learning_rate,
        "epochs": outcome.stages[-1][0].settings.epochs if outcome.stages else 0,
        "class weights": recipe.training.class_weights,
        "focal gamma": recipe.training.focal_gamma,
        **({"label smoothing": data.teaching.smoothing} if data.teaching.smoothing else {}),
        **({"teachers": _teachers(data)} if data.teaching.teachers else {}),
        **({"averaging": recipe.training.averaging} if recipe.training.averaging is not None else {}),
        "recognition": recipe.recognition.mode + (f", {engine}" if engine == "vllm" else ""),
        **({"decision": f"{decision} on validation"} if decision != "likeliest" else {}),
        "prompt hash": data.spec.hash,
        "seed": recipe.seed,
    }
    if outcome.asked is not None:
        method["recognition"] = f"endpoint, {outcome.asked.facts['answers']} answers"
        return {name: method[name] for name in _OF_ASKING}
    return method


def _sampling(recipe: Recipe, data: RunData) -> Mapping[str, Any]:
    """What was taken of the corpora, where it is not all of one."""
    values = recipe.data
    if data.mixture is not None:
        return data.mixture.settings
    taken: dict[str, Any] = {} if values.fraction == 1 else {"fraction": values.fraction, "unit": values.unit}
    if values.neutral_fraction < 1:
        taken["neutral fraction"] = values.neutral_fraction
    return {**taken, "seed": recipe.seed} if taken else {}


def _teachers(data: RunData) -> str:
    named = ", ".join(teacher.hash for teacher in data.teaching.teachers)
    return f"models {named}, weight {data.teaching.weight:g}"


def _stage_text(stage: Stage) -> str:
    tasks = " + ".join(task if weight == 1 else f"{weight:g} x {task}" for task, weight in stage.tasks.items())
    numbers = f"{stage.settings.epochs} epochs, learning rate {stage.settings.learning_rate:g}"
    return f"{stage.name}: {tasks}, {numbers}" if stage.name else f"{tasks}, {numbers}"


def _by_stage(texts: Iterable[tuple[str, str]]) -> str:
    """What holds in each stage, said once where it is the same in all."""
    found = list(texts)
    if len({text for _, text in found}) == 1:
        return found[0][1]
    return "; ".join(f"{name}: {text}" for name, text in found)


def _demonstrations(data: RunData, outcome: Outcome, split: Split) -> dict[str, Any]:
    """How demonstrations were found, how often they had the right label, and how often they were copied."""
    assert data.demonstrator is not None
    assert data.spec.demonstrations is not None
    answers = {(row.conversation, row.turn): row for row in outcome.rows}
    shown = [turn for conversation in data.demonstrations(split) for turn in conversation]
    rows = [answers[chat.id, turn] for chat in data.conversations(split) for turn in range(len(chat))]
    statistics = demonstration_statistics(
        demonstrations=shown, golds=[row.gold for row in rows], answers=[row.emotion for row in rows]
    )
    rates = {name.replace("_", " "): value for name, value in statistics.to_json().items()}
    return {**data.demonstrator.provenance(), "placement": data.spec.demonstrations.placement, **rates}


def _counted(data: RunData, split: Split) -> str:
    if data.corpus is None:
        return f"{data.labelled(split)} prompts"
    return f"{len(data.conversations(split))} conversations, {data.labelled(split)} turns"
