"""The scores of a set of predictions: F1 in all its averages, per class, and where the errors go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from instructerc.evaluation.confusion import OUT_OF_LABEL, Metric, check_labels, check_metric, check_pairs, encode


class ClassScores(NamedTuple):
    """How one label is recognised: fractions between 0 and 1, and its number of gold turns."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Every figure of one set of predictions. Fractions between 0 and 1; people see them times 100.

    Attributes:
        labels: The label set; rows and columns of `confusion` are in its order.
        support: Turns that were judged.
        accuracy: Share of turns that are right.
        weighted_f1: Mean of the F1 of the labels, weighted by their support: the field's metric (method §1).
        macro_f1: Plain mean of the F1 of all labels of the set; a label that neither golds nor predictions hold
            counts as 0.
        micro_f1: F1 over all turns at once; equals `accuracy` unless answers fall outside the label set.
        per_class: Precision, recall, F1 and support of each label.
        confusion: Counts, rows gold, columns predicted. Answers outside the label set are in no column, so that a
            row may sum to less than its support.
        neutral: The label that means "no emotion", or None.
        micro_f1_without_neutral: F1 over all turns, neutral being no class (DailyDialog's metric, method §12).
        macro_f1_without_neutral: Mean F1 of the labels but neutral.
        out_of_label: Answers outside the label set; each counts as wrong, unless the caller asked otherwise.
        never_predicted: Labels that golds hold and no prediction does: a sign of a collapsed model.
        skipped: Rows that carry no gold label, and so were not judged.
        calibration_error: Expected calibration error, 0 to 1; None where predictions carry no probabilities.
    """

    labels: tuple[str, ...]
    support: int
    accuracy: float
    weighted_f1: float
    macro_f1: float
    micro_f1: float
    per_class: Mapping[str, ClassScores]
    confusion: tuple[tuple[int, ...], ...] = field(repr=False)
    neutral: str | None = None
    micro_f1_without_neutral: float | None = None
    macro_f1_without_neutral: float | None = None
    out_of_label: int = 0
    never_predicted: tuple[str, ...] = ()
    skipped: int = 0
    calibration_error: float | None = None

    @property
    def outside(self) -> tuple[int, ...]:
        """For each label, how many of its gold turns were answered outside the label set: what its row lacks."""
        rows = zip(self.labels, self.confusion, strict=True)
        return tuple(self.per_class[label].support - sum(row) for label, row in rows)

    def value(self, metric: Metric) -> float:
        """The figure of that name.

        Raises:
            UnknownNameError: No metric is called so.
            UsageError: It leaves neutral out, and no label is neutral.
        """
        check_metric(metric, self.neutral, self.labels)
        figure: float = getattr(self, metric)
        return figure

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        record: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        record["labels"] = list(self.labels)
        record["per_class"] = {label: scores._asdict() for label, scores in self.per_class.items()}
        record["confusion"] = [list(row) for row in self.confusion]
        record["never_predicted"] = list(self.never_predicted)
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Scores:
        """Reads what `to_json` wrote."""
        values = dict(record)
        values["labels"] = tuple(record["labels"])
        values["per_class"] = {label: ClassScores(**scores) for label, scores in record["per_class"].items()}
        values["confusion"] = tuple(tuple(row) for row in record["confusion"])
        values["never_predicted"] = tuple(record["never_predicted"])
        return cls(**values)


def evaluate(
    *,
    golds: Sequence[str],
    predictions: Sequence[str],
    labels: Sequence[str],
    neutral: str | None = None,
    out_of_label: Sequence[bool] | None = None,
) -> Scores:
    """Scores predictions against gold labels, with scikit-learn.

    Every F1 is scikit-learn's, over the whole label set, with 0 where it is undefined.

    Args:
        golds: The gold label of each turn.
        predictions: The predicted label of each turn; one outside `labels` counts as wrong.
        labels: The closed label set, in the order of the report.
        neutral: The label that the metrics without neutral leave out.
        out_of_label: Whether each answer fell outside the label set; such a turn counts as wrong even where a rule
            found a nearest label for it. To judge those labels as the released code does, leave this out.

    Raises:
        EvaluationError: Lengths differ, there is no turn, or golds or `neutral` stand outside `labels`.

    Example:
        >>> scores = evaluate(golds=["joy", "joy", "fear"], predictions=["joy", "fear", "fear"], labels=["joy", "fear"])
        >>> round(scores.weighted_f1, 4), scores.confusion
        (0.6667, ((1, 1), (0, 1)))
    """
    from sklearn.metrics import accuracy_score, confusion_matrix

    check_labels(labels, neutral)
    check_pairs(golds, labels, predictions=predictions)
    if out_of_label is not None:
        check_pairs(golds, labels, **{"out-of-label flags": out_of_label})
        predictions = [OUT_OF_LABEL if out else answer for answer, out in zip(predictions, out_of_label, strict=True)]
    gold, predicted = encode(golds, labels), encode(predictions, labels)
    numbers = list(range(len(labels)))
    # One class more than there are labels, for answers outside them; no gold has it.
    matrix = confusion_matrix(gold, predicted, labels=[*numbers, len(labels)])[:-1, :-1]
    return Scores(
        labels=tuple(labels),
        support=len(golds),
        accuracy=float(accuracy_score(gold, predicted)),
        weighted_f1=_f1(gold, predicted, numbers, "weighted"),
        macro_f1=_f1(gold, predicted, numbers, "macro"),
        micro_f1=_f1(gold, predicted, numbers, "micro"),
        per_class=_per_class(gold, predicted, labels),
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
        neutral=neutral,
        micro_f1_without_neutral=_without_neutral(gold, predicted, labels, neutral, "micro"),
        macro_f1_without_neutral=_without_neutral(gold, predicted, labels, neutral, "macro"),
        out_of_label=int((predicted == len(labels)).sum()),
        never_predicted=tuple(
            label for number, label in enumerate(labels) if number in gold and number not in predicted
        ),
    )


def _f1(gold: Any, predicted: Any, numbers: Sequence[int], average: str) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(gold, predicted, labels=numbers, average=average, zero_division=0))


def _per_class(gold: Any, predicted: Any, labels: Sequence[str]) -> dict[str, ClassScores]:
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        gold, predicted, labels=list(range(len(labels))), average=None, zero_division=0
    )
    return {
        label: ClassScores(float(precision), float(recall), float(f1), int(support))
        for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
    }


def _without_neutral(
    gold: Any, predicted: Any, labels: Sequence[str], neutral: str | None, average: str
) -> float | None:
    emotions = [number for number, label in enumerate(labels) if label != neutral]
    return None if neutral is None or not emotions else _f1(gold, predicted, emotions, average)
