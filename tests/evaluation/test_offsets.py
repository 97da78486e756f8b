"""Offsets that make decisions reach a higher weighted F1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from instructerc.errors import EvaluationError
from instructerc.evaluation.offsets import LARGEST, fit_offsets, weighted_f1

TURNS = st.integers(0, 2**32).map(np.random.default_rng)


def some(draw: np.random.Generator, turns: int = 60, labels: int = 4) -> tuple[list[list[float]], list[int]]:
    """Log-probabilities that lean to the gold label, which is mostly the first."""
    gold = draw.choice(labels, size=turns, p=[0.55, 0.25, 0.15, 0.05]).tolist()
    scores = draw.normal(size=(turns, labels)) + np.array([1.0, 0.3, 0.0, -0.6])
    scores[np.arange(turns), gold] += 0.8
    return (scores - np.log(np.exp(scores).sum(1, keepdims=True))).tolist(), gold


@given(TURNS)
@settings(max_examples=10, deadline=None)
def test_what_they_are_fitted_on_is_never_worse(draw: np.random.Generator) -> None:
    rows, gold = some(draw)
    offsets = fit_offsets(log_probabilities=rows, gold=gold)
    values, right = np.array(rows), np.array(gold)
    assert weighted_f1(values + offsets, right) >= weighted_f1(values, right)
    assert all(abs(offset) <= LARGEST for offset in offsets)
    assert fit_offsets(log_probabilities=rows, gold=gold) == offsets, "the same every time"


@given(TURNS)
@settings(max_examples=25, deadline=None)
def test_the_figure_is_that_of_scikit_learn(draw: np.random.Generator) -> None:
    rows, gold = some(draw, turns=20)
    values = np.array(rows)
    expected = f1_score(gold, values.argmax(1), average="weighted", zero_division=0)
    assert weighted_f1(values, np.array(gold)) == pytest.approx(expected)


def test_a_rare_label_that_is_named_too_seldom_is_named_more_often() -> None:
    draw = np.random.default_rng(3)
    rows, gold = some(draw, turns=2000)
    rows = (np.array(rows) - np.array([0.0, 0.8, 0.8, 0.8])).tolist()  # as a model that leans to the first label
    fitted = fit_offsets(log_probabilities=rows[:1000], gold=gold[:1000])
    values, right = np.array(rows[1000:]), np.array(gold[1000:])
    assert weighted_f1(values + fitted, right) > weighted_f1(values, right) + 0.02, "on turns that it has not seen"


def test_what_is_right_already_stays() -> None:
    assert fit_offsets(log_probabilities=[[-0.1, -2.4], [-2.4, -0.1]], gold=[0, 1]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("rows", "gold", "message"),
    [
        ([[-0.1, -2.4]], [0, 1], "1 turns and 2 gold labels"),
        ([], [], "at least one turn"),
        ([[float("nan"), 0.0]], [0], "no finite number"),
    ],
)
def test_what_cannot_be_fitted_is_refused(rows: list[list[float]], gold: list[int], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        fit_offsets(log_probabilities=rows, gold=gold)
