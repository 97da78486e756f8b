from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from instructerc.errors import EvaluationError, UnknownNameError, UsageError
from instructerc.evaluation import METRICS, OUT_OF_LABEL, Scores, evaluate
from instructerc.evaluation.confusion import encode, metric_of_tables

LABELS = ("neutral", "joy", "anger", "fear")
PAIRS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from((*LABELS, "bliss"))), min_size=1, max_size=40)


def _scores(pairs: list[tuple[str, str]]) -> Scores:
    golds, predictions = zip(*pairs, strict=True)
    return evaluate(golds=golds, predictions=predictions, labels=LABELS, neutral="neutral")


@given(PAIRS)
def test_every_f1_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    golds, predictions = (list(column) for column in zip(*pairs, strict=True))
    scores = _scores(pairs)

    def f1(average: str, labels: tuple[str, ...] = LABELS) -> float:
        return float(f1_score(golds, predictions, labels=labels, average=average, zero_division=0))

    assert scores.weighted_f1 == pytest.approx(f1("weighted"))
    assert scores.macro_f1 == pytest.approx(f1("macro"))
    assert scores.micro_f1 == pytest.approx(f1("micro"))
    assert scores.micro_f1_without_neutral == pytest.approx(f1("micro", LABELS[1:]))
    assert scores.macro_f1_without_neutral == pytest.approx(f1("macro", LABELS[1:]))
    assert scores.accuracy == pytest.approx(accuracy_score(golds, predictions))


@given(PAIRS)
def test_class_figures_and_confusion_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    golds, predictions = (list(column) for column in zip(*pairs, strict=True))
    scores = _scores(pairs)
    columns = precision_recall_fscore_support(golds, predictions, labels=LABELS, average=None, zero_division=0)
    for label, *expected in zip(LABELS, *columns, strict=True):
        assert scores.per_class[label] == pytest.approx(tuple(expected))
    assert scores.confusion == tuple(map(tuple, confusion_matrix(golds, predictions, labels=LABELS).tolist()))


@given(PAIRS)
def test_the_metrics_of_tables_equal_those_of_turns(pairs: list[tuple[str, str]]) -> None:
    import numpy as np

    golds, predictions = zip(*pairs, strict=True)
    tables = np.zeros((2, len(LABELS), len(LABELS) + 1), dtype=np.int64)
    np.add.at(tables[1], (encode(golds, LABELS), encode(predictions, LABELS)), 1)
    scores = _scores(pairs)
    for metric in METRICS:
        empty, figure = metric_of_tables(tables, metric=metric, labels=LABELS, neutral="neutral")
        assert empty == 0
        assert figure == pytest.approx(scores.value(metric))


@given(PAIRS)
def test_scores_survive_json(pairs: list[tuple[str, str]]) -> None:
    scores = _scores(pairs)
    assert Scores.from_json(json.loads(json.dumps(scores.to_json()))) == scores


@settings(max_examples=25)
@given(PAIRS, st.randoms())
def test_the_order_of_turns_and_of_labels_does_not_matter(pairs: list[tuple[str, str]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    golds, predictions = zip(*shuffled, strict=True)
    turned = evaluate(golds=golds, predictions=predictions, labels=LABELS[::-1], neutral="neutral")
    for metric in METRICS:
        assert turned.value(metric) == pytest.approx(_scores(pairs).value(metric))


def test_a_small_case_by_hand() -> None:
    scores = evaluate(golds=["joy", "joy", "fear", "anger"], predictions=["joy", "fear", "fear", "joy"], labels=LABELS)
    assert scores.per_class["joy"] == (0.5, 0.5, 0.5, 2)
    assert scores.per_class["fear"] == pytest.approx((0.5, 1.0, 2 / 3, 1))
    assert scores.per_class["neutral"] == (0, 0, 0, 0)
    assert scores.weighted_f1 == pytest.approx((2 * 0.5 + 2 / 3) / 4)
    assert scores.confusion == ((0, 0, 0, 0), (0, 1, 0, 1), (0, 1, 0, 0), (0, 0, 0, 1))


def test_an_answer_outside_the_label_set_is_wrong_and_counted() -> None:
    scores = evaluate(golds=["joy", "joy"], predictions=["joy", "bliss"], labels=LABELS)
    assert scores.out_of_label == 1
    assert scores.accuracy == 0.5
    assert scores.confusion[1] == (0, 1, 0, 0)
    assert scores.outside == (0, 1, 0, 0)


def test_a_flagged_answer_is_wrong_even_where_its_nearest_label_is_right() -> None:
    golds = ["joy", "fear"]
    scores = evaluate(golds=golds, predictions=golds, labels=LABELS, out_of_label=[False, True])
    assert (scores.out_of_label, scores.accuracy) == (1, 0.5)
    assert scores.never_predicted == ("fear",)


def test_a_class_that_is_never_predicted_is_named_and_one_without_gold_is_not() -> None:
    scores = evaluate(golds=["joy", "fear"], predictions=["joy", "joy"], labels=LABELS)
    assert scores.never_predicted == ("fear",)


def test_without_a_neutral_label_its_metrics_are_absent() -> None:
    scores = evaluate(golds=["joy"], predictions=["joy"], labels=LABELS)
    assert scores.micro_f1_without_neutral is None
    assert scores.macro_f1_without_neutral is None
    with pytest.raises(UsageError, match="none is named"):
        scores.value("micro_f1_without_neutral")


def test_an_unknown_metric_names_the_nearest() -> None:
    scores = evaluate(golds=["joy"], predictions=["joy"], labels=LABELS)
    with pytest.raises(UnknownNameError, match="did you mean 'weighted_f1'"):
        scores.value("weigthed_f1")  # type: ignore[arg-type]


def test_neutral_alone_has_no_metric_without_it() -> None:
    scores = evaluate(golds=["neutral"], predictions=["neutral"], labels=["neutral"], neutral="neutral")
    assert scores.micro_f1_without_neutral is None


def test_golds_and_predictions_are_keyword_only() -> None:
    with pytest.raises(TypeError):
        evaluate(["joy"], ["joy"], labels=LABELS)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"predictions": ["joy"]}, "2 golds and 1 predictions: give one of each for every turn"),
        ({"golds": [], "predictions": []}, "no turns: an evaluation needs at least one turn"),
        (
            {"golds": ["bliss", "joy"]},
            r"gold labels outside the label set: 'bliss' \(first at position 0\); the set is",
        ),
        ({"labels": []}, "the label set is empty"),
        ({"labels": ["joy", "joy"]}, "names 'joy' twice"),
        ({"neutral": "calm"}, "neutral 'calm' is not in the label set"),
        ({"out_of_label": [True]}, "2 golds and 1 out-of-label flags"),
    ],
)
def test_what_does_not_fit_is_an_error(changed: dict[str, object], message: str) -> None:
    arguments = {"golds": ["joy", "fear"], "predictions": ["joy", "fear"], "labels": LABELS, **changed}
    with pytest.raises(EvaluationError, match=message):
        evaluate(**arguments)  # type: ignore[arg-type]


def test_every_gold_outside_the_set_is_named_at_once() -> None:
    golds = ["joy", *(f"mood {number}" for number in range(12))]
    with pytest.raises(EvaluationError, match=r"'mood 0' \(first at position 1\).*'mood 9'.* and 2 more"):
        evaluate(golds=golds, predictions=golds, labels=LABELS)


def test_the_stand_in_for_foreign_answers_cannot_be_typed() -> None:
    assert OUT_OF_LABEL.startswith("\0")
