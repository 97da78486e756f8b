from __future__ import annotations

import json
from dataclasses import replace

import pytest

from instructerc.errors import EvaluationError
from instructerc.evaluation import compare_rows, evaluate_rows, interval_of_rows, notices_of_rows
from instructerc.recognition.predictions import TurnPrediction

LABELS = ("neutral", "joy", "anger")


def _row(place: str, gold: str | None, emotion: str, **values: object) -> TurnPrediction:
    conversation, turn = place.split("/")
    return TurnPrediction(conversation=conversation, turn=int(turn), gold=gold, emotion=emotion, **values)  # type: ignore[arg-type]


ROWS = [
    _row("a/0", "joy", "joy"),
    _row("a/1", None, "joy"),
    _row("a/2", "anger", "neutral"),
    _row("b/0", "neutral", "neutral"),
]


def test_rows_without_a_gold_label_are_skipped_and_counted() -> None:
    scores = evaluate_rows(ROWS, labels=LABELS, neutral="neutral")
    assert (scores.support, scores.skipped) == (3, 1)
    assert scores.accuracy == pytest.approx(2 / 3)


def test_an_answer_outside_the_label_set_is_wrong_or_judged_by_its_nearest_label() -> None:
    rows = [_row("a/0", "joy", "joy", answer="joyous", out_of_label=True), _row("a/1", "joy", "joy")]
    wrong = evaluate_rows(rows, labels=LABELS)
    nearest = evaluate_rows(rows, labels=LABELS, out_of_label="nearest")
    assert (wrong.accuracy, nearest.accuracy) == (0.5, 1.0)
    assert (wrong.out_of_label, nearest.out_of_label) == (1, 1)


def test_the_calibration_error_comes_from_the_probabilities() -> None:
    sure = {"neutral": 0.1, "joy": 0.8, "anger": 0.1}
    rows = [_row("a/0", "joy", "joy", probabilities=sure), _row("a/1", "anger", "joy", probabilities=sure)]
    assert evaluate_rows(rows, labels=LABELS).calibration_error == pytest.approx(0.3)


def test_rows_without_probabilities_have_no_calibration_error() -> None:
    assert evaluate_rows(ROWS, labels=LABELS).calibration_error is None


def test_no_gold_label_at_all_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="none of 1 rows carries a gold label"):
        evaluate_rows([ROWS[1]], labels=LABELS)


def test_a_turn_that_stands_twice_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="conversation 'a', turn 0 stands twice"):
        evaluate_rows([*ROWS, ROWS[0]], labels=LABELS)


def test_equal_rows_at_two_places_are_not_one_turn() -> None:
    assert evaluate_rows([ROWS[0], replace(ROWS[0], turn=5)], labels=LABELS).support == 2


def test_conversations_are_drawn_where_there_are_several() -> None:
    assert interval_of_rows(ROWS, labels=LABELS).unit == "conversations"
    assert interval_of_rows(ROWS[:3], labels=LABELS).unit == "turns"
    assert interval_of_rows(ROWS, labels=LABELS, unit="turns").unit == "turns"


def test_rows_are_aligned_by_conversation_and_turn() -> None:
    better = [replace(row, emotion=row.gold or "joy") for row in reversed(ROWS)]
    comparison = compare_rows(ROWS, better, labels=LABELS, samples=100)
    assert comparison.better == "second"
    assert comparison.second.accuracy == 1
    assert (comparison.mcnemar.only_first, comparison.mcnemar.only_second) == (0, 1)
    assert not comparison.beyond_chance
    assert json.loads(json.dumps(comparison.to_json()))["better"] == "second"


def test_equal_predictions_have_no_better_one() -> None:
    assert compare_rows(ROWS, ROWS, labels=LABELS, samples=10).better is None


def test_a_clear_difference_is_beyond_chance() -> None:
    golds = [_row(f"{conversation}/{turn}", "joy", "joy") for conversation in "abcdefgh" for turn in range(8)]
    wrong = [replace(row, emotion="anger" if row.turn % 2 else "joy") for row in golds]
    comparison = compare_rows(golds, wrong, labels=LABELS)
    assert (comparison.better, comparison.beyond_chance) == ("first", True)


def test_everything_that_keeps_rows_apart_is_named_at_once() -> None:
    second = [replace(ROWS[0], gold="anger"), *ROWS[1:3], _row("c/0", "joy", "joy")]
    with pytest.raises(EvaluationError) as caught:
        compare_rows(ROWS, second, labels=LABELS)
    message = str(caught.value)
    assert "conversation 'b', turn 0 is missing in the second" in message
    assert "conversation 'c', turn 0 is missing in the first" in message
    assert "conversation 'a', turn 0 has gold 'joy' in the first and 'anger' in the second" in message
    assert "\n" not in message


def test_notices_say_what_a_reader_must_know() -> None:
    rows = [
        *ROWS,
        _row("d/0", "joy", "bliss", dropped_turns=3),
        _row("d/1", "joy", "joy", dropped_turns=1, out_of_label=True),
    ]
    assert notices_of_rows(rows, evaluate_rows(rows, labels=LABELS)) == [
        "Never predicted, though gold labels hold it: anger.",
        "2 answers of 5 outside the label set: counted as wrong.",
        "2 prompts too long: 4 turns of history dropped, oldest first.",
        "1 turn without a gold label not judged.",
    ]


def test_nothing_to_say_is_no_notice() -> None:
    rows = [_row("a/0", "joy", "joy")]
    assert notices_of_rows(rows, evaluate_rows(rows, labels=LABELS)) == []
