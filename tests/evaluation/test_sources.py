"""Scores corpus by corpus."""

from __future__ import annotations

import json

import pytest

from instructerc.errors import EvaluationError
from instructerc.evaluation import SourceScores, evaluate_by_source, evaluate_rows, rows_by_source
from instructerc.recognition.predictions import TurnPrediction

LABELS = ("joyful", "mad", "neutral", "peaceful")


def row(conversation: str, turn: int, gold: str | None, emotion: str) -> TurnPrediction:
    return TurnPrediction(conversation=conversation, turn=turn, gold=gold, emotion=emotion)


ROWS = [
    row("meld:1", 0, "joyful", "joyful"),
    row("meld:1", 1, "mad", "joyful"),
    row("emorynlp:1", 0, "peaceful", "peaceful"),
    row("emorynlp:1", 1, None, "mad"),
    row("emorynlp:2:b", 0, "mad", "mad"),
    row("meld:2", 0, "mad", "peaceful"),
]


def test_each_corpus_is_scored_as_if_it_stood_alone() -> None:
    scores = evaluate_by_source(ROWS, labels=LABELS, neutral="neutral")
    assert scores.overall == evaluate_rows(ROWS, labels=LABELS, neutral="neutral")
    for source, part in (("meld", [ROWS[0], ROWS[1], ROWS[5]]), ("emorynlp", ROWS[2:5])):
        assert scores.by_source[source] == evaluate_rows(part, labels=LABELS, neutral="neutral")
    assert list(scores.by_source) == ["meld", "emorynlp"]
    assert scores.by_source["emorynlp"].accuracy == 1


def test_macro_f1_can_be_taken_over_the_labels_that_a_corpus_has() -> None:
    whole = evaluate_by_source(ROWS, labels=LABELS, neutral="neutral").by_source["meld"]
    scores = evaluate_by_source(ROWS, labels=LABELS, neutral="neutral", labels_of={"meld": ("joyful", "mad")})
    own = scores.by_source["meld"]
    assert own.macro_f1 == pytest.approx(2 * whole.macro_f1)
    assert own.weighted_f1 == pytest.approx(whole.weighted_f1)
    assert (own.neutral, own.out_of_label) == (None, 1)
    assert scores.by_source["emorynlp"].labels == LABELS


def test_a_corpus_without_gold_labels_is_named_and_not_scored() -> None:
    scores = evaluate_by_source([*ROWS, row("own:1", 0, None, "mad")], labels=LABELS)
    assert scores.unlabelled == ("own",)
    assert set(scores.by_source) == {"meld", "emorynlp"}


def test_scores_come_back_from_json() -> None:
    scores = evaluate_by_source(ROWS, labels=LABELS)
    assert SourceScores.from_json(json.loads(json.dumps(scores.to_json()))) == scores


def test_rows_that_name_no_corpus_of_the_mixture_are_refused() -> None:
    strays = [row(name, 0, "mad", "mad") for name in ("train-0", ":x", *(f"t{number}" for number in range(5)))]
    with pytest.raises(EvaluationError) as caught:
        rows_by_source([*ROWS, *strays])
    assert str(caught.value) == (
        "conversations 'train-0', ':x', 't0', 't1', 't2' and 2 more name no corpus of the mixture: "
        "their ids must be written CORPUS:ID"
    )
    with pytest.raises(EvaluationError, match=r"'emorynlp:1', 'emorynlp:2:b' name .*\(known: meld\)"):
        rows_by_source(ROWS, sources=["meld"])
