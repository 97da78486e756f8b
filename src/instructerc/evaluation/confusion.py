"""Counts of gold against predicted labels, and the metrics of many such tables at once.

```
golds        a a b b          counts      a  b  out of label
predictions  a b b x          a           1  1  0
                              b           0  1  1
```
Rows are gold labels, columns predicted ones; the last column holds answers outside the label set, which are wrong
whatever the gold label is. A resampled corpus is nothing but another table, so an interval over a thousand of them
is one array operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from instructerc.errors import EvaluationError, UnknownNameError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Metric = Literal[
    "weighted_f1", "macro_f1", "micro_f1", "accuracy", "micro_f1_without_neutral", "macro_f1_without_neutral"
]
"""What a run can be judged by. `weighted_f1` is the field's; DailyDialog is judged without its neutral class."""

METRICS: tuple[Metric, ...] = get_args(Metric)
"""Every metric, by name."""

OUT_OF_LABEL = "\0out of label"
"""Stands for an answer outside every label set; no label can be spelled like it."""


def check_labels(labels: Sequence[str], neutral: str | None) -> None:
    """Refuses a label set that metrics cannot be computed over.

    Raises:
        EvaluationError: It is empty, names a label twice, or lacks the neutral one.
    """
    if not labels:
        raise EvaluationError("the label set is empty: name at least one label")
    twice = sorted({label for label in labels if list(labels).count(label) > 1})
    if twice:
        raise EvaluationError(f"the label set names {', '.join(map(repr, twice))} twice: name each label once")
    if neutral is not None and neutral not in labels:
        raise EvaluationError(f"neutral {neutral!r} is not in the label set: {', '.join(labels)}; name one of them")


def check_pairs(golds: Sequence[str], labels: Sequence[str], **answers: Sequence[Any]) -> None:
    """Refuses golds and answers that cannot be held against each other.

    Args:
        golds: One gold label a turn.
        labels: The label set.
        answers: Whatever must be as long as `golds`, under the name that the message shall use.

    Raises:
        EvaluationError: Lengths differ, there is no turn, or golds stand outside `labels` (all of them are named).
    """
    for name, values in answers.items():
        if len(values) != len(golds):
            raise EvaluationError(f"{len(golds)} golds and {len(values)} {name}: give one of each for every turn")
    if not golds:
        raise EvaluationError("no turns: an evaluation needs at least one turn with a gold label")
    known = set(labels)
    strangers = [gold for gold in dict.fromkeys(golds) if gold not in known]
    if strangers:
        named = ", ".join(f"{gold!r} (first at position {list(golds).index(gold)})" for gold in strangers[:10])
        more = f" and {len(strangers) - 10} more" if len(strangers) > 10 else ""
        raise EvaluationError(
            f"gold labels outside the label set: {named}{more}; the set is: {', '.join(labels)}. "
            "Give the label set that the golds were written with"
        )


def check_metric(metric: str, neutral: str | None, labels: Sequence[str]) -> None:
    """Refuses a metric that does not exist, or that cannot be had for these labels.

    Raises:
        UnknownNameError: No metric is called so.
        UsageError: It leaves the neutral label out, and no label is neutral, or none is left.
    """
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    if metric.endswith("_without_neutral") and (neutral is None or len(labels) < 2):
        raise UsageError(f"metric {metric!r} leaves the neutral label out, and none is named: name it (`neutral`)")


def encode(names: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """The position of each name in `labels`; `len(labels)` for a name that is not there.

    Example:
        >>> encode(["b", "x", "a"], ["a", "b"]).tolist()
        [1, 2, 0]
    """
    import numpy as np

    position = {label: index for index, label in enumerate(labels)}
    return np.array([position.get(name, len(labels)) for name in names], dtype=np.int64)


def metric_of_tables(
    tables: NDArray[Any], *, metric: Metric, labels: Sequence[str], neutral: str | None = None
) -> NDArray[np.float64]:
    """One figure for each table of a stack; an undefined F1 (no gold, never predicted) is 0.

    Args:
        tables: Counts, shape (tables, labels, labels + 1): gold label, predicted label or out of label.
        metric: Which figure.
        labels: The label set.
        neutral: The label that the metrics without neutral leave out.

    Returns:
        Fractions between 0 and 1, shape (tables,).
    """
    import numpy as np

    kept = np.array([label != neutral or not metric.endswith("_without_neutral") for label in labels])
    right = np.diagonal(tables[:, :, :-1], axis1=1, axis2=2)[:, kept].astype(np.float64)
    predicted = tables[:, :, :-1].sum(axis=1)[:, kept]
    support = tables.sum(axis=2)[:, kept]
    if metric == "accuracy":
        return _ratio(right.sum(axis=1), support.sum(axis=1))
    if metric.startswith("micro_f1"):
        return _ratio(2 * right.sum(axis=1), predicted.sum(axis=1) + support.sum(axis=1))
    f1 = _ratio(2 * right, predicted + support)
    if metric.startswith("macro_f1"):
        return np.asarray(f1.mean(axis=1))
    return _ratio((f1 * support).sum(axis=1), support.sum(axis=1))


def _ratio(part: NDArray[np.float64], whole: NDArray[Any]) -> NDArray[np.float64]:
    import numpy as np

    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return ratio
