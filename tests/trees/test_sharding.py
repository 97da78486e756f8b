"""Shards hold every sequence once, and the largest is as small as its order lets it be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.trees import TokenTree, shard
from tests.trees.test_packing import SEQUENCES, Sequences, grouped


def cost(numbers: list[int], groups: list[list[int]], sequences: Sequences, *, trees: bool) -> int:
    """Tokens that a shard computes."""
    if not trees:
        return sum(len(sequences[number]) for number in numbers)
    parts = [[sequences[number] for number in numbers if number in group] for group in groups]
    return sum(len(TokenTree.from_sequences(part)) for part in parts)


@given(SEQUENCES, st.integers(1, 5), st.integers(1, 6), st.booleans())
def test_every_sequence_is_in_one_shard(sequences: Sequences, size: int, shards: int, trees: bool) -> None:
    found = shard(grouped(sequences, size), sequences, shards=shards, trees=trees)
    assert len(found) == shards
    assert sorted(number for part in found for number in part) == list(range(len(sequences)))


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), max_size=8), st.integers(1, 4), st.booleans())
def test_no_other_cut_of_the_order_has_a_smaller_largest_shard(sequences: Sequences, size: int, trees: bool) -> None:
    groups = grouped(sequences, size)
    (order,) = shard(groups, sequences, shards=1, trees=trees)
    found = shard(groups, sequences, shards=2, trees=trees)
    cuts = [(order[:place], order[place:]) for place in range(len(order) + 1)]
    least = min(max(cost(part, groups, sequences, trees=trees) for part in cut) for cut in cuts)
    assert max(cost(part, groups, sequences, trees=trees) for part in found) == least


@given(SEQUENCES, st.integers(1, 5))
def test_more_shards_never_have_a_larger_one(sequences: Sequences, size: int) -> None:
    groups = grouped(sequences, size)
    largest = [
        max(cost(part, groups, sequences, trees=True) for part in shard(groups, sequences, shards=shards, trees=True))
        for shards in range(1, 6)
    ]
    assert all(second <= first for first, second in itertools.pairwise(largest))


@pytest.mark.parametrize("trees", [True, False])
def test_fewer_sequences_than_shards_leave_shards_empty(trees: bool) -> None:
    assert shard([[0]], [[1, 2]], shards=3, trees=trees) == [[0], [], []]
    assert shard([], [], shards=2, trees=trees) == [[], []]


def test_one_long_conversation_is_cut_by_what_it_costs_and_not_by_turns() -> None:
    trunk = list(range(100))
    turns = [[*trunk[: 20 * turn], 7] for turn in range(1, 6)]  # as a tree 105 tokens, most of them the trunk
    first, second = shard([[0, 1, 2, 3, 4]], turns, shards=2, trees=True)
    assert sorted([*first, *second]) == [0, 1, 2, 3, 4]
    costs = [cost(part, [[0, 1, 2, 3, 4]], turns, trees=True) for part in (first, second)]
    assert max(costs) <= 102, "the last turn alone has 101 tokens, and shares its beginning with all others"
