"""A table as Markdown, CSV and JSON, and as a plot where it has an axis."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instructerc.assets import json_bytes, write_atomically
from instructerc.reporting.markdown import escape
from instructerc.reproduction.differences import published_differences, setting_sentences
from instructerc.reproduction.grid import Request
from instructerc.reproduction.lines import Line, lines_of, shown_results
from instructerc.reproduction.plots import axis_png
from instructerc.reproduction.results import CellResult
from instructerc.reproduction.table import Table

FORMAT = 1
"""Version of `TABLE.json`."""

MISSING = "—"
"""Stands where there is no figure."""

COLUMNS = (
    *("table", "corpus", "row", "value", "reported", "reported deviation", "reproduced", "deviation", "low", "high"),
    *("difference", "seeds", "marks", "seconds"),
)
"""Columns of `TABLE.csv`, before those that the table shows as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A table with what was reproduced of it.

    Attributes:
        table: The table.
        lines: A line for each row, corpus and value that was asked for.
        setting: Sentences on what differs in the setting of the runs; none where nothing was run.
        differences: Values of keys that differ from the published setting: ours, and the published.
    """

    table: Table
    lines: tuple[Line, ...]
    setting: tuple[str, ...] = ()
    differences: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The whole comparison as plain values; figures times 100, those of `shown` fractions."""
        table = self.table
        changed = self.differences.items()
        return {
            "format": FORMAT,
            "table": table.name,
            "title": table.title,
            "source": table.source,
            "metric": "weighted F1, times 100",
            "note": table.note,
            "setting": list(self.setting),
            "differences": {path: {"ours": ours, "published": theirs} for path, (ours, theirs) in changed},
            "lines": [line.to_json() for line in self.lines],
        }


def compared(table: Table, request: Request, results: Sequence[CellResult]) -> Comparison:
    """The wanted part of a table beside the results that there are.

    Args:
        table: The table.
        request: Which part.
        results: Results of the table.

    Raises:
        UnknownNameError: The table has no such row, corpus or value.
    """
    shown = shown_results(table, request, results)
    changed = published_differences(table, shown)
    return Comparison(
        table=table,
        lines=tuple(lines_of(table, request, shown)),
        setting=tuple(setting_sentences(table, shown, changed)),
        differences=changed,
    )


def write_comparison(comparison: Comparison, folder: Path) -> tuple[Path, ...]:
    """Writes `TABLE.md`, `TABLE.json`, `TABLE.csv`, and `TABLE.png` where the table has an axis.

    Each file is whole or not there; what stood there before is replaced.

    Args:
        comparison: What to write.
        folder: Where to; it is made where it is missing.

    Returns:
        The files, in that order.
    """
    name = comparison.table.name
    contents: dict[str, str | bytes] = {
        f"{name}.md": to_markdown(comparison),
        f"{name}.json": json_bytes(comparison.to_json()),
        f"{name}.csv": to_csv(comparison),
    }
    if comparison.table.axis is not None:
        contents[f"{name}.png"] = axis_png(comparison.table, comparison.lines)
    return tuple(write_atomically(Path(folder) / file, content) for file, content in contents.items())


def to_markdown(comparison: Comparison) -> str:
    """The comparison as Markdown: a section a corpus, what differs in the setting, and the table's own note."""
    return "\n".join(_markdown(comparison)) + "\n"


def to_csv(comparison: Comparison) -> str:
    """The comparison as CSV: a line a row, corpus and value; an empty cell where there is no figure."""
    shows = comparison.table.shows
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*COLUMNS, *shows])
    for line in comparison.lines:
        low, high = line.interval or (None, None)
        reported = line.reported
        figures = (
            *(None if reported is None else reported.text, None if reported is None else reported.deviation),
            *(_number(figure) for figure in (line.mean, line.deviation, low, high, line.difference)),
        )
        writer.writerow(
            [
                *(comparison.table.name, line.corpus, line.row, line.value, *figures),
                *(len(line.figures), "; ".join(line.marks), _number(line.seconds, 1)),
                *(_number(line.shown.get(name), 4) for name in shows),
            ]
        )
    return stream.getvalue()


def reproduced_text(line: Line) -> str:
    """Mean and deviation of the seeds; of a single one its bootstrap interval; a dash where nothing was run.

    Example:
        >>> reproduced_text(Line(row="full", title="", corpus="meld", value="", runnable=True, reported=None))
        '—'
    """
    if line.mean is None:
        return MISSING
    if line.deviation is not None:
        return f"{line.mean:.2f} ± {line.deviation:.2f}"
    return f"{line.mean:.2f}" + (
        "" if line.interval is None else f" ({line.interval[0]:.2f} to {line.interval[1]:.2f})"
    )


def duration(seconds: float | None) -> str:
    """Wall time for people.

    Example:
        >>> duration(42), duration(600), duration(9000), duration(None)
        ('42 s', '10 min', '2.5 h', '—')
    """
    if seconds is None:
        return MISSING
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _markdown(comparison: Comparison) -> Iterator[str]:
    table = comparison.table
    yield f"# {escape(table.title)}"
    yield from ("", "Weighted F1, times 100." + (f" Reported: {escape(table.source)}." if table.source else ""))
    missing = sum(line.runnable and not line.figures for line in comparison.lines)
    if missing:
        yield from ("", f"Figures that are missing ({MISSING}): {missing}.")
    for corpus in dict.fromkeys(line.corpus for line in comparison.lines):
        yield from ("", f"## {escape(corpus)}", "")
        yield from _section(table, [line for line in comparison.lines if line.corpus == corpus])
    if table.axis is not None:
        yield from ("", f"![{escape(table.title)}]({table.name}.png)")
    if comparison.setting:
        yield from ("", "## What differs in the setting", "", " ".join(map(escape, comparison.setting)))
    yield from ("", "Reproduced: mean ± sample deviation of the seeds, or one seed and its 95 % bootstrap interval.")
    if table.note:
        yield from ("", table.note)  # Markdown, by whoever wrote the table


def _section(table: Table, lines: Sequence[Line]) -> Iterator[str]:
    axis = [] if table.axis is None else [escape(table.axis.title)]
    head = ["Row", *axis, "Reported", "Reproduced", "Difference", "Seeds", *map(escape, table.shows)]
    yield f"| {' | '.join([*head, 'Wall time', 'Marks'])} |"
    yield "|---|" + "---:|" * len(head) + "---|"
    for line in lines:
        cells = [
            escape(line.title),
            *([escape(line.value)] if axis else []),
            MISSING if line.reported is None else str(line.reported),
            reproduced_text(line),
            MISSING if line.difference is None else f"{line.difference:+.2f}",
            str(len(line.figures)) if line.figures else MISSING,
            *(_share(line.shown.get(name)) for name in table.shows),
            duration(line.seconds),
            escape("; ".join(line.marks)),
        ]
        yield f"| {' | '.join(cells)} |"


def _share(fraction: float | None) -> str:
    return MISSING if fraction is None else f"{100 * fraction:.1f} %"


def _number(value: float | None, digits: int = 2) -> str | None:
    return None if value is None else f"{value:.{digits}f}"
