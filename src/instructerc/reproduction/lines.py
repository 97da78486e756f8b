"""Results of cells beside what was reported: a line for each row, corpus and value."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from instructerc.reproduction.grid import Request, runnable_rows, wanted_corpora, wanted_rows, wanted_values
from instructerc.reproduction.results import CellResult, Figure, distinct_marks
from instructerc.reproduction.settings import differing
from instructerc.reproduction.table import Reported, Row, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a table on one corpus, at one value of its axis.

    Attributes:
        row: Name of the row.
        title: What the table calls it.
        corpus: Name of the corpus.
        value: Value of the axis; empty where there is none.
        runnable: Whether runs can fill it; the others are reported only.
        reported: What the paper reports; None where it reports nothing.
        figures: What was measured, by seed.
        marks: What a reader has to know.
        seconds: Mean wall time of a training; None where that is not known.
        shown: Means of the report's figures that the table shows as well, fractions.
    """

    row: str
    title: str
    corpus: str
    value: str
    runnable: bool
    reported: Reported | None
    figures: Mapping[int, Figure] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    seconds: float | None = None
    shown: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        """Mean weighted F1 of the seeds, times 100; None where nothing was run."""
        found = self._percents()
        return statistics.mean(found) if found else None

    @property
    def deviation(self) -> float | None:
        """Sample deviation (n - 1) of the seeds, times 100; None with fewer than two."""
        found = self._percents()
        return statistics.stdev(found) if len(found) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Bootstrap interval of a single seed, times 100; None with several, or where the report holds none."""
        if len(self.figures) != 1:
            return None
        [figure] = self.figures.values()
        return None if figure.low is None or figure.high is None else (100 * figure.low, 100 * figure.high)

    @property
    def difference(self) -> float | None:
        """Reproduced minus reported, in points; None where one of them is missing."""
        return None if self.mean is None or self.reported is None else self.mean - self.reported.value

    def to_json(self) -> dict[str, Any]:
        """The line as plain values."""
        return {
            "row": self.row,
            "title": self.title,
            "corpus": self.corpus,
            "value": self.value or None,
            "reported only": not self.runnable,
            "reported": None if self.reported is None else self.reported.value,
            "reported deviation": None if self.reported is None else self.reported.deviation,
            "reproduced": self.mean,
            "deviation": self.deviation,
            "interval": None if self.interval is None else list(self.interval),
            "difference": self.difference,
            "seeds": {str(seed): 100 * figure.weighted_f1 for seed, figure in self.figures.items()},
            "marks": list(self.marks),
            "seconds": self.seconds,
            "shown": dict(self.shown),
        }

    def _percents(self) -> list[float]:
        return [100 * figure.weighted_f1 for figure in self.figures.values()]


def lines_of(table: Table, request: Request, results: Iterable[CellResult]) -> list[Line]:
    """The wanted part of a table, corpus by corpus, with every seed that has a result.

    Args:
        table: The table.
        request: Which rows, corpora and values; its seeds and settings do not matter here.
        results: Results of the table.

    Raises:
        UnknownNameError: The table has no such row, corpus or value.
    """
    found = shown_results(table, request, results)
    runnable = {row.name for row in runnable_rows(table, request)} | {result.row for result in found}
    return [
        line
        for corpus in wanted_corpora(table, request)
        for row in wanted_rows(table, request)
        for value in wanted_values(table, request)
        for line in _lines(table, row, corpus, value, found, runnable=row.name in runnable)
    ]


def shown_results(table: Table, request: Request, results: Iterable[CellResult]) -> list[CellResult]:
    """The results that the wanted part of a table is made of.

    Trainings on several corpora together count only where they are of the wanted corpora; where no corpora were named,
    those of the most corpora do.
    """
    rows = {row.name: row for row in wanted_rows(table, request)}
    corpora, points = wanted_corpora(table, request), wanted_values(table, request)
    fitting = [result for result in results if result.row in rows and result.value in points]
    mixtures = {result.corpora for result in fitting if rows[result.row].mixture}
    mixture = corpora if request.corpora else max(mixtures, key=lambda names: (len(names), names), default=corpora)
    return [
        result
        for result in fitting
        if (result.corpora == mixture if rows[result.row].mixture else result.corpora[0] in corpora)
    ]


def _lines(
    table: Table, row: Row, corpus: str, value: str, results: Sequence[CellResult], *, runnable: bool
) -> Iterator[Line]:
    """The line of a row; none where nothing was reported and nothing can be run."""
    reported = row.reported.get(corpus, {}).get(value)
    if reported is None and not runnable:
        return
    here = [result for result in results if result.row == row.name and result.value == value]
    own = sorted((result for result in here if corpus in result.figures), key=lambda result: result.seed)
    reasons = [result.unmeasured[corpus] for result in here if corpus in result.unmeasured]
    yield Line(
        row=row.name,
        title=row.title,
        corpus=corpus,
        value=value,
        runnable=runnable,
        reported=reported,
        figures={result.seed: result.figures[corpus] for result in own},
        marks=distinct_marks((*_marks(row, own, runnable=runnable), *reasons)),
        seconds=_mean([result.seconds for result in own]),
        shown=_shown(table, own),
    )


def _marks(row: Row, results: Sequence[CellResult], *, runnable: bool) -> tuple[str, ...]:
    marks = [*row.marks, *(mark for result in results for mark in result.marks)]
    if not runnable:
        marks.append("reported only")
    if any(path != "seed" for result in results[1:] for path, _, _ in differing(results[0].setting, result.setting)):
        marks.append("seeds of different settings")
    return distinct_marks(marks)


def _shown(table: Table, results: Sequence[CellResult]) -> dict[str, float]:
    """Means over the seeds of figures in the report's group "Demonstrations"."""
    found = {}
    for name in table.shows:
        values = [result.facts.get("Demonstrations", {}).get(name) for result in results]
        mean = _mean([value for value in values if isinstance(value, int | float)])
        if mean is not None:
            found[name] = mean
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None
