"""A table with an axis as curves: reported dashed, reproduced solid."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from instructerc.reporting.palette import ANGER, DISGUST, EXCITEMENT, FEAR, JOY, SADNESS, SURPRISE
from instructerc.reporting.plots import LIGHT, Theme
from instructerc.reproduction.lines import Line
from instructerc.reproduction.table import Axis, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = tuple(mark.colour for mark in (SADNESS, ANGER, DISGUST, JOY, FEAR, SURPRISE, EXCITEMENT))
"""Of the rows, in their order: the report's own palette."""

MARKERS = "os^Dvx*"
"""Of the rows as well: a colour never stands alone."""


def axis_png(table: Table, lines: Sequence[Line], *, theme: Theme = LIGHT) -> bytes:
    """A panel a corpus: weighted F1 times 100 over the axis, a curve a row.

    Bars show the deviation of several seeds, or the bootstrap interval of one.

    Args:
        table: A table with an axis.
        lines: Its lines; those without any figure are left out.
        theme: Colours.

    Returns:
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    axis = table.axis
    assert axis is not None
    corpora = list(dict.fromkeys(line.corpus for line in lines)) or [""]
    figure = Figure(figsize=(1.0 + 4.4 * len(corpora), 4.2), facecolor=theme.ground, layout="constrained")
    FigureCanvasAgg(figure)
    for number, corpus in enumerate(corpora, start=1):
        axes = figure.add_subplot(1, len(corpora), number)
        _panel(axes, axis, [line for line in lines if line.corpus == corpus], table)
        _frame(axes, axis, corpus, theme)
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    handles = {label: curve for curves, labels in found for curve, label in zip(curves, labels, strict=True)}
    if handles:
        legend = figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=8)
        legend.get_frame().set(facecolor=theme.ground, edgecolor=theme.faint)
        for text in legend.get_texts():
            text.set(color=theme.ink, parse_math=False)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150)
    return image.getvalue()


def _panel(axes: Axes, axis: Axis, lines: Sequence[Line], table: Table) -> None:
    names = [row.name for row in table.rows]
    drawn: set[tuple[tuple[float, float], ...]] = set()
    for name in dict.fromkeys(line.row for line in lines):
        own = [line for line in lines if line.row == name]
        number = names.index(name)
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        reported = tuple((axis.place(line.value), line.reported.value) for line in own if line.reported is not None)
        if reported and reported not in drawn:  # two rows may stand beside one reported curve
            drawn.add(reported)
            at, values = zip(*sorted(reported), strict=True)
            title = f"{own[0].title}, reported"
            axes.plot(at, values, color=colour, linestyle="--", linewidth=1.2, label=title)
        found = sorted((line for line in own if line.mean is not None), key=lambda line: axis.place(line.value))
        if found:
            axes.errorbar(
                [axis.place(line.value) for line in found],
                [line.mean or 0.0 for line in found],
                yerr=[[_reach(line)[side] for line in found] for side in (0, 1)],
                color=colour,
                marker=marker,
                markersize=5,
                linewidth=2,
                elinewidth=1,
                capsize=2,
                label=own[0].title,
            )


def _reach(line: Line) -> tuple[float, float]:
    """How far the bar of a point goes down and up."""
    if line.deviation is not None:
        return line.deviation, line.deviation
    if line.interval is not None and line.mean is not None:
        # A resampled interval need not hold its own estimate.
        return max(0.0, line.mean - line.interval[0]), max(0.0, line.interval[1] - line.mean)
    return 0.0, 0.0


def _frame(axes: Axes, axis: Axis, corpus: str, theme: Theme) -> None:
    if axis.scale == "log":
        axes.set_xscale("log", base=2)
    places = {axis.place(value): value for value in axis.values}
    axes.set_xticks(list(places), list(places.values()))
    axes.minorticks_off()
    axes.set_facecolor(theme.ground)
    axes.tick_params(colors=theme.ink, labelsize=9)
    axes.set_xlabel(axis.title, color=theme.ink, parse_math=False)
    axes.set_ylabel("weighted F1", color=theme.ink)
    axes.set_title(corpus, color=theme.ink, fontsize=11, loc="left", parse_math=False)
    for name, spine in axes.spines.items():
        spine.set_color(theme.faint)
        spine.set_visible(name in ("left", "bottom"))
    axes.grid(color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
