from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import SPLITS
from instructerc.errors import ArtefactError, UsageError
from instructerc.evaluation import METRICS, evaluate
from instructerc.prompts import Task
from instructerc.reporting import Curves, Report, wrong_turns
from tests.reporting.examples import hostile_turn, mixture_report, report, rows

SCORES = evaluate(golds=["joy"], predictions=["joy"], labels=["joy"])
FRACTIONS = st.floats(0, 1)
PAIRS = st.lists(st.tuples(st.integers(1, 9).map(float), FRACTIONS), max_size=3).map(tuple)
CURVES = st.builds(
    Curves,
    loss=PAIRS,
    validation=PAIRS,
    metric=st.sampled_from(METRICS),
    best_epoch=st.none() | st.integers(1, 9),
    task=st.sampled_from(get_args(Task)),
    split=st.sampled_from(SPLITS),
)


@pytest.mark.parametrize("whole", [report(), mixture_report()], ids=["one corpus", "a mixture"])
def test_a_report_survives_json(whole: Report) -> None:
    assert Report.from_json(json.loads(json.dumps(whole.to_json()))) == whole


@given(
    names=st.lists(st.text(), max_size=3),
    marks=st.lists(st.text()).map(tuple),
    stages=st.dictionaries(st.text(), CURVES, max_size=3),
    values=st.dictionaries(st.text(), st.none() | st.booleans() | FRACTIONS | st.lists(st.text()), max_size=3),
)
def test_corpora_marks_stages_and_values_of_any_kind_survive_json(
    names: list[str], marks: tuple[str, ...], stages: dict[str, Curves], values: dict[str, object]
) -> None:
    whole = Report(
        title="x",
        scores={"test": SCORES},
        sources=dict.fromkeys(names, SCORES),
        marks=marks,
        stages=stages,
        provenance={"Demonstrations": values},
    )
    read = Report.from_json(json.loads(json.dumps(whole.to_json())))
    assert read == whole
    assert (list(read.sources), list(read.stages)) == (list(whole.sources), list(whole.stages))


def test_a_report_that_knows_no_corpora_marks_and_stages_is_still_read() -> None:
    older = report().to_json()
    for name in ("sources", "marks", "stages"):
        del older[name]
    del older["curves"]["task"], older["curves"]["split"]
    assert Report.from_json(older) == report()


def test_the_figure_of_a_stage_is_that_of_the_epoch_that_was_kept() -> None:
    assert Curves(validation=((1, 0.5), (2, 0.4)), best_epoch=1).best == 0.5
    assert Curves(validation=((1, 0.5),), best_epoch=2).best is None
    assert Curves(validation=((1, 0.5),)).best is None


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
    several = replace(report(), provenance={"Run": {"marks": ("one", Path("two"))}})
    assert several.to_json()["provenance"] == {"Run": {"marks": ["one", "two"]}}


def test_an_example_survives_json() -> None:
    turn = hostile_turn()
    assert type(turn).from_json(json.loads(json.dumps(turn.to_json()))) == turn
