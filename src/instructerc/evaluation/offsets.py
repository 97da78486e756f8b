"""Offsets of labels: what a model's log-probabilities are shifted by, so that its decisions have the best weighted F1.

A model trained on likelihood names rare labels too seldom for F1. Offsets are the smallest mending of that: a number a
label, fitted on validation (thresholds tuned for F1: Lipton et al. 2014). They are averaged over resamples of the
turns, because a few hundred turns hold many ties and much chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING

from instructerc.errors import EvaluationError
from instructerc.evaluation.confusion import metric_of_tables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST = 1.0
"""An offset makes a label at most e times likelier or less likely."""

STEP = 0.1
ROUNDS = 4
RESAMPLES = 15


def fit_offsets(
    *, log_probabilities: Sequence[Sequence[float]], gold: Sequence[int], seed: int = 0
) -> tuple[float, ...]:
    """An offset a label, by which the decisions on these turns reach a high weighted F1.

    Label by label, the offset of a grid with the best weighted F1 is taken, and that until nothing changes; the result
    is the mean over resamples of the turns.

    Shapes: T turns, L labels.

    Args:
        log_probabilities: Of each label on each turn, but for a constant a turn, [T, L].
        gold: Number of the right label of each turn, [T].
        seed: Of the resamples.

    Returns:
        [L]; all 0 where nothing is better than what is likeliest. Their weighted F1 on these turns is never lower than
        without them.

    Raises:
        EvaluationError: Lengths differ, there is no turn, or a log-probability is no number.

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
    values, right = np.asarray(log_probabilities, dtype=np.float64), np.asarray(gold, dtype=np.int64)
    draw = np.random.default_rng(seed)
    parts = [draw.integers(0, len(right), len(right)) for _ in range(RESAMPLES)]
    found = np.mean([_climb(values[part], right[part]) for part in parts], axis=0).round(4)
    unchanged = np.zeros(values.shape[1])
    better = weighted_f1(values + found, right) > weighted_f1(values, right)
    return tuple(float(offset) for offset in (found if better else unchanged))


def weighted_f1(scores: NDArray[np.float64], gold: NDArray[np.int64]) -> float:
    """Weighted F1 of taking the highest score, a fraction. Shapes: scores [T, L], gold [T]."""
    return float(_figures([scores], gold)[0])


def _figures(tried: Iterable[NDArray[np.float64]], gold: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weighted F1 of each of several scores, [T, L] each."""
    import numpy as np

    tables = []
    for scores in tried:
        labels = scores.shape[1]
        cells = gold * (labels + 1) + scores.argmax(axis=1)
        tables.append(np.bincount(cells, minlength=labels * (labels + 1)).reshape(labels, labels + 1))
    stack = np.stack(tables)
    return metric_of_tables(stack, metric="weighted_f1", labels=[str(number) for number in range(stack.shape[1])])


def _climb(values: NDArray[np.float64], gold: NDArray[np.int64]) -> NDArray[np.float64]:
    """Coordinate ascent from no offsets: a tie keeps what is nearer to it."""
    import numpy as np

    grid = np.array(sorted(np.arange(-LARGEST, LARGEST + STEP / 2, STEP).round(6), key=abs))
    offsets = np.zeros(values.shape[1])
    best = weighted_f1(values, gold)
    for _ in range(ROUNDS):
        before = best
        for label in range(len(offsets)):
            tried = np.tile(offsets, (len(grid), 1))
            tried[:, label] = grid
            figures = _figures((values + row for row in tried), gold)
            if figures.max() > best:
                best, offsets = float(figures.max()), tried[figures.argmax()]
        if best == before:
            break
    return offsets
