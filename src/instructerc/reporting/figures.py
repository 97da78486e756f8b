"""How figures are written for people: times 100, two decimals, as the field's tables have them."""

from __future__ import annotations

from typing import Any

from instructerc.evaluation import Interval, Metric

METRIC_TITLES: dict[Metric, str] = {
    "weighted_f1": "Weighted F1",
    "macro_f1": "Macro F1",
    "micro_f1": "Micro F1",
    "accuracy": "Accuracy",
    "micro_f1_without_neutral": "Micro F1 without neutral",
    "macro_f1_without_neutral": "Macro F1 without neutral",
}
"""What each metric is called in a heading."""

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


def chance(p_value: float) -> str:
    """A p-value with three decimals.

    Example:
        >>> chance(0.0312), chance(0.00002)
        ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def value_text(value: Any) -> str:
    """A value of a provenance table, as text; a dash for what is not known."""
    if value is None or value == "":
        return "–"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
