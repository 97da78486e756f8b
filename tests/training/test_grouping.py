"""Which examples make up a step: by conversation, by part, by example."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.backbones.tokens import EncodedExample
from instructerc.errors import UsageError
from instructerc.training.grouping import ByConversation, ByExample, ByPart, Grouping, grouping_of
from instructerc.training.settings import TrainingSettings

GROUPINGS = [ByConversation(), ByPart(size=1), ByPart(size=3), ByExample()]


def examples_of(sizes: list[int]) -> list[EncodedExample]:
    return [
        EncodedExample((1,), ((2, 3),), 0, 1.0, conversation=str(number))
        for number, size in enumerate(sizes)
        for _ in range(size)
    ]


@pytest.mark.parametrize("grouping", GROUPINGS, ids=str)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, 10), st.integers(0, 5))
def test_every_epoch_meets_every_example_once_in_as_many_steps(
    grouping: Grouping, sizes: list[int], batch_size: int, seed: int
) -> None:
    examples = examples_of(sizes)
    plan = grouping.plan(examples, batch_size, random.Random(seed))
    assert len(plan) == math.ceil(len(examples) / batch_size)
    assert all(plan), "a step without examples has no loss"
    assert sorted(position for step in plan for position in step) == list(range(len(examples)))
    assert plan == grouping.plan(examples, batch_size, random.Random(seed))


@pytest.mark.parametrize("grouping", GROUPINGS, ids=str)
def test_every_epoch_has_an_order_of_its_own(grouping: Grouping) -> None:
    examples, order = examples_of([5] * 20), random.Random(0)
    assert grouping.plan(examples, 10, order) != grouping.plan(examples, 10, order)


@pytest.mark.parametrize("grouping", GROUPINGS, ids=str)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, 10), st.integers(0, 5))
def test_steps_are_of_about_one_size(grouping: Grouping, sizes: list[int], batch_size: int, seed: int) -> None:
    examples = examples_of(sizes)
    plan = grouping.plan(examples, batch_size, random.Random(seed))
    largest = min(batch_size, max(sizes))
    assert max(map(len, plan)) <= batch_size + largest


@pytest.mark.parametrize("grouping", GROUPINGS, ids=str)
def test_steps_of_a_real_mixture_of_lengths_are_nearly_even(grouping: Grouping) -> None:
    sizes = [random.Random(seed).choice((1, 2, 5, 8, 9, 12, 15, 24)) for seed in range(200)]
    examples = examples_of(sizes)
    plan = grouping.plan(examples, 16, random.Random(1))
    last = len(examples) % 16 if grouping == ByExample() else 16
    assert {len(step) for step in plan} <= {last, 15, 16, 17}


def owners(plan: list[list[int]], examples: list[EncodedExample]) -> list[Counter[str]]:
    return [Counter(examples[position].conversation for position in step) for step in plan]


def test_a_conversation_stays_in_one_step_where_it_fits() -> None:
    examples = examples_of([4] * 10)
    found = owners(ByConversation().plan(examples, 8, random.Random(1)), examples)
    assert sum(map(len, found)) == 10


def test_parts_bring_more_conversations_into_a_step() -> None:
    examples = examples_of([12] * 40)
    whole = owners(ByConversation().plan(examples, 24, random.Random(1)), examples)
    parts = owners(ByPart(size=3).plan(examples, 24, random.Random(1)), examples)
    assert {len(step) for step in whole} == {2}
    assert min(map(len, parts)) > 4


def test_left_open_trees_take_conversations_and_padded_batches_take_examples() -> None:
    assert grouping_of(TrainingSettings(), trees=True) == ByConversation()
    assert grouping_of(TrainingSettings(), trees=False) == ByExample()
    assert grouping_of(TrainingSettings(grouping="example"), trees=True) == ByExample()
    assert grouping_of(TrainingSettings(grouping="part", part_size=2), trees=False) == ByPart(size=2)


def test_a_misspelt_grouping_is_named() -> None:
    with pytest.raises(UsageError, match="grouping is 'turns': choose one of conversation, part, example"):
        TrainingSettings(grouping="turns")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="part_size is 0: give 1 or more"):
        TrainingSettings(part_size=0)
