"""Offsets that make decisions reach a higher F1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from instructerc.errors import EvaluationError
from instructerc.evaluation.confusion import Metric
from instructerc.evaluation.offsets import LARGEST, figures_of, fit_offsets

FIGURES: dict[Metric, dict[str, Any]] = {
    "weighted_f1": {"average": "weighted"},
    "macro_f1": {"average": "macro", "labels": range(4)},
    "micro_f1_without_neutral": {"average": "micro", "labels": [1, 2, 3]},
}
"""As scikit-learn is asked for them; the first label is the neutral one."""

TURNS = st.integers(0, 2**32).map(np.random.default_rng)


def some(draw: np.random.Generator, turns: int = 60, labels: int = 4) -> tuple[list[list[float]], list[int]]:
    """Log-probabilities that lean to the gold label, which is mostly the first."""
    gold = draw.choice(labels, size=turns, p=[0.55, 0.25, 0.15, 0.05]).tolist()
    scores = draw.normal(size=(turns, labels)) + np.array([1.0, 0.3, 0.0, -0.6])
    scores[np.arange(turns), gold] += 0.8
    return (scores - np.log(np.exp(scores).sum(1, keepdims=True))).tolist(), gold


def figure(values: Any, gold: Any, metric: Metric = "weighted_f1") -> float:
    return float(figures_of([np.asarray(values)], np.asarray(gold), metric=metric, neutral=0)[0])


@pytest.mark.parametrize("metric", FIGURES)
@given(TURNS)
@settings(max_examples=10, deadline=None)
def test_what_they_are_fitted_on_is_never_worse(metric: Metric, draw: np.random.Generator) -> None:
    rows, gold = some(draw)
    offsets = fit_offsets(log_probabilities=rows, gold=gold, metric=metric, neutral=0)
    assert figure(np.array(rows) + offsets, gold, metric) >= figure(rows, gold, metric)
    assert all(abs(offset) <= LARGEST for offset in offsets)
    assert fit_offsets(log_probabilities=rows, gold=gold, metric=metric, neutral=0) == offsets, "the same every time"


@pytest.mark.parametrize("metric", FIGURES)
@given(TURNS)
@settings(max_examples=25, deadline=None)
def test_the_figure_is_that_of_scikit_learn(metric: Metric, draw: np.random.Generator) -> None:
    rows, gold = some(draw, turns=20)
    expected = f1_score(gold, np.array(rows).argmax(1), zero_division=0, **FIGURES[metric])
    assert figure(rows, gold, metric) == pytest.approx(expected)


def test_a_figure_without_neutral_needs_a_neutral_label() -> None:
    with pytest.raises(EvaluationError, match="micro_f1_without_neutral: no label means neutral"):
        fit_offsets(log_probabilities=[[-0.1, -2.4]], gold=[0], metric="micro_f1_without_neutral")


def test_a_rare_label_that_is_named_too_seldom_is_named_more_often() -> None:
    draw = np.random.default_rng(3)
    rows, gold = some(draw, turns=2000)
    rows = (np.array(rows) - np.array([0.0, 0.8, 0.8, 0.8])).tolist()  # as a model that leans to the first label
    fitted = fit_offsets(log_probabilities=rows[:1000], gold=gold[:1000])
    values, right = np.array(rows[1000:]), np.array(gold[1000:])
    assert figure(values + fitted, right) > figure(values, right) + 0.02, "on turns that it has not seen"


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
