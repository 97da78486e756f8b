"""From rows of predictions to scores, and from two sets of rows to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from instructerc.errors import EvaluationError
from instructerc.evaluation.calibration import expected_calibration_error
from instructerc.evaluation.confusion import OUT_OF_LABEL, Metric, check_labels
from instructerc.evaluation.metrics import Scores, evaluate
from instructerc.evaluation.significance import (
    Interval,
    McNemar,
    PairedComparison,
    Unit,
    bootstrap_interval,
    mcnemar,
    paired_bootstrap,
)
from instructerc.recognition.predictions import TurnPrediction

OutOfLabel = Literal["wrong", "nearest"]
"""What an answer outside the label set is worth: nothing, or whatever its nearest label is (the released code)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two systems on the same turns.

    Attributes:
        first: Scores of the first.
        second: Scores of the second.
        paired: The difference `first - second` in one figure, with its interval.
        mcnemar: Whether their accuracies differ.
    """

    first: Scores
    second: Scores
    paired: PairedComparison
    mcnemar: McNemar

    @property
    def better(self) -> Literal["first", "second"] | None:
        """Which has the higher figure; None where they are equal."""
        if self.paired.difference == 0:
            return None
        return "first" if self.paired.difference > 0 else "second"

    @property
    def beyond_chance(self) -> bool:
        """Whether the paired bootstrap puts the difference beyond chance, at the level of its interval."""
        return self.paired.p_value < 1 - self.paired.interval.confidence

    def to_json(self) -> dict[str, Any]:
        """A dictionary of the attributes and of the verdict."""
        return {
            "better": self.better,
            "beyond_chance": self.beyond_chance,
            "paired": self.paired.to_json(),
            "mcnemar": self.mcnemar.to_json(),
            "first": self.first.to_json(),
            "second": self.second.to_json(),
        }


def evaluate_rows(
    rows: Sequence[TurnPrediction],
    *,
    labels: Sequence[str],
    neutral: str | None = None,
    out_of_label: OutOfLabel = "wrong",
) -> Scores:
    """Scores the rows that carry a gold label; the others are counted in `Scores.skipped`.

    Args:
        rows: Predictions, a row a turn.
        labels: The closed label set.
        neutral: The label that the metrics without neutral leave out.
        out_of_label: `wrong` counts a turn whose answer fell outside the label set as wrong; `nearest` judges the
            nearest label that stands in the row instead, as the released code does (method §8).

    Raises:
        EvaluationError: No row carries a gold label, a turn stands twice, or labels do not fit.
    """
    check_labels(labels, neutral)
    judged = _judged(rows)
    scores = evaluate(golds=_golds(judged), predictions=_answers(judged, out_of_label), labels=labels, neutral=neutral)
    flagged = sum(row.out_of_label or row.emotion not in labels for row in judged)
    return replace(
        scores, skipped=len(rows) - len(judged), calibration_error=_calibration(judged), out_of_label=flagged
    )


def interval_of_rows(
    rows: Sequence[TurnPrediction],
    *,
    labels: Sequence[str],
    neutral: str | None = None,
    metric: Metric = "weighted_f1",
    unit: Unit | None = None,
    out_of_label: OutOfLabel = "wrong",
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The bootstrap interval of one figure of the rows that carry a gold label.

    Args:
        rows: Predictions, a row a turn.
        labels: The closed label set.
        neutral: The label that the metrics without neutral leave out.
        metric: The figure.
        unit: What is drawn; None draws conversations where there are two or more, else turns.
        out_of_label: As in `evaluate_rows`.
        samples: Number of resampled corpora.
        confidence: Share of them between the ends.
        seed: Of the draws.

    Raises:
        EvaluationError: No row carries a gold label, or labels do not fit.
        UsageError: `samples`, `confidence` or `metric` cannot be used.
    """
    judged = _judged(rows)
    return bootstrap_interval(
        golds=_golds(judged),
        predictions=_answers(judged, out_of_label),
        labels=labels,
        neutral=neutral,
        metric=metric,
        groups=_groups(judged, unit),
        samples=samples,
        confidence=confidence,
        seed=seed,
    )


