from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.errors import EvaluationError, UsageError
from instructerc.evaluation import expected_calibration_error
from instructerc.evaluation.calibration import FLATTEST, SHARPEST, fit_temperature


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50), st.integers(1, 20))
def test_it_is_the_formula_of_the_paper(turns: list[tuple[float, bool]], bins: int) -> None:
    confidences, correct = (np.array(column) for column in zip(*turns, strict=True))
    numbers = np.maximum(np.ceil(confidences * bins), 1)
    expected = sum(
        (numbers == number).mean() * abs(correct[numbers == number].mean() - confidences[numbers == number].mean())
        for number in set(numbers)
    )
    found = expected_calibration_error(confidences=confidences.tolist(), correct=correct.tolist(), bins=bins)
    assert found == pytest.approx(expected)


def test_a_model_that_is_as_sure_as_it_is_right_has_no_error() -> None:
    assert expected_calibration_error(confidences=[0.75] * 4, correct=[True, True, True, False]) == 0


def test_a_model_that_is_sure_and_always_wrong_has_the_whole_error() -> None:
    assert expected_calibration_error(confidences=[1.0] * 4, correct=[False] * 4) == 1


@pytest.mark.parametrize(
    ("confidences", "bins", "error", "message"),
    [
        ([0.5], 0, UsageError, "bins is 0"),
        ([0.5, 0.5], 15, EvaluationError, "2 confidences and 1 verdicts"),
        ([1.5], 15, EvaluationError, "confidence 1.5 of turn 0 is no probability"),
        ([float("nan")], 15, EvaluationError, "confidence nan of turn 0"),
    ],
)
def test_what_is_no_probability_is_an_error(
    confidences: list[float], bins: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        expected_calibration_error(confidences=confidences, correct=[True], bins=bins)


def test_no_turns_are_an_error() -> None:
    with pytest.raises(EvaluationError, match="at least one turn"):
        expected_calibration_error(confidences=[], correct=[])


LOGITS = st.lists(st.floats(-8, 0), min_size=3, max_size=3)


@given(st.lists(st.tuples(LOGITS, st.integers(0, 2)), min_size=1, max_size=20))
def test_no_other_temperature_gives_the_gold_labels_more_likelihood(turns: list[tuple[list[float], int]]) -> None:
    rows, gold = zip(*turns, strict=True)

    def likelihood(temperature: float) -> float:
        scores = np.array(rows) / temperature
        shares = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return float(shares[np.arange(len(gold)), list(gold)].mean())

    found = fit_temperature(log_likelihoods=rows, gold=gold)
    others = [likelihood(temperature) for temperature in np.geomspace(SHARPEST, FLATTEST, 100)]
    assert likelihood(found) >= max(others) - 1e-3


def test_a_model_that_was_drawn_from_gets_the_temperature_it_was_drawn_at() -> None:
    draw = np.random.default_rng(5)
    scores = draw.normal(size=(20_000, 4)) * 2
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    gold = (shares.cumsum(axis=1) > draw.random((20_000, 1))).argmax(axis=1)
    assert fit_temperature(log_likelihoods=(3 * scores).tolist(), gold=gold.tolist()) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize(
    ("rows", "gold", "message"),
    [
        ([[0.0, -1.0]], [0, 1], "1 turns and 2 gold labels"),
        ([], [], "at least one turn"),
        ([[0.0, float("nan")]], [0], "recognise again in float32"),
        ([[0.0, float("-inf")]], [0], "recognise again in float32"),
    ],
)
def test_a_temperature_needs_likelihoods_and_labels(rows: list[list[float]], gold: list[int], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        fit_temperature(log_likelihoods=rows, gold=gold)
