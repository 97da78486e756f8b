"""How far a model's confidence can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, fsum

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
