"""What differs between the runs behind a table and the published setting, computed from the runs themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from instructerc.errors import UsageError
from instructerc.reproduction.grid import PUBLISHED_RECIPE, Request, expand, over
from instructerc.reproduction.results import CellResult
from instructerc.reproduction.settings import differing, setting_of
from instructerc.reproduction.table import Table

SELECTION = {"checkpoints.select": "test"}
"""How the released code chooses the epoch of whatever it trains (method §9)."""

OF_THE_CELL = ("seed", "data.corpus")
"""Keys that tell cells apart; sentences of their own speak of them."""


def setting_sentences(table: Table, results: Sequence[CellResult], changed: Mapping[str, tuple[str, str]]) -> list[str]:
    """Sentences on backbone, seeds, what is missing, and every key that differs from the published setting.

    Args:
        table: The table.
        results: The results that it is made of.
        changed: What `published_differences` says of them.

    Returns:
        No sentence where there is no result.
    """
    if not results:
        return []
    sentences = [_seeds(table, results), *_parts(table, results)]
    if not table.backbone:
        backbones = sorted({result.backbone for result in results})
        return [f"Backbone: {', '.join(backbones)}.", *sentences]
    listed = "; ".join(f"{path} {ours} (published: {theirs})" for path, (ours, theirs) in changed.items())
    return [*sentences, f"Settings: {listed}." if listed else "Settings: as published."]


def published_differences(table: Table, results: Sequence[CellResult]) -> dict[str, tuple[str, str]]:
    """Keys whose values differ from those that the same cells have in the published setting, with both as text.

    Args:
        table: The table; its backbone is the published one. Without one there is nothing to compare with.
        results: The results to compare.
    """
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for result in results if table.backbone else ():
        published = _published(table, result)
        for path, ours, theirs in differing(result.setting, published) if published is not None else ():
            if path in OF_THE_CELL:
                continue
            mine, other = found.setdefault(path, ({}, {}))
            mine[_text(path, ours)] = None
            other[_text(path, theirs)] = None
    return {path: (" or ".join(ours), " or ".join(theirs)) for path, (ours, theirs) in found.items()}


def _published(table: Table, result: CellResult) -> dict[str, Any] | None:
    """The setting that the figures beside a result were reported with; None where the table has no such cell."""
    request = Request(
        backbone=table.backbone,
        recipe=PUBLISHED_RECIPE,
        rows=(result.row,),
        corpora=result.corpora,
        values=(result.value,) if result.value else (),
        seeds=(result.seed,),
    )
    try:
        cells = [cell for cell in expand(table, request) if cell.corpora == result.corpora]
        if not cells:
            return None
        trained = cells[0].resolve().recipe.adapter.method != "none"
        made_with = {**(SELECTION if trained else {}), **table.row(result.row).reported_with}
        return setting_of(replace(cells[0], overrides=over(cells[0].overrides, made_with)).resolve())
    except UsageError:  # a row that the table no longer has, or keys that this version does not know
        return None


def _seeds(table: Table, results: Sequence[CellResult]) -> str:
    seeds = sorted({result.seed for result in results})
    ours = f"Seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return f"{ours} (published: the mean of {table.runs} runs)." if table.runs else f"{ours}."


def _parts(table: Table, results: Sequence[CellResult]) -> list[str]:
    """Corpora and values of the axis that no result is of, and which corpora were trained together."""
    learned = {corpus for result in results for corpus in (*result.figures, *result.unmeasured)}
    sentences = []
    absent = [corpus for corpus in table.corpora if corpus not in learned]
    if absent:
        sentences.append(f"Nothing was run on {', '.join(absent)}.")
    points = {result.value for result in results}
    absent = [value for value in table.values if value not in points]
    if absent and table.axis is not None:
        sentences.append(f"Nothing was run at {', '.join(absent)} ({table.axis.title}).")
    mixtures = {row.name for row in table.rows if row.mixture}
    together = sorted({" + ".join(result.corpora) for result in results if result.row in mixtures})
    if together:
        sentences.append(f"Trained together: {', '.join(together)} (published: {' + '.join(table.corpora)}).")
    return sentences


def _text(path: str, value: Any) -> str:
    if path == "stages" and isinstance(value, list):
        return " then ".join(_stage(stage) for stage in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _stage(stage: dict[str, Any]) -> str:
    tasks = " + ".join(f"{weight:g} {task}" for task, weight in stage["tasks"].items())
    epochs = stage.get("epochs")
    return f"{tasks} ({epochs} epochs)" if epochs else tasks