def compare_rows(
    first: Sequence[TurnPrediction],
    second: Sequence[TurnPrediction],
    *,
    labels: Sequence[str],
    neutral: str | None = None,
    metric: Metric = "weighted_f1",
    unit: Unit | None = None,
    out_of_label: OutOfLabel = "wrong",
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Holds two sets of predictions of the same turns against each other, in whatever order their rows are.

    Args:
        first: Predictions of one system.
        second: Predictions of the other.
        labels: The closed label set.
        neutral: The label that the metrics without neutral leave out.
        metric: The figure that decides.
        unit: What is drawn; None draws conversations where there are two or more, else turns.
        out_of_label: As in `evaluate_rows`.
        samples: Number of resampled corpora.
        confidence: Of the interval and of the verdict.
        seed: Of the draws.

    Raises:
        EvaluationError: A turn is missing on one side or stands twice, golds differ, or labels do not fit.
        UsageError: `samples`, `confidence` or `metric` cannot be used.
    """
    one, other = aligned(first, second)
    scores = [evaluate_rows(rows, labels=labels, neutral=neutral, out_of_label=out_of_label) for rows in (one, other)]
    judged, judged_other = _judged(one), _judged(other)
    golds = _golds(judged)
    answers, answers_other = _answers(judged, out_of_label), _answers(judged_other, out_of_label)
    paired = paired_bootstrap(
        golds=golds,
        first=answers,
        second=answers_other,
        labels=labels,
        neutral=neutral,
        metric=metric,
        groups=_groups(judged, unit),
        samples=samples,
        confidence=confidence,
        seed=seed,
    )
    test = mcnemar(golds=golds, first=answers, second=answers_other)
    return Comparison(first=scores[0], second=scores[1], paired=paired, mcnemar=test)


def aligned(
    first: Sequence[TurnPrediction], second: Sequence[TurnPrediction]
) -> tuple[list[TurnPrediction], list[TurnPrediction]]:
    """Both sets of rows in the order of the first, turn by turn.

    Raises:
        EvaluationError: A turn is missing on one side, stands twice, or has two gold labels; all of them at once.
    """
    ones, others = _by_turn(first, "the first file"), _by_turn(second, "the second file")
    faults = [f"{_place(key)} is missing in the second" for key in ones if key not in others]
    faults += [f"{_place(key)} is missing in the first" for key in others if key not in ones]
    faults += [
        f"{_place(key)} has gold {one.gold!r} in the first and {others[key].gold!r} in the second"
        for key, one in ones.items()
        if key in others and one.gold != others[key].gold
    ]
    if faults:
        raise EvaluationError(
            f"the two sets of predictions are not of the same turns: {_listed(faults)}. "
            "Predict the same split of the same corpus with both"
        )
    return list(ones.values()), [others[key] for key in ones]


def notices_of_rows(rows: Sequence[TurnPrediction], scores: Scores, *, out_of_label: OutOfLabel = "wrong") -> list[str]:
    """What a reader of the scores must know: lost history, classes never predicted, answers outside the label set."""
    notices = []
    if scores.never_predicted:
        notices.append(f"Never predicted, though gold labels hold it: {', '.join(scores.never_predicted)}.")
    if scores.out_of_label:
        worth = {"wrong": "counted as wrong", "nearest": "judged by their nearest label, as the released code does"}
        answers = _counted(scores.out_of_label, "answer")
        notices.append(f"{answers} of {scores.support} outside the label set: {worth[out_of_label]}.")
    shortened = [row.dropped_turns for row in rows if row.dropped_turns]
    if shortened:
        lost = _counted(sum(shortened), "turn")
        notices.append(f"{_counted(len(shortened), 'prompt')} too long: {lost} of history dropped, oldest first.")
    if scores.skipped:
        notices.append(f"{_counted(scores.skipped, 'turn')} without a gold label not judged.")
    return notices


def _judged(rows: Sequence[TurnPrediction]) -> list[TurnPrediction]:
    _by_turn(rows, "the rows")
    judged = [row for row in rows if row.gold is not None]
    if not judged:
        raise EvaluationError(
            f"none of {len(rows)} rows carries a gold label: nothing to evaluate; predict labelled turns"
        )
    return judged


def _by_turn(rows: Sequence[TurnPrediction], where: str) -> dict[tuple[str, int], TurnPrediction]:
    found: dict[tuple[str, int], TurnPrediction] = {}
    twice = []
    for row in rows:
        key = (row.conversation, row.turn)
        if key in found:
            twice.append(_place(key))
        found.setdefault(key, row)
    if twice:
        raise EvaluationError(f"{where}: {_listed(twice)} stands twice; keep one row a turn")
    return found


def _golds(rows: Sequence[TurnPrediction]) -> list[str]:
    return [row.gold for row in rows if row.gold is not None]


def _answers(rows: Sequence[TurnPrediction], out_of_label: OutOfLabel) -> list[str]:
    return [OUT_OF_LABEL if row.out_of_label and out_of_label == "wrong" else row.emotion for row in rows]


def _groups(rows: Sequence[TurnPrediction], unit: Unit | None) -> list[str] | None:
    conversations = [row.conversation for row in rows]
    several = len(set(conversations)) > 1
    return conversations if unit == "conversations" or (unit is None and several) else None


def _calibration(rows: Sequence[TurnPrediction]) -> float | None:
    confidences = [row.probabilities.get(row.emotion) for row in rows if row.probabilities is not None]
    known = [min(max(confidence, 0.0), 1.0) for confidence in confidences if confidence is not None]
    if len(known) < len(rows):
        return None
    return expected_calibration_error(confidences=known, correct=[row.emotion == row.gold for row in rows])


def _place(key: tuple[str, int]) -> str:
    return f"conversation {key[0]!r}, turn {key[1]}"


def _listed(faults: Sequence[str], shown: int = 10) -> str:
    more = f"; and {len(faults) - shown} more" if len(faults) > shown else ""
    return "; ".join(faults[:shown]) + more


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
