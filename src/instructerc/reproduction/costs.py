"""What runs cost: counted in examples that are learned from, and in hours where a rate is known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instructerc.experiments.resolve import Resolved
    from instructerc.experiments.schema import Recipe
    from instructerc.reproduction.results import CellResult

EMBEDDED_SECONDS = 360 / 9989
"""Seconds an example takes on the embedded backbone where nothing was measured: an epoch of MELD's 9,989 training
turns in the compact-repeated wording in about six minutes, on two processor cores at one thread. An estimate."""


def passes_of(resolved: Resolved) -> float | None:
    """Examples that a run learns from: for each stage its epochs times training turns times tasks.

    Early stopping may end sooner. None where the corpus is none of the catalogue, so that nobody knows its turns.

    Example:
        >>> from instructerc.experiments.resolve import resolve
        >>> passes_of(resolve("meld", ["training.epochs=2"]))
        19978.0
    """
    from instructerc.experiments.stages import plan_stages

    stages = plan_stages(resolved.recipe, Path())
    if not stages:
        return 0.0
    turns = _turns(resolved.recipe)
    if turns is None:
        return None
    return float(sum(stage.settings.epochs * len(stage.tasks) for stage in stages) * turns)


def seconds_per_pass(results: Iterable[CellResult], backbone: str) -> tuple[float | None, bool]:
    """Seconds that an example takes, and whether that was measured by finished cells of the backbone.

    Args:
        results: Finished cells.
        backbone: The backbone.
    """
    seconds = passes = 0.0
    for result in results:
        tried_out = "data.limit" in result.setting  # loading would count more than learning
        if result.backbone == backbone and result.passes and result.seconds and not tried_out:
            seconds, passes = seconds + result.seconds, passes + result.passes
    if passes:
        return seconds / passes, True
    return (EMBEDDED_SECONDS if backbone == "embedded" else None), False


def _turns(recipe: Recipe) -> float | None:
    """Training turns of the recipe's corpora."""
    from instructerc.corpora import SOURCES

    data = recipe.data
    if data.prompts is not None or any(name not in SOURCES for name in data.corpora):
        return None
    turns = 0.0
    for name in data.corpora:
        counts = SOURCES[name].counts["train"]
        share = 1.0 if data.limit is None else min(1.0, data.limit / counts.conversations)
        turns += share * counts.utterances
    return turns * data.fraction
