"""Rows hold every sequence once, within the budget."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.trees import Span, TokenTree, fill_rate, pack
from instructerc.trees.tree import visible

Sequences = list[list[int]]
SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8), max_size=16)


def grouped(sequences: Sequences, size: int) -> list[list[int]]:
    """Numbers of the sequences, `size` a group."""
    numbers = list(range(len(sequences)))
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


@given(SEQUENCES, st.integers(1, 4), st.integers(1, 40))
def test_every_sequence_is_in_one_row_and_reads_as_if_alone(sequences: Sequences, size: int, budget: int) -> None:
    rows = pack(grouped(sequences, size), sequences, budget=budget)
    assert sorted(number for row in rows for number in row.sequences) == list(range(len(sequences)))
    for row in rows:
        mask = visible(row.ends)
        assert len(row.sequences) == len(row.paths)
        for number, path in zip(row.sequences, row.paths, strict=True):
            assert row.tokens[path].tolist() == sequences[number]
            assert row.depths[path].tolist() == list(range(len(path)))
            for place, node in enumerate(path):
                assert np.flatnonzero(mask[node]).tolist() == path[: place + 1].tolist()


@given(
    st.lists(st.lists(st.sampled_from(((1, 2), (1, 2, 3), (0,))), min_size=1, max_size=4), max_size=9),
    st.integers(1, 12),
)
def test_spans_stay_whole_whatever_the_budget(parts: list[list[tuple[int, ...]]], budget: int) -> None:
    sequences = [[token for part in sequence for token in part] for sequence in parts]
    spans = [[Span(len(part)) for part in sequence] for sequence in parts]
    for row in pack(grouped(sequences, 4), sequences, budget=budget, spans=spans):
        mask = visible(row.ends, starts=row.starts)
        for number, path in zip(row.sequences, row.paths, strict=True):
            assert row.tokens[path].tolist() == sequences[number]
            begins = 0
            for span in spans[number]:
                for node in path[begins : begins + span.size]:
                    assert np.flatnonzero(mask[node]).tolist() == path[: begins + span.size].tolist()
                begins += span.size


@given(SEQUENCES, st.integers(1, 6), st.integers(1, 40))
def test_a_row_is_no_longer_than_the_budget_or_than_one_of_its_sequences(
    sequences: Sequences, size: int, budget: int
) -> None:
    for row in pack(grouped(sequences, size), sequences, budget=budget):
        assert len(row) <= max(budget, *(len(sequences[number]) for number in row.sequences))


@given(SEQUENCES, st.integers(1, 6), st.integers(1, 40))
def test_rows_hold_no_more_tokens_than_sequences_and_no_fewer_than_whole_trees(
    sequences: Sequences, size: int, budget: int
) -> None:
    groups = grouped(sequences, size)
    whole = sum(len(TokenTree.from_sequences([sequences[number] for number in group])) for group in groups)
    tokens = sum(map(len, pack(groups, sequences, budget=budget)))
    assert whole <= tokens <= sum(map(len, sequences))
    assert sum(map(len, pack(groups, sequences, budget=1000))) == whole


@given(SEQUENCES, st.integers(1, 6), st.integers(1, 40))
def test_packing_is_the_same_every_time(sequences: Sequences, size: int, budget: int) -> None:
    first, second = (pack(grouped(sequences, size), sequences, budget=budget) for _ in range(2))
    assert [row.sequences for row in first] == [row.sequences for row in second]
    assert [row.tokens.tolist() for row in first] == [row.tokens.tolist() for row in second]


def fewest_tokens(sequences: Sequences, budget: int) -> int:
    """Of all ways to cut the sorted sequences into trees that fit, the one that repeats least."""
    ordered = sorted(sequences)
    best = [0]
    for stop in range(1, len(ordered) + 1):
        options = []
        for start in range(stop):
            size = len(TokenTree.from_sequences(ordered[start:stop]))
            if size <= max(budget, *map(len, ordered[start:stop])):
                options.append(best[start] + size)
        best.append(min(options))
    return best[-1]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=10), st.integers(1, 20))
def test_a_split_repeats_as_little_as_it_can(sequences: Sequences, budget: int) -> None:
    rows = pack([list(range(len(sequences)))], sequences, budget=budget)
    assert sum(map(len, rows)) == fewest_tokens(sequences, budget)


def test_a_tree_that_is_too_large_repeats_its_trunk() -> None:
    rows = pack([[0, 1, 2, 3]], [[9, 9, 9, number] for number in range(4)], budget=5)
    assert [row.tokens.tolist() for row in rows] == [[9, 9, 9, 0, 1], [9, 9, 9, 2, 3]]


def test_cuts_are_between_prompts_rather_than_between_the_answers_of_one() -> None:
    """Two prompts with three answers each: halves of six, and neither prompt is read twice."""
    sequences = [[*prompt, answer] for prompt in ([5, 6, 7], [5, 8, 9]) for answer in (1, 2, 3)]
    rows = pack([list(range(6))], sequences, budget=7)
    assert [sorted(row.sequences) for row in rows] == [[0, 1, 2], [3, 4, 5]]


def test_a_sequence_longer_than_the_budget_gets_a_row_with_its_prefixes() -> None:
    rows = pack([[0, 1, 2, 3]], [[1, 2, 3, 4, 5], [1, 2], [1, 2, 3, 4, 5], [1, 3]], budget=3)
    assert [(row.tokens.tolist(), sorted(row.sequences)) for row in rows] == [
        ([1, 2, 3, 4, 5], [0, 1, 2]),
        ([1, 3], [3]),
    ]


def test_each_tree_goes_into_the_fullest_row_that_has_room() -> None:
    lengths = [6, 5, 4, 3, 2]
    sequences = [[10 * number + place for place in range(length)] for number, length in enumerate(lengths)]
    rows = pack([[number] for number in range(5)], sequences, budget=10)
    assert [row.sequences for row in rows] == [(0, 2), (1, 3, 4)]
    assert fill_rate(rows, 10) == 1


def test_nothing_to_pack_makes_no_row() -> None:
    assert pack([], [], budget=8) == []
    assert pack([[]], [], budget=8) == []


def test_the_fill_rate_counts_a_long_row_as_full_and_no_row_as_no_waste() -> None:
    assert fill_rate([], 8) == 1
    assert fill_rate(pack([[0], [1]], [[1, 2, 3, 4, 5, 6], [7, 8]], budget=4), 4) == pytest.approx(8 / 10)


@given(SEQUENCES, st.integers(1, 40))
def test_a_fill_rate_is_a_share(sequences: Sequences, budget: int) -> None:
    rows = pack(grouped(sequences, 3), sequences, budget=budget)
    assert 0 < fill_rate(rows, budget) <= 1
    pairs = itertools.combinations(rows, 2)
    assert all(len(first) + len(second) > budget for first, second in pairs), "no two rows would fit into one"
