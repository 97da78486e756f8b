"""Which label set a file of predictions is judged over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructerc.errors import EvaluationError, UsageError
from instructerc.labels import LABEL_SETS, LabelSet, label_set_of
from instructerc.recognition.predictions import TurnPrediction


def label_set_of_rows(rows: Sequence[TurnPrediction], *, neutral: str | None = None) -> LabelSet:
    """The label set that rows speak of: the keys of their probabilities, else all labels that occur.

    A label that neither golds nor predictions hold cannot be found in rows without probabilities.

    Args:
        rows: Predictions.
        neutral: The label that means "no emotion"; None finds "neutral" itself.

    Raises:
        EvaluationError: Rows have probabilities over different labels.
        UsageError: `neutral` is none of the labels.

    Example:
        >>> row = TurnPrediction(conversation="a", turn=0, emotion="joy", gold="fear")
        >>> label_set_of_rows([row]).labels
        ('fear', 'joy')
    """
    scored = [row for row in rows if row.probabilities is not None]
    if scored:
        labels = tuple(scored[0].probabilities or ())
        for row in scored:
            if set(row.probabilities or ()) != set(labels):
                raise EvaluationError(
                    f"conversation {row.conversation!r}, turn {row.turn} has probabilities of "
                    f"{', '.join(row.probabilities or ())}, the first row of {', '.join(labels)}: name the labels"
                )
    else:
        found = {label for row in rows for label in (row.gold, row.emotion) if label is not None}
        known = [labels.labels for labels in LABEL_SETS.values() if set(labels.labels) == found]
        labels = known[0] if known else tuple(sorted(found))
    return with_neutral(label_set_of(labels), neutral)


def with_neutral(labels: LabelSet, neutral: str | None) -> LabelSet:
    """The set, another of its labels being neutral; unchanged where `neutral` is None.

    Raises:
        UsageError: `neutral` is none of its labels.
    """
    if neutral is None:
        return labels
    if neutral not in labels.labels:
        raise UsageError(f"neutral {neutral!r} is none of the labels: {', '.join(labels.labels)}; name one of them")
    return replace(labels, neutral=neutral)
