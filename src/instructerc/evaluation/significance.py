"""How much of a figure, or of a difference between two, is chance.

Resampling turns with replacement and counting gold against predicted labels is the same as drawing the counts from
a multinomial distribution; resampling conversations is the same as drawing how often each comes up. So no turn is
ever touched twice: a thousand samples are one draw and one matrix product.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from math import comb, erfc, sqrt
from typing import TYPE_CHECKING, Any, Literal

from instructerc.errors import EvaluationError, UsageError
from instructerc.evaluation.confusion import (
    Metric,
    check_labels,
    check_metric,
    check_pairs,
    encode,
    metric_of_tables,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Unit = Literal["turns", "conversations"]
"""What is drawn with replacement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A percentile bootstrap interval.

    Attributes:
        metric: The figure that it is about.
        estimate: The figure of all turns, a fraction (or a difference of two).
        low: Lower end.
        high: Upper end.
        confidence: Share of the samples between the ends.
        samples: Number of samples.
        unit: What was drawn: `conversations` allows for turns of one conversation resembling each other.
    """

    metric: Metric
    estimate: float
    low: float
    high: float
    confidence: float
    samples: int
    unit: Unit

    def to_json(self) -> dict[str, Any]:
        """A dictionary of the attributes."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """The difference between two systems on the same turns.

    Attributes:
        first: Figure of the first system, a fraction.
        second: Figure of the second system.
        difference: `first - second`.
        interval: Of the difference.
        p_value: Two-sided: how often, were the samples the truth, the difference would have the other sign.
    """

    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float

    def to_json(self) -> dict[str, Any]:
        """A dictionary of the attributes."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """McNemar's test on the turns that only one of two systems gets right.

    Attributes:
        only_first: Turns that only the first gets right.
        only_second: Turns that only the second gets right.
        method: `exact` (binomial) below 25 such turns, else `chi-square` with continuity correction.
        statistic: The chi-square statistic; None for the exact test.
        p_value: Two-sided.
    """

    only_first: int
    only_second: int
    method: Literal["exact", "chi-square"]
    statistic: float | None
    p_value: float

    def to_json(self) -> dict[str, Any]:
        """A dictionary of the attributes."""
        return asdict(self)


def bootstrap_interval(
    *,
    golds: Sequence[str],
    predictions: Sequence[str],
    labels: Sequence[str],
    metric: Metric = "weighted_f1",
    neutral: str | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
) -> Interval:
    """A percentile bootstrap interval of one figure (Efron and Tibshirani 1993, chapter 13).

    Args:
        golds: The gold label of each turn.
        predictions: The predicted label of each turn.
        labels: The label set.
        metric: The figure.
        neutral: The label that the metrics without neutral leave out.
        samples: Number of resampled corpora.
        confidence: Share of them between the ends, above 0 and below 1.
        seed: Of the draws; equal seeds give equal intervals.
        groups: The conversation of each turn: whole conversations are drawn. None draws single turns.

    Raises:
        EvaluationError: Golds and predictions do not fit together, or `groups` names a single conversation.
        UsageError: `samples`, `confidence` or `metric` cannot be used.

    Example:
        >>> interval = bootstrap_interval(golds=["a", "b"] * 50, predictions=["a"] * 100, labels=["a", "b"])
        >>> interval.low < interval.estimate < interval.high
        True
    """
    check_labels(labels, neutral)
    check_pairs(golds, labels, predictions=predictions)
    check_metric(metric, neutral, labels)
    _check_settings(samples, confidence)
    estimates, drawn = _resampled(
        golds, (predictions,), labels=labels, groups=groups, samples=samples, seed=seed, metric=metric, neutral=neutral
    )
    low, high = _percentiles(drawn[0], confidence)
    return Interval(
        metric=metric,
        estimate=float(estimates[0]),
        low=low,
        high=high,
        confidence=confidence,
        samples=samples,
        unit="turns" if groups is None else "conversations",
    )


def paired_bootstrap(
    *,
    golds: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    labels: Sequence[str],
    metric: Metric = "weighted_f1",
    neutral: str | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
) -> PairedComparison:
    """Whether two systems differ in one figure by more than chance, on the same turns.

    Both are judged on the same resampled corpora. The p-value is twice the smaller share of samples in which the
    difference is at most, or at least, 0, one sample being added to each so that it is never 0
    (Efron and Tibshirani 1993, chapter 15; Davison and Hinkley 1997, §4.2).

    Args:
        golds: The gold label of each turn.
        first: Predictions of one system.
        second: Predictions of the other.
        labels: The label set.
        metric: The figure.
        neutral: The label that the metrics without neutral leave out.
        samples: Number of resampled corpora.
        confidence: Of the interval, above 0 and below 1.
        seed: Of the draws.
        groups: The conversation of each turn: whole conversations are drawn. None draws single turns.

    Raises:
        EvaluationError: Golds and predictions do not fit together, or `groups` names a single conversation.
        UsageError: `samples`, `confidence` or `metric` cannot be used.

    Example:
        >>> paired_bootstrap(golds=["a", "b"], first=["a", "b"], second=["a", "b"], labels=["a", "b"]).p_value
        1.0
    """
    check_labels(labels, neutral)
    check_pairs(golds, labels, **{"predictions of the first": first, "predictions of the second": second})
    check_metric(metric, neutral, labels)
    _check_settings(samples, confidence)
    estimates, drawn = _resampled(
        golds, (first, second), labels=labels, groups=groups, samples=samples, seed=seed, metric=metric, neutral=neutral
    )
    differences = drawn[0] - drawn[1]
    difference = float(estimates[0] - estimates[1])
    low, high = _percentiles(differences, confidence)
    # Rounding must not decide on which side of 0 two systems of equal figure fall.
    smaller = min(int((differences <= 1e-12).sum()), int((differences >= -1e-12).sum()))
    return PairedComparison(
        first=float(estimates[0]),
        second=float(estimates[1]),
        difference=difference,
        interval=Interval(
            metric=metric,
            estimate=difference,
            low=low,
            high=high,
            confidence=confidence,
            samples=samples,
            unit="turns" if groups is None else "conversations",
        ),
        p_value=min(1.0, 2 * (smaller + 1) / (samples + 1)),
    )


def mcnemar(*, golds: Sequence[str], first: Sequence[str], second: Sequence[str]) -> McNemar:
    """McNemar's test of whether two systems have the same accuracy (McNemar 1947).

    With b and c turns that only one system gets right: below 25 of them the exact binomial test, two-sided, else
    χ² = (|b - c| - 1)² / (b + c) with one degree of freedom (Edwards 1948).

    Args:
        golds: The gold label of each turn.
        first: Predictions of one system.
        second: Predictions of the other.

    Raises:
        EvaluationError: Lengths differ, or there is no turn.

    Example:
        >>> mcnemar(golds=["a"] * 5, first=["a"] * 5, second=["b"] * 5).p_value
        0.0625
    """
    check_pairs(golds, golds, **{"predictions of the first": first, "predictions of the second": second})
    verdicts = [(one == gold, other == gold) for gold, one, other in zip(golds, first, second, strict=True)]
    only_first, only_second = verdicts.count((True, False)), verdicts.count((False, True))
    discordant = only_first + only_second
    if discordant < 25:
        tail = sum(comb(discordant, count) for count in range(min(only_first, only_second) + 1))
        p_value, statistic = min(1.0, 2 * tail / 2**discordant), None
    else:
        statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / discordant
        p_value = erfc(sqrt(statistic / 2))  # the upper tail of chi-square with one degree of freedom
    return McNemar(
        only_first=only_first,
        only_second=only_second,
        method="exact" if statistic is None else "chi-square",
        statistic=statistic,
        p_value=p_value,
    )


def _check_settings(samples: int, confidence: float) -> None:
    if samples < 1:
        raise UsageError(f"samples is {samples}: a bootstrap draws at least one sample; 1000 is usual")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is {confidence}: it must be above 0 and below 1; 0.95 is usual")


def _percentiles(drawn: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    import numpy as np

    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _resampled(
    golds: Sequence[str],
    systems: Sequence[Sequence[str]],
    *,
    labels: Sequence[str],
    groups: Sequence[Hashable] | None,
    samples: int,
    seed: int,
    metric: Metric,
    neutral: str | None,
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """The figure of each system on all turns, shape (systems,), and on each sample, one (samples,) a system.

    Turns with the same gold and the same answers are interchangeable: an *outcome* is one such combination. Units
    (single turns by outcome, or conversations) hold outcomes; a sample says how often each unit was drawn.
    """
    import numpy as np

    columns = [encode(golds, labels), *(encode(answers, labels) for answers in systems)]
    outcomes, outcome_of_turn = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    outcome_of_turn = outcome_of_turn.reshape(-1)
    multiplicity, contents = _units(outcome_of_turn, len(outcomes), groups)

    cells = len(labels) * (len(labels) + 1)
    # Which cell of a system's table an outcome counts in: (outcomes, cells), a single 1 in each row.
    cell_of = [np.eye(cells)[outcomes[:, 0] * (len(labels) + 1) + column] for column in outcomes.T[1:]]

    def figures(drawn: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        shape = (len(drawn), len(labels), len(labels) + 1)
        counts = drawn.astype(np.float64) @ contents  # exact, and products of floats are the fast ones
        tables = [(counts @ cell).reshape(shape) for cell in cell_of]
        return [metric_of_tables(table, metric=metric, labels=labels, neutral=neutral) for table in tables]

    generator = np.random.default_rng(seed)
    total = int(multiplicity.sum())
    chunks = [
        figures(generator.multinomial(total, multiplicity / total, size=min(500, samples - start)))
        for start in range(0, samples, 500)  # 500 draws of every DailyDialog conversation are 45 MB
    ]
    observed = np.concatenate(figures(multiplicity[None, :]))
    return observed, [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


def _units(
    outcome_of_turn: NDArray[np.int64], outcomes: int, groups: Sequence[Hashable] | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How often each unit stands in the corpus, (units,), and how often each holds each outcome, (units, outcomes)."""
    import numpy as np

    if groups is None:
        return np.bincount(outcome_of_turn, minlength=outcomes), np.eye(outcomes)
    if len(groups) != len(outcome_of_turn):
        raise EvaluationError(f"{len(outcome_of_turn)} golds and {len(groups)} groups: give one of each per turn")
    number = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    if len(number) < 2:
        raise EvaluationError("all turns are of one conversation: drawing conversations needs at least two; draw turns")
    contents = np.zeros((len(number), outcomes))
    np.add.at(contents, (np.array([number[group] for group in groups]), outcome_of_turn), 1)
    return np.ones(len(number), dtype=np.int64), contents
