"""Class weights from counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from instructerc.corpora import load_corpus
from instructerc.errors import DataError, UnknownNameError, UsageError
from instructerc.evaluation.weights import (
    WEIGHTINGS,
    Balanced,
    EffectiveNumber,
    SquareRoot,
    Unweighted,
    class_weights,
    get_weighting,
    label_counts,
)

counted = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 5000), min_size=1)


@given(counted)
def test_balanced_is_that_of_scikit_learn(counts: dict[str, int]) -> None:
    labels = np.array(list(counts))
    theirs = compute_class_weight("balanced", classes=labels, y=np.repeat(labels, list(counts.values())))
    assert list(class_weights(counts, Balanced()).values()) == pytest.approx(list(theirs))


@given(counted, st.sampled_from([*WEIGHTINGS.values(), EffectiveNumber(beta=0.9), EffectiveNumber(beta=0)]))
def test_an_example_weighs_one_on_average_and_a_rarer_label_never_less(
    counts: dict[str, int], weighting: object
) -> None:
    weights = class_weights(counts, weighting)  # type: ignore[arg-type]
    total = sum(counts.values())
    assert sum(counts[label] * weight for label, weight in weights.items()) == pytest.approx(total)
    ranked = sorted(counts, key=lambda label: counts[label])
    falling = [weights[label] for label in ranked]
    assert all(more >= less - 1e-9 * more for more, less in itertools.pairwise(falling))


def test_each_weighting_does_what_its_formula_says() -> None:
    counts = {"neutral": 90, "joy": 10}
    assert class_weights(counts, Unweighted()) == {"neutral": 1, "joy": 1}
    weights = class_weights(counts, SquareRoot())
    assert weights["joy"] / weights["neutral"] == pytest.approx(3)
    weights = class_weights(counts, EffectiveNumber(beta=0.99))
    assert weights["joy"] / weights["neutral"] == pytest.approx((1 - 0.99**90) / (1 - 0.99**10))
    assert class_weights(counts, EffectiveNumber(beta=0)) == {"neutral": 1, "joy": 1}


def test_a_label_without_an_example_has_no_weight() -> None:
    assert class_weights({"joy": 3, "fear": 0}, Balanced()) == {"joy": 1}


def test_counts_that_cannot_be_weighed_are_refused() -> None:
    for counts in ({}, {"joy": 0}):
        with pytest.raises(DataError, match="no example carries a label"):
            class_weights(counts, Balanced())
    with pytest.raises(DataError, match=r"counts of labels are negative: \{'joy': -1\}"):
        class_weights({"joy": -1, "fear": 1}, Balanced())
    for beta in (-0.1, 1, float("nan")):
        with pytest.raises(UsageError, match=r"beta is .*: give a number from 0, below 1"):
            EffectiveNumber(beta=beta)


def test_a_weighting_is_found_by_name() -> None:
    assert [get_weighting(name).name for name in WEIGHTINGS] == list(WEIGHTINGS)
    with pytest.raises(UnknownNameError, match="did you mean 'balanced'"):
        get_weighting("balance")


def test_labels_are_counted_in_conversations() -> None:
    counts = label_counts(load_corpus("sample").train)
    assert sum(counts.values()) == 3781
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
