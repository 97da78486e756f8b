"""Rows hold every sequence once, within the budget."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from instructerc.trees import pack
from instructerc.trees.tree import visible

SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8), max_size=16)


@given(SEQUENCES, st.integers(1, 4), st.integers(1, 40))
def test_every_sequence_is_in_one_row_and_reads_as_if_alone(
    sequences: list[list[int]], group_size: int, budget: int
) -> None:
    groups = [
        list(range(start, min(start + group_size, len(sequences)))) for start in range(0, len(sequences), group_size)
    ]
    rows = pack(groups, sequences, budget=budget)
    assert sorted(number for row in rows for number in row.sequences) == list(range(len(sequences)))
    for row in rows:
        mask = visible(row.ends)
        for number, path in zip(row.sequences, row.paths, strict=True):
            assert row.tokens[path].tolist() == sequences[number]
            assert row.depths[path].tolist() == list(range(len(path)))
            assert np.flatnonzero(mask[path[-1]]).tolist() == path.tolist()


@given(SEQUENCES, st.integers(1, 40))
def test_a_row_exceeds_the_budget_only_where_one_sequence_does(sequences: list[list[int]], budget: int) -> None:
    for row in pack([list(range(len(sequences)))], sequences, budget=budget):
        assert len(row) <= budget or len(row.sequences) == 1


def test_a_tree_that_is_too_large_repeats_its_trunk() -> None:
    rows = pack([[0, 1, 2, 3]], [[9, 9, 9, number] for number in range(4)], budget=5)
    assert [row.tokens.tolist() for row in rows] == [[9, 9, 9, 0, 1], [9, 9, 9, 2, 3]]
