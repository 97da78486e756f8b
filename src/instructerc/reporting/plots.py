"""PNG plots, drawn without a display and without matplotlib's global state."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from instructerc.evaluation import Scores
from instructerc.reporting.figures import OUTSIDE, validation_title
from instructerc.reporting.fonts import png
from instructerc.reporting.palette import palette
from instructerc.reporting.report import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a plot.

    Attributes:
        ground: Behind everything.
        ink: Text, frame and ticks.
        faint: Grid.
        first: The first line.
        second: The second line.
    """

    ground: str
    ink: str
    faint: str
    first: str
    second: str


LIGHT = Theme(ground="#ffffff", ink="#24292f", faint="#d8dee4", first="#0072b2", second="#d55e00")
DARK = Theme(ground="#161b22", ink="#e6edf3", faint="#30363d", first="#56b4e9", second="#e69f00")


def totals_png(totals: Mapping[str, int], *, theme: Theme = LIGHT) -> bytes:
    """How often each emotion was recognised: a bar a label, in its colour, with its number.

    Args:
        totals: Turns of each label.
        theme: Colours.
    """
    marks, labels = palette(list(totals)), list(totals)[::-1]
    with _figure(6.4, 1.2 + 0.38 * len(labels), theme) as (figure, image):
        axes = figure.add_subplot()
        places = range(len(labels))
        bars = axes.barh(places, [totals[label] for label in labels], color=[marks[label].colour for label in labels])
        axes.bar_label(bars, labels=[f"{totals[label]:,}" for label in labels], padding=4, color=theme.ink, fontsize=9)
        axes.set_yticks(places, labels)
        _literal(axes.get_yticklabels())
        axes.set_xlabel("turns")
        axes.margins(x=0.12)
        _colour(axes, theme, grid=True)
        _save(figure, image)
    return image.getvalue()


def confusion_png(scores: Scores, *, theme: Theme = LIGHT) -> bytes:
    """The confusion matrix: counts, shaded by their share of the gold turns of their row.

    Args:
        scores: What to draw; answers outside the label set get a column of their own where there are any.
        theme: Colours.
    """
    columns = [*scores.labels, *([OUTSIDE] if any(scores.outside) else [])]
    counts = [[*row, outside][: len(columns)] for row, outside in zip(scores.confusion, scores.outside, strict=True)]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    side = 2.6 + 0.62 * len(scores.labels)
    with _figure(side + 0.8, side, theme) as (figure, image):
        axes = figure.add_subplot()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for number, row in enumerate(counts):
            for column, count in enumerate(row):
                ink = "white" if shares[number][column] > 0.55 else "#24292f"
                axes.text(column, number, str(count), ha="center", va="center", color=ink, fontsize=9)
        _ticks(axes, columns, scores.labels)
        _colour(axes, theme, grid=False)
        axes.set_xlabel("recognised")
        axes.set_ylabel("gold")
        axes.set_title("Turns by gold and recognised emotion", color=theme.ink, fontsize=11, loc="left")
        _save(figure, image)
    return image.getvalue()


@lru_cache(maxsize=8)  # the page and the file beside it show the same picture, and drawing takes half a second
def curves_png(curves: Curves, *, theme: Theme = LIGHT) -> bytes:
    """Training loss by step, and the validation figure by epoch.

    Args:
        curves: What to draw; values that are no numbers are left out.
        theme: Colours.
    """
    panels = [name for name in ("loss", "validation") if _finite(getattr(curves, name))] or ["loss"]
    with _figure(5.2 * len(panels), 3.4, theme) as (figure, image):
        for number, name in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), number)
            if name == "loss":
                _loss(axes, curves, theme)
            else:
                _validation(axes, curves, theme)
            _colour(axes, theme, grid=True)
        _save(figure, image)
    return image.getvalue()


def _loss(axes: Axes, curves: Curves, theme: Theme) -> None:
    at, values = _columns(curves.loss)
    axes.plot(at, values, color=theme.first, linewidth=1.2, alpha=0.4 if len(at) > 20 else 1)
    if len(at) > 20:  # single steps are noisy: a running mean beside them
        axes.plot(at, _smooth(values), color=theme.first, linewidth=2)
    axes.set_xlabel("step")
    axes.set_title("Training loss", color=theme.ink, fontsize=11, loc="left")


def _validation(axes: Axes, curves: Curves, theme: Theme) -> None:
    from matplotlib.ticker import MaxNLocator

    at, values = _columns(curves.validation)
    axes.plot(at, [100 * value for value in values], color=theme.second, linewidth=2, marker="o", markersize=5)
    for epoch, best in zip(at, values, strict=True):
        if epoch != curves.best_epoch:
            continue
        axes.plot([epoch], [100 * best], marker="o", markersize=12, fillstyle="none", color=theme.ink)
        axes.annotate(
            f"kept: {100 * best:.2f}",
            (epoch, 100 * best),
            xytext=(0, 12),
            textcoords="offset points",
            ha="center",
            color=theme.ink,
            fontsize=9,
        )
        axes.margins(x=0.12, y=0.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_title(validation_title(curves), color=theme.ink, fontsize=11, loc="left")


def _finite(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(at, value) for at, value in pairs if math.isfinite(at) and math.isfinite(value)]


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    finite = _finite(pairs)
    return [at for at, _ in finite], [value for _, value in finite]


def _smooth(values: Sequence[float], weight: float = 0.9) -> list[float]:
    smoothed: list[float] = []
    for value in values:
        smoothed.append(value if not smoothed else weight * smoothed[-1] + (1 - weight) * value)
    return smoothed


def _ticks(axes: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    _literal([*axes.get_xticklabels(), *axes.get_yticklabels()])


def _literal(texts: Sequence[Text]) -> None:
    for text in texts:
        text.set_parse_math(False)  # a label may hold a dollar sign


def _colour(axes: Axes, theme: Theme, *, grid: bool) -> None:
    axes.set_facecolor(theme.ground)
    axes.tick_params(colors=theme.ink, labelsize=9)
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)
    for name, spine in axes.spines.items():
        spine.set_color(theme.faint)
        spine.set_visible(not grid or name in ("left", "bottom"))
    if grid:
        axes.grid(color=theme.faint, linewidth=0.6)
        axes.set_axisbelow(True)


@contextmanager
def _figure(width: float, height: float, theme: Theme) -> Iterator[tuple[Figure, io.BytesIO]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor=theme.ground, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure, io.BytesIO()


def _save(figure: Any, image: io.BytesIO) -> None:
    image.write(png(figure, dpi=150))
