"""How far a model's confidence can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, fsum, inf, log

from instructerc.errors import EvaluationError, UsageError


def expected_calibration_error(*, confidences: Sequence[float], correct: Sequence[bool], bins: int = 15) -> float:
    """The mean distance between confidence and accuracy, over bins of equal width.

    ECE = Σ_b (n_b / n) · |accuracy(b) - confidence(b)| with bins ((b-1)/B, b/B]
    (Guo et al., "On Calibration of Modern Neural Networks", 2017, eq. 3).

    Args:
        confidences: Probability of the predicted label of each turn, 0 to 1.
        correct: Whether that label is the gold one.
        bins: Number of bins B, at least 1.

    Raises:
        EvaluationError: Lengths differ, there is no turn, or a confidence is not between 0 and 1.
        UsageError: `bins` is below 1.

    Example:
        >>> round(expected_calibration_error(confidences=[0.9, 0.9, 0.6], correct=[True, False, True]), 4)
        0.4
    """
    if bins < 1:
        raise UsageError(f"bins is {bins}: calibration needs at least one bin")
    if len(confidences) != len(correct):
        raise EvaluationError(f"{len(confidences)} confidences and {len(correct)} verdicts: give one of each per turn")
    if not confidences:
        raise EvaluationError("no turns: a calibration error needs at least one turn with probabilities")
    members: dict[int, list[float]] = {}
    for turn, (confidence, right) in enumerate(zip(confidences, correct, strict=True)):
        if not 0 <= confidence <= 1:
            raise EvaluationError(f"confidence {confidence} of turn {turn} is no probability: give 0 to 1")
        # n_b · |accuracy - confidence| is the absolute sum of right - confidence over the bin.
        members.setdefault(max(ceil(confidence * bins), 1), []).append(right - confidence)
    return fsum(abs(fsum(gaps)) for gaps in members.values()) / len(confidences)


SHARPEST, FLATTEST = 0.05, 20.0
"""Temperatures outside these say that there was too little to fit them on."""


def fit_temperature(*, log_likelihoods: Sequence[Sequence[float]], gold: Sequence[int]) -> float:
    """The temperature T for which softmax(log-likelihoods / T) is likeliest to give the gold labels.

    Minimises the mean negative log-likelihood, which has one minimum in 1/T (Guo et al., 2017, section 4.2). It leaves
    every decision as it is: the order of the labels does not change, only how sure they are.

    Args:
        log_likelihoods: Of every label, for each turn: turns of the validation split, and no others.
        gold: Place of the gold label among them, for each turn.

    Returns:
        T, above 1 where the model is too sure, within `SHARPEST` and `FLATTEST`.

    Raises:
        EvaluationError: Lengths differ, there is no turn, or a log-likelihood is no number.

    Example:
        >>> sure, wrong = [0.0, -4.0], [-4.0, 0.0]
        >>> round(fit_temperature(log_likelihoods=[sure, sure, sure, wrong], gold=[0, 0, 0, 0]), 2)
        3.64
    """
    if len(log_likelihoods) != len(gold):
        raise EvaluationError(f"{len(log_likelihoods)} turns and {len(gold)} gold labels: give one of each per turn")
    if not gold:
        raise EvaluationError("no turns: a temperature is fitted on at least one turn with a gold label")
    if any(not -inf < value < inf for row in log_likelihoods for value in row):
        raise EvaluationError("a log-likelihood is no finite number: recognise again in float32")
    from scipy.optimize import minimize_scalar

    def loss(sharpness: float) -> float:
        return fsum(
            _log_of_sum([sharpness * value for value in row]) - sharpness * row[right]
            for row, right in zip(log_likelihoods, gold, strict=True)
        ) / len(gold)

    found = minimize_scalar(loss, bounds=(1 / FLATTEST, 1 / SHARPEST), method="bounded", options={"xatol": 1e-4})
    return round(1 / float(found.x), 4)


def _log_of_sum(values: Sequence[float]) -> float:
    largest = max(values)
    return largest + log(fsum(exp(value - largest) for value in values))
