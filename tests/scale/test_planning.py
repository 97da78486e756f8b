"""What labelling so many turns would take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from instructerc.backbones.loading import load_tokenizer
from instructerc.cli import app
from instructerc.conversation import Conversation
from instructerc.corpora import load_corpus
from instructerc.errors import UnknownNameError, UsageError
from instructerc.prompts import PromptSpec, Window
from instructerc.scale.planning import DEVICES, count_tokens, estimate


@given(
    st.floats(1, 1e12),
    st.floats(1, 1e4),
    st.integers(10**6, 10**12),
    st.sampled_from(sorted(DEVICES)),
    st.integers(1, 64),
)
def test_hours_are_operations_over_speed(
    turns: float, tokens: float, parameters: int, device: str, devices: int
) -> None:
    found = estimate(
        turns=turns, tokens_per_turn=tokens, parameters=parameters, device=device, devices=devices, price=2.0
    )
    operations = 2 * parameters * turns * tokens
    expected = operations / (DEVICES[device].teraflops * 1e12 * 0.3) / 3600
    assert found.device_hours == pytest.approx(expected)
    assert found.hours == pytest.approx(expected / devices)
    assert found.cost == pytest.approx(2 * expected)


def test_what_somebody_measured_takes_the_place_of_the_arithmetic() -> None:
    found = estimate(turns=3600, tokens_per_turn=10, parameters=1, tokens_per_second=10)
    assert found.device_hours == 1
    assert found.device is None
    assert found.lines() == [
        "3,600 turns x 10.0 tokens a turn = 3.6e+04 tokens",
        "10 tokens a second, as given",
        "3.6e+04 / 10 / 3600 = 1.0 device hours",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"turns": 0}, "turns is 0: give a number above 0"),
        ({"turns": float("nan")}, "turns is nan"),
        ({"utilisation": 1.5}, "give at most 1"),
        ({"price": -1}, "price is -1"),
        ({"device": None}, "name one of t4, l4"),
    ],
)
def test_what_is_no_plan_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        estimate(**{"turns": 1, "tokens_per_turn": 1, "parameters": 1, "device": "h100", **change})
    with pytest.raises(UnknownNameError, match="did you mean 'h100'"):
        estimate(turns=1, tokens_per_turn=1, parameters=1, device="h10")


def test_trees_read_fewer_tokens_and_alone_is_the_sum_of_the_prompts() -> None:
    tokenizer = load_tokenizer("embedded")[0]
    spec = PromptSpec(labels=("joy", "anger"), wording="compact", window=Window(size=12, stride=4))
    chats = load_corpus("sample").train[:5]
    count = count_tokens(chats, spec, tokenizer, longest=512)
    assert count.turns == sum(map(len, chats))
    assert count.trees < count.alone
    with pytest.raises(UsageError, match="holds no turn"):
        count_tokens([Conversation("empty", ())], spec, tokenizer, longest=512)


def test_the_command_shows_both_ways() -> None:
    arguments = ["plan", "--turns", "1e9", "--backbone", "qwen3-0.6b", "--gpu", "h100", "--price", "2.5"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "the tokenizer of embedded (that of the backbone is not at hand)" in result.stdout
    assert "989 TFLOP/s x 30% / (2 x 596,049,920 parameters)" in result.stdout
    assert "arithmetic, not a measurement" in result.stdout
    record = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    trees, alone = record["as token trees"], record["every prompt by itself"]
    assert trees["device_hours"] < alone["device_hours"]
    assert trees["cost"] == pytest.approx(2.5 * trees["device_hours"])
    wrong = CliRunner().invoke(app, [*arguments[:-3], "h1000"])
    assert wrong.exit_code == 2
    assert "Known: " in wrong.stderr
