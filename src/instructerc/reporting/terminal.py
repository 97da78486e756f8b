"""Figures in a terminal. A colour never stands alone: symbol and label are always beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from instructerc.evaluation import Comparison, Interval, Scores
from instructerc.reporting.conversation_text import visible
from instructerc.reporting.figures import METRIC_TITLES, OUTSIDE, chance, interval_text, marked, percent, points
from instructerc.reporting.palette import Mark, palette
from instructerc.reporting.report import Report

_AVERAGES = ("Weighted F1", "Macro F1", "Accuracy")


def report_view(report: Report) -> RenderableType:
    """The main split of a report, with everything that must be known beside its figures.

    Args:
        report: What to show.
    """
    return scores_view(
        report.main,
        interval=report.main_interval,
        notices=report.notices,
        marks=report.marks,
        sources=report.sources,
    )


def scores_view(
    scores: Scores,
    *,
    interval: Interval | None = None,
    notices: Sequence[str] = (),
    marks: Sequence[str] = (),
    sources: Mapping[str, Scores] | None = None,
) -> RenderableType:
    """The headline, the other averages, each corpus of a mixture, each emotion, and the confusion matrix.

    Args:
        scores: What to show.
        interval: Of the headline; without one the headline is the weighted F1.
        notices: What must be known beside the figures.
        marks: What makes the figures no ordinary results; it stands in the headline.
        sources: Scores of each corpus of a mixture.
    """
    metric = "weighted_f1" if interval is None else interval.metric
    figure = marked(percent(scores.value(metric)), map(visible, marks))
    headline = Text.assemble((f"{METRIC_TITLES[metric]} {figure}", "bold"))
    if interval is not None:
        headline.append(f"   {interval_text(interval)}", style="dim")
    others = "   ".join(f"{title} {figure}" for title, figure in _others(scores, metric))
    shown = [Text(f"Note: {visible(notice)}", style="yellow") for notice in notices]
    corpora: list[RenderableType] = [Text(), _sources(sources)] if sources else []
    return Group(headline, Text(others), *shown, *corpora, Text(), _classes(scores), Text(), _confusion(scores))


def comparison_view(comparison: Comparison, *, first: str, second: str) -> RenderableType:
    """Both systems side by side, and whether they differ by more than chance.

    Args:
        comparison: What to show.
        first: What the first system is called.
        second: What the second system is called.
    """
    metric = comparison.paired.interval.metric
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("System", overflow="fold")  # two paths often differ at their ends only
    for title in _AVERAGES:
        table.add_column(title, justify="right")
    for name, scores in ((first, comparison.first), (second, comparison.second)):
        figures = (scores.weighted_f1, scores.macro_f1, scores.accuracy)
        table.add_row(Text(visible(name)), *(percent(figure) for figure in figures))
    paired, test = comparison.paired, comparison.mcnemar
    low, high = points(paired.interval.low), points(paired.interval.high)
    bootstrap = (
        f"Paired bootstrap, {METRIC_TITLES[metric]}: first minus second {points(paired.difference)}, {low} to {high} "
        f"({100 * paired.interval.confidence:g} % of {paired.interval.samples} samples of {paired.interval.unit}), "
        f"{chance(paired.p_value)}"
    )
    mcnemar = (
        f"McNemar ({test.method}), accuracy: only the first right {test.only_first} times, only the second "
        f"{test.only_second} times, {chance(test.p_value)}"
    )
    conclusion = Text(visible(verdict(comparison, first, second)), "bold")
    return Group(table, Text(), Text(bootstrap), Text(mcnemar), Text(), conclusion)


def verdict(comparison: Comparison, first: str, second: str) -> str:
    """One sentence: which is better, and whether by more than chance."""
    title = METRIC_TITLES[comparison.paired.interval.metric]
    if comparison.better is None:
        return f"Equal: {title} {percent(comparison.paired.first)} both times."
    name = first if comparison.better == "first" else second
    ahead = percent(abs(comparison.paired.difference))
    sure = f"{chance(comparison.paired.p_value)}, paired bootstrap"
    if comparison.beyond_chance:
        return f"{name} is better: {ahead} points of {title}, beyond chance ({sure})."
    return f"{name} is {ahead} points of {title} ahead, which may be chance ({sure})."


def _others(scores: Scores, metric: str) -> list[tuple[str, str]]:
    figures = [
        (title, percent(getattr(scores, name)))
        for name, title in METRIC_TITLES.items()
        if name != metric and getattr(scores, name) is not None
    ]
    if scores.calibration_error is not None:
        figures.append(("Calibration error", percent(scores.calibration_error)))
    return [*figures, ("Turns", str(scores.support))]


def _sources(sources: Mapping[str, Scores]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Corpus", overflow="fold")
    for title in ("Turns", *_AVERAGES):
        table.add_column(title, justify="right")
    for name, scores in sources.items():
        figures = (scores.weighted_f1, scores.macro_f1, scores.accuracy)
        table.add_row(Text(visible(name)), str(scores.support), *(percent(figure) for figure in figures))
    return table


def _classes(scores: Scores) -> Table:
    marks = palette(scores.labels)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Emotion")
    for name in ("Precision", "Recall", "F1", "Support"):
        table.add_column(name, justify="right")
    for label, found in scores.per_class.items():
        figures = (percent(found.precision), percent(found.recall), percent(found.f1), str(found.support))
        table.add_row(_emotion(label, marks), *figures)
    return table


def _confusion(scores: Scores) -> Table:
    marks = palette(scores.labels)
    extra = any(scores.outside)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Gold ↓\nrecognised →", no_wrap=True)
    for label in (*scores.labels, *([OUTSIDE] if extra else [])):
        table.add_column(Text(visible(label)), justify="right")
    for label, row, outside in zip(scores.labels, scores.confusion, scores.outside, strict=True):
        counts = [
            Text(str(count), style="bold" if column == label else "" if count else "dim")
            for column, count in zip(scores.labels, row, strict=True)
        ]
        table.add_row(_emotion(label, marks), *counts, *([Text(str(outside))] if extra else []))
    return table


def _emotion(label: str, marks: dict[str, Mark]) -> Text:
    """Symbol and label of an emotion, coloured."""
    return Text.assemble((marks[label].symbol, marks[label].terminal), " ", visible(label))
