from __future__ import annotations

import pytest

from instructerc.errors import EvaluationError, UsageError
from instructerc.evaluation import label_set_of_rows, with_neutral
from instructerc.labels import EKMAN, MELD
from instructerc.recognition.predictions import TurnPrediction


def _row(gold: str | None, emotion: str, **values: object) -> TurnPrediction:
    return TurnPrediction(conversation="a", turn=0, gold=gold, emotion=emotion, **values)  # type: ignore[arg-type]


def test_another_label_can_be_the_neutral_one() -> None:
    assert with_neutral(MELD, None) is MELD
    assert with_neutral(MELD, "sad").neutral == "sad"
    with pytest.raises(UsageError, match="neutral 'calm' is none of the labels: neutral, surprise, "):
        with_neutral(MELD, "calm")


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
