"""How figures are written for people: times 100, two decimals, as the field's tables have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from instructerc.evaluation import Interval, Metric

if TYPE_CHECKING:
    from instructerc.prompts.example import Task
    from instructerc.reporting.report import Curves

METRIC_TITLES: dict[Metric, str] = {
    "weighted_f1": "Weighted F1",
    "macro_f1": "Macro F1",
    "micro_f1": "Micro F1",
    "accuracy": "Accuracy",
    "micro_f1_without_neutral": "Micro F1 without neutral",
    "macro_f1_without_neutral": "Macro F1 without neutral",
}
"""What each metric is called in a heading."""

JUDGED: dict[Task, str] = {
    "recognition": "",
    "speaker_identification": " over speakers",
    "prediction": " over emotions of the next turn",
}
"""What follows the title of a metric where it judges a task other than recognition."""

OUTSIDE = "(outside)"
"""Heads the column of answers outside the label set."""


def percent(fraction: float | None) -> str:
    """A fraction times 100; a dash where there is none.

    Example:
        >>> percent(0.69154), percent(None)
        ('69.15', '–')
    """
    return "–" if fraction is None else f"{100 * fraction:.2f}"


def points(difference: float) -> str:
    """A difference of two fractions, in points and with its sign.

    Example:
        >>> points(0.0123), points(-0.0001)
        ('+1.23', '-0.01')
    """
    return f"{100 * difference:+.2f}"


def interval_text(interval: Interval) -> str:
    """Both ends, and how they came about.

    Example:
        >>> interval_text(
        ...     Interval(
        ...         metric="weighted_f1",
        ...         estimate=0.7,
        ...         low=0.68,
        ...         high=0.72,
        ...         confidence=0.95,
        ...         samples=1000,
        ...         unit="turns",
        ...     )
        ... )
        '68.00 to 72.00 (95 % bootstrap interval, 1000 samples of turns)'
    """
    share = f"{100 * interval.confidence:g}"
    drawn = f"{interval.samples} samples of {interval.unit}"
    return f"{percent(interval.low)} to {percent(interval.high)} ({share} % bootstrap interval, {drawn})"


def marked(figure: str, marks: Iterable[str]) -> str:
    """A figure and, right beside it, what makes it no ordinary result.

    Example:
        >>> marked("69.15", ["test-selected epoch", "leaks: published"]), marked("69.15", [])
        ('69.15 (test-selected epoch; leaks: published)', '69.15')
    """
    texts = "; ".join(marks)
    return f"{figure} ({texts})" if texts else figure


def validation_title(curves: Curves) -> str:
    """What the figure that chooses the epoch of a stage is called.

    Example:
        >>> from instructerc.reporting.report import Curves
        >>> validation_title(Curves()), validation_title(Curves(task="speaker_identification"))
        ('Weighted F1 on validation', 'Weighted F1 over speakers on validation')
    """
    return f"{METRIC_TITLES[curves.metric]}{JUDGED[curves.task]} on {curves.split}"


def stage_text(curves: Curves) -> str:
    """Which epoch of a stage was kept, and what it was measured at.

    Example:
        >>> from instructerc.reporting.report import Curves
        >>> stage_text(Curves(validation=((1, 0.5), (2, 0.875)), best_epoch=2, task="speaker_identification"))
        'epoch 2 kept, Weighted F1 over speakers on validation 87.50'
    """
    kept = "no epoch named as kept" if curves.best_epoch is None else f"epoch {curves.best_epoch:g} kept"
    if curves.best is None:
        return f"{kept}, not measured on {curves.split}"
    return f"{kept}, {validation_title(curves)} {percent(curves.best)}"


def chance(p_value: float) -> str:
    """A p-value with three decimals.

    Example:
        >>> chance(0.0312), chance(0.00002)
        ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def value_text(value: Any) -> str:
    """A value of a provenance table, as text; a dash for what is not known.

    A number that somebody chose is short, and stands there as it is; one that was computed may have 17 digits, of
    which six are shown.

    Example:
        >>> value_text(0.00035), value_text(4021 / 9000), value_text(["a", True]), value_text(None)
        ('0.00035', '0.446778', 'a, yes', '–')
    """
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return ("no", "yes")[value]
    if isinstance(value, list | tuple):
        return ", ".join(map(value_text, value)) or "–"
    text = str(value)
    return f"{value:.6g}" if isinstance(value, float) and len(text) > _EXACT else text


_EXACT = 10
"""Characters up to which a number is shown in full."""
