from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from instructerc.errors import ArtefactError, UsageError
from instructerc.reporting import Curves, Report, wrong_turns
from tests.reporting.examples import hostile_turn, report, rows


def test_a_report_survives_json() -> None:
    whole = report()
    assert Report.from_json(json.loads(json.dumps(whole.to_json()))) == whole


def test_test_is_the_main_split() -> None:
    assert report().main_split == "test"
    scores = report().scores["validation"]
    assert Report(title="x", scores={"validation": scores}).main_split == "validation"


def test_wrong_turns_are_those_the_model_is_surest_of_with_what_was_said_before() -> None:
    first, second = wrong_turns(rows())
    assert (first.turn, first.confidence, first.emotion) == (2, 0.7, "joy")
    assert first.context[0].text == "hello"
    assert second.turn == 1
    assert wrong_turns(rows(), most=1) == (first,)
    assert wrong_turns(rows(), context=0)[0].context == ()
    assert len(wrong_turns(rows(), context=1)[0].context) == 1


def test_an_answer_outside_the_label_set_is_a_wrong_turn() -> None:
    odd = replace(rows()[0], out_of_label=True, answer="calm", probabilities=None)
    (turn,) = wrong_turns([odd])
    assert (turn.answer, turn.confidence) == ("calm", None)


def test_notices_of_the_rows_stand_before_those_of_the_caller() -> None:
    notices = report().notices
    assert notices[0] == "Never predicted, though gold labels hold it: anger."
    assert notices[-1].startswith("Beware of")
    assert len(notices) == 4


def test_a_report_needs_scores_and_fitting_intervals() -> None:
    with pytest.raises(UsageError, match="report 'x' has no scores"):
        Report(title="x", scores={})
    with pytest.raises(UsageError, match="an interval but no scores of test"):
        Report(title="x", scores={"validation": report().main}, intervals=report().intervals)


def test_a_report_of_another_format_is_refused() -> None:
    with pytest.raises(ArtefactError, match="report of format 99: this version reads format 1"):
        Report.from_json({**report().to_json(), "format": 99})


def test_a_loss_that_is_no_number_is_null_in_json() -> None:
    record = Curves(loss=((1, math.nan), (2, 0.5))).to_json()
    assert record["loss"] == [[1, None], [2, 0.5]]
    assert math.isnan(Curves.from_json(record).loss[0][1])


def test_provenance_may_hold_anything_that_has_a_text() -> None:
    odd = replace(report(), provenance={"Run": {"folder": Path("runs"), "loss": math.inf, "steps": 3}})
    assert odd.to_json()["provenance"] == {"Run": {"folder": "runs", "loss": "inf", "steps": 3}}


def test_an_example_survives_json() -> None:
    turn = hostile_turn()
    assert type(turn).from_json(json.loads(json.dumps(turn.to_json()))) == turn
