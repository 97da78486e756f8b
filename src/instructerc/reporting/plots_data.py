"""Pictures of a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from instructerc.corpora.statistics import CorpusStatistics, Distribution
from instructerc.reporting.fonts import png

_SPLIT_COLOURS = {"train": "#0072B2", "validation": "#E69F00", "test": "#009E73"}
_HATCHES = {"train": "", "validation": "//", "test": ".."}


def plot_statistics(statistics: CorpusStatistics, path: Path) -> Path:
    """Draws how labels and lengths are distributed, and writes a PNG, atomically.

    Left: the share of each label among the labelled turns, a bar a split. Right: turns per conversation and words per
    utterance; the box spans the quartiles, the line in it is the median, whiskers reach from the least to the 95th
    percentile. Splits differ in hatching too, not in colour alone.

    Args:
        statistics: The figures.
        path: The PNG file.

    Returns:
        `path`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from instructerc.assets import write_atomically

    height = max(4.0, 1.5 + 0.45 * len(statistics.labels))
    figure = Figure(figsize=(11, height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    _draw_labels(figure.add_subplot(grid[:, 0]), statistics)
    _draw_lengths(figure.add_subplot(grid[0, 1]), statistics, "turns", "turns per conversation")
    _draw_lengths(figure.add_subplot(grid[1, 1]), statistics, "words", "words per utterance")
    figure.suptitle(_plain(statistics.corpus))
    return write_atomically(path, png(figure, dpi=120))


def _draw_labels(axes: Any, statistics: CorpusStatistics) -> None:
    parts = {name: part for name, part in statistics.splits.items() if sum(part.labels.values())}
    height = 0.8 / max(1, len(parts))
    for number, (name, part) in enumerate(parts.items()):
        total = sum(part.labels.values())
        shares = [100 * part.labels[label] / total for label in statistics.labels]
        places = [index + number * height for index in range(len(statistics.labels))]
        axes.barh(
            places, shares, height, label=name, color=_SPLIT_COLOURS[name], hatch=_HATCHES[name], edgecolor="white"
        )
    middle = height * (len(parts) - 1) / 2
    axes.set_yticks([index + middle for index in range(len(statistics.labels))], list(map(_plain, statistics.labels)))
    axes.invert_yaxis()
    axes.set_xlabel("share of labelled turns, %")
    axes.set_title("labels")
    if parts:
        axes.legend()


def _draw_lengths(axes: Any, statistics: CorpusStatistics, figure: str, title: str) -> None:
    spreads = {name: getattr(part, figure) for name, part in statistics.splits.items() if getattr(part, figure)}
    if spreads:
        boxes = axes.bxp(
            [_box(name, spread) for name, spread in spreads.items()],
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "black"},
        )
        for name, box in zip(spreads, boxes["boxes"], strict=True):
            box.set(facecolor=_SPLIT_COLOURS[name], hatch=_HATCHES[name], edgecolor="white")
    axes.set_ylim(bottom=0)
    axes.set_title(title)


def _box(name: str, spread: Distribution) -> dict[str, Any]:
    return {
        "label": name,
        "whislo": spread.minimum,
        "q1": spread.lower_quartile,
        "med": spread.median,
        "q3": spread.upper_quartile,
        "whishi": spread.percentile_95,
    }


def _plain(text: str) -> str:
    """A dollar sign opens a formula in matplotlib; in a label it is a dollar sign."""
    return text.replace("$", r"\$")
