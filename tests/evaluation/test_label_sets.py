from __future__ import annotations

import pytest

from instructerc.errors import EvaluationError, UnknownNameError, UsageError
from instructerc.evaluation import label_set_of_rows, parse_label_set
from instructerc.labels import EKMAN, MELD
from instructerc.recognition.predictions import TurnPrediction


def _row(gold: str | None, emotion: str, **values: object) -> TurnPrediction:
    return TurnPrediction(conversation="a", turn=0, gold=gold, emotion=emotion, **values)  # type: ignore[arg-type]


def test_a_set_is_named_or_spelled_out() -> None:
    assert parse_label_set("MELD") is MELD
    assert parse_label_set("calm, tense").labels == ("calm", "tense")
    assert parse_label_set("calm,tense", neutral="calm").neutral == "calm"


@pytest.mark.parametrize(
    ("text", "neutral", "error", "message"),
    [
        ("meldd", None, UnknownNameError, "unknown label set 'meldd': did you mean 'meld'"),
        ("calm,,tense", None, UsageError, "a label is empty or stands twice"),
        ("calm,calm", None, UsageError, "a label is empty or stands twice"),
        ("calm,tense", "neutral", UsageError, "neutral 'neutral' is none of the labels: calm, tense"),
    ],
)
def test_what_names_no_set_is_an_error(text: str, neutral: str | None, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_label_set(text, neutral=neutral)


def test_probabilities_say_which_labels_there_are_and_in_which_order() -> None:
    rows = [_row("joy", "joy", probabilities={"tense": 0.1, "joy": 0.9, "neutral": 0.0})]
    assert label_set_of_rows(rows).labels == ("tense", "joy", "neutral")
    assert label_set_of_rows(rows).neutral == "neutral"


def test_labels_that_occur_make_up_a_known_set_in_its_order() -> None:
    rows = [_row(label, "joy") for label in reversed(EKMAN.labels)]
    assert label_set_of_rows(rows) == EKMAN


def test_other_labels_that_occur_are_sorted() -> None:
    assert label_set_of_rows([_row("tense", "calm"), _row(None, "neutral")]).labels == ("calm", "neutral", "tense")


def test_rows_over_different_labels_are_an_error() -> None:
    rows = [_row("joy", "joy", probabilities={"joy": 1.0}), _row("fear", "fear", probabilities={"fear": 1.0})]
    with pytest.raises(EvaluationError, match="has probabilities of fear, the first row of joy"):
        label_set_of_rows(rows)
