"""Every table in a line: how many cells it has, how many are done, and what the others cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from instructerc.reproduction.costs import seconds_per_pass
from instructerc.reproduction.grid import Request, expand
from instructerc.reproduction.reading import read_table, table_names
from instructerc.reproduction.results import Results
from instructerc.reproduction.running import Status, status_of
from instructerc.reproduction.settings import setting_of, value_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A table in a line.

    Attributes:
        table: Its name.
        title: Its heading.
        cells: Trainings that it needs.
        done: How many of them have a result, or share one.
        refused: How many cannot be run as asked for.
        passes: Examples that the others learn from; runs that cells share count once. None where that is not known.
        hours: What that takes; None where no rate is known.
        measured: Whether the rate is that of finished cells, rather than a documented default.
    """

    table: str
    title: str
    cells: int
    done: int
    refused: int
    passes: float | None
    hours: float | None
    measured: bool

    def to_json(self) -> dict[str, Any]:
        """The line as plain values."""
        return asdict(self)


def overview(request: Request) -> list[Overview]:
    """All shipped tables, by name.

    Args:
        request: Backbone, recipe, corpora, seeds and settings; rows and values do not matter here.
    """
    results = Results(request.results_folder)
    return [_of_table(name, request, results) for name in table_names()]


def cost_of(statuses: Sequence[Status], results: Results) -> tuple[float | None, float | None, bool]:
    """What cells that are missing cost.

    Args:
        statuses: Of cells, done ones among them.
        results: Finished cells, which tell the rate.

    Returns:
        Examples that are learned from, hours, and whether the rate was measured; None for what is not known.
    """
    missing = {status.key: status for status in statuses if status.state == "missing"}.values()
    if any(status.passes is None for status in missing):
        return None, None, False
    finished = list(results.readable())
    passes = hours = 0.0
    known, measured = True, True
    for status in missing:
        backbone = str(status.cell.overrides.get("backbone.name") or _backbone(status))
        rate, of_cells = seconds_per_pass(finished, backbone)
        passes += status.passes or 0.0
        hours += (rate or 0.0) * (status.passes or 0.0) / 3600
        known, measured = known and (rate is not None or not status.passes), measured and of_cells
    return passes, hours if known else None, measured


def _of_table(name: str, request: Request, results: Results) -> Overview:
    table = read_table(name)
    corpora = tuple(corpus for corpus in request.corpora if corpus in table.corpora)
    cells = expand(table, replace(request, corpora=corpora, rows=(), values=()))
    statuses = [status_of(cell, results) for cell in cells]
    passes, hours, measured = cost_of(statuses, results)
    return Overview(
        table=name,
        title=table.title,
        cells=len(statuses),
        done=sum(status.state in ("done", "same run", "finished") for status in statuses),
        refused=sum(status.state == "refused" for status in statuses),
        passes=passes,
        hours=hours,
        measured=measured,
    )


def _backbone(status: Status) -> str:
    return str(value_of(setting_of(status.cell.resolve()), "backbone.name"))
