"""Offsets of labels: what a model's log-probabilities are shifted by, so that its decisions have the best F1.

A model trained on likelihood names rare labels too seldom for F1. Offsets are the smallest mending of that: a number a
label, fitted on validation (thresholds tuned for F1: Lipton et al. 2014). They are averaged over resamples of the
turns, because a few hundred turns hold many ties and much chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from instructerc.errors import EvaluationError
from instructerc.evaluation.confusion import Metric, metric_of_tables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST = 1.0
"""An offset makes a label at most e times likelier or less likely."""

STEP = 0.1
ROUNDS = 4
RESAMPLES = 15


def fit_offsets(
    *,
    log_probabilities: Sequence[Sequence[float]],
    gold: Sequence[int],
    metric: Metric = "weighted_f1",
    neutral: int | None = None,
    seed: int = 0,
) -> tuple[float, ...]:
    """An offset a label, by which the decisions on these turns reach a high figure.

    Label by label, the offset of a grid with the best figure is taken, and that until nothing changes; the result is
    the mean over resamples of the turns.

    Shapes: T turns, L labels.

    Args:
        log_probabilities: Of each label on each turn, but for a constant a turn, [T, L].
        gold: Number of the right label of each turn, [T].
        metric: Which figure.
        neutral: Number of the label that a metric without neutral leaves out.
        seed: Of the resamples.

    Returns:
        [L]; all 0 where nothing is better than what is likeliest. Their figure on these turns is never lower than
        without them.

    Raises:
        EvaluationError: Lengths differ, there is no turn, a log-probability is no number, or the metric leaves a
            neutral label out and there is none.

    Example:
        >>> sure, torn = [-0.1, -2.3], [-0.6, -0.8]
        >>> offsets = fit_offsets(log_probabilities=[sure, sure, torn, torn], gold=[0, 0, 1, 1])
        >>> offsets[1] - offsets[0] > 0.2
        True
    """
    import numpy as np

    if len(log_probabilities) != len(gold):
        raise EvaluationError(f"{len(log_probabilities)} turns and {len(gold)} gold labels: give one of each per turn")
    if not gold:
        raise EvaluationError("no turns: offsets are fitted on at least one turn with a gold label")
    if any(not -inf < value < inf for row in log_probabilities for value in row):
        raise EvaluationError("a log-probability is no finite number: recognise again in float32")
    if metric.endswith("_without_neutral") and neutral is None:
        raise EvaluationError(f"{metric}: no label means neutral: choose weighted_f1, or labels with a neutral one")
    figure = partial(figures_of, metric=metric, neutral=neutral)
    values, right = np.asarray(log_probabilities, dtype=np.float64), np.asarray(gold, dtype=np.int64)
    draw = np.random.default_rng(seed)
    parts = [draw.integers(0, len(right), len(right)) for _ in range(RESAMPLES)]
    found = np.mean([_climb(values[part], right[part], figure) for part in parts], axis=0).round(4)
    unchanged = np.zeros(values.shape[1])
    with_them, without = figure([values + found, values], right)
    return tuple(float(offset) for offset in (found if with_them > without else unchanged))


def figure_with(
    offsets: Sequence[float],
    *,
    log_probabilities: Sequence[Sequence[float]],
    gold: Sequence[int],
    metric: Metric = "weighted_f1",
    neutral: int | None = None,
) -> float:
    """The figure that decisions with these offsets reach; arguments as those of `fit_offsets`.

    Example:
        >>> round(figure_with((0, 1), log_probabilities=[[-0.1, -2.3], [-0.6, -0.8]], gold=[0, 1]), 3)
        1.0
    """
    import numpy as np

    shifted = np.asarray(log_probabilities, dtype=np.float64) + np.asarray(offsets, dtype=np.float64)
    return float(figures_of([shifted], np.asarray(gold, dtype=np.int64), metric=metric, neutral=neutral)[0])


def figures_of(
    tried: Iterable[NDArray[np.float64]], gold: NDArray[np.int64], *, metric: Metric, neutral: int | None
) -> NDArray[np.float64]:
    """The figure of taking the highest of each of several scores, [T, L] each."""
    import numpy as np

    tables = []
    for scores in tried:
        labels = scores.shape[1]
        cells = gold * (labels + 1) + scores.argmax(axis=1)
        tables.append(np.bincount(cells, minlength=labels * (labels + 1)).reshape(labels, labels + 1))
    stack = np.stack(tables)
    labels = [str(number) for number in range(stack.shape[1])]
    return metric_of_tables(stack, metric=metric, labels=labels, neutral=None if neutral is None else str(neutral))


def _climb(
    values: NDArray[np.float64],
    gold: NDArray[np.int64],
    figure: Callable[[Iterable[NDArray[np.float64]], NDArray[np.int64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Coordinate ascent from no offsets: a tie keeps what is nearer to it."""
    import numpy as np

    grid = np.array(sorted(np.arange(-LARGEST, LARGEST + STEP / 2, STEP).round(6), key=abs))
    offsets = np.zeros(values.shape[1])
    best = float(figure([values], gold)[0])
    for _ in range(ROUNDS):
        before = best
        for label in range(len(offsets)):
            tried = np.tile(offsets, (len(grid), 1))
            tried[:, label] = grid
            figures = figure((values + row for row in tried), gold)
            if figures.max() > best:
                best, offsets = float(figures.max()), tried[figures.argmax()]
        if best == before:
            break
    return offsets
