"""The laws of token trees."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.trees import Span, TokenTree
from instructerc.trees.tree import Ordered, visible

SEQUENCES = st.lists(st.lists(st.integers(0, 3), max_size=8), max_size=12)


def prefixes(sequences: Sequence[Sequence[int]]) -> set[tuple[int, ...]]:
    return {tuple(sequence[:length]) for sequence in sequences for length in range(1, len(sequence) + 1)}


def spelled(tree: TokenTree, node: int) -> tuple[int, ...]:
    """The tokens from the root to a node, found by the law of attention alone."""
    return tuple(int(tree.tokens[k]) for k in range(node + 1) if k <= node < tree.ends[k])


@given(SEQUENCES)
def test_every_path_spells_its_sequence(sequences: list[list[int]]) -> None:
    tree = TokenTree.from_sequences(sequences)
    assert [tree.tokens[path].tolist() for path in tree.paths] == sequences
    assert all(tree.depths[path].tolist() == list(range(len(path))) for path in tree.paths)


@given(SEQUENCES)
def test_there_is_one_node_for_each_distinct_prefix(sequences: list[list[int]]) -> None:
    tree = TokenTree.from_sequences(sequences)
    assert len(tree) == len(prefixes(sequences))
    assert {spelled(tree, node) for node in range(len(tree))} == prefixes(sequences)


@given(SEQUENCES)
def test_a_node_sees_its_ancestors_and_itself_and_nothing_else(sequences: list[list[int]]) -> None:
    tree = TokenTree.from_sequences(sequences)
    mask = visible(tree.ends)
    for path in tree.paths:
        for place, node in enumerate(path):
            assert np.flatnonzero(mask[node]).tolist() == path[: place + 1].tolist()


@given(SEQUENCES, st.integers(0, 20))
def test_nodes_that_were_read_before_are_seen_and_see_nothing(sequences: list[list[int]], past: int) -> None:
    ends = TokenTree.from_sequences(sequences).ends
    assert np.array_equal(visible(ends, past=past), visible(ends)[past:])


@given(SEQUENCES)
def test_a_tree_is_never_larger_than_its_sequences(sequences: list[list[int]]) -> None:
    assert len(TokenTree.from_sequences(sequences)) <= sum(map(len, sequences))


@given(SEQUENCES, st.data())
def test_the_order_of_sequences_changes_no_node(sequences: list[list[int]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(sequences))
    first, second = TokenTree.from_sequences(sequences), TokenTree.from_sequences(shuffled)
    assert first.tokens.tolist() == second.tokens.tolist()
    assert first.depths.tolist() == second.depths.tolist()
    assert first.ends.tolist() == second.ends.tolist()


@given(st.lists(st.lists(st.sampled_from((0, 1, 255, 256, 65_536, 2**31, 2**40)), max_size=5), max_size=8))
def test_ids_of_any_size_are_sorted_as_numbers(sequences: list[list[int]]) -> None:
    ordered = Ordered.of(sequences)
    assert [sequence.tolist() for sequence in ordered.sequences] == sorted(sequences)
    assert [sequences[member] for member in ordered.members] == sorted(sequences)


@given(SEQUENCES, st.data())
def test_a_part_of_sorted_sequences_is_the_tree_of_that_part(sequences: list[list[int]], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(sequences)))
    stop = data.draw(st.integers(start, len(sequences)))
    found, expected = (
        Ordered.of(sequences).part(start, stop).tree(),
        TokenTree.from_sequences(sorted(sequences)[start:stop]),
    )
    assert found.tokens.tolist() == expected.tokens.tolist()
    assert found.ends.tolist() == expected.ends.tolist()
    assert [path.tolist() for path in found.paths] == [path.tolist() for path in expected.paths]


def test_no_sequence_makes_an_empty_tree() -> None:
    for sequences in ([], [[]], [[], []]):
        tree = TokenTree.from_sequences(sequences)
        assert len(tree) == 0
        assert [path.tolist() for path in tree.paths] == sequences


def test_one_token_is_a_tree_of_one_node() -> None:
    tree = TokenTree.from_sequences([[5]])
    assert (tree.tokens.tolist(), tree.depths.tolist(), tree.ends.tolist()) == ([5], [0], [1])
    assert [path.tolist() for path in tree.paths] == [[0]]


def test_a_duplicate_a_prefix_and_an_empty_sequence_share_all_their_nodes() -> None:
    tree = TokenTree.from_sequences([[5, 6, 7], [5, 6], [], [5, 6, 7]])
    assert tree.tokens.tolist() == [5, 6, 7]
    assert [path.tolist() for path in tree.paths] == [[0, 1, 2], [0, 1], [], [0, 1, 2]]


def test_the_tree_of_the_documentation() -> None:
    a, b, c, d, e, f = range(1, 7)
    tree = TokenTree.from_sequences([[a, b, c, d], [a, b, e], [a, f]])
    assert tree.tokens.tolist() == [a, b, c, d, e, f]
    assert tree.depths.tolist() == [0, 1, 2, 3, 2, 1]
    assert tree.ends.tolist() == [6, 5, 4, 4, 5, 6]


def test_sequences_may_be_arrays() -> None:
    assert TokenTree.from_sequences([np.array([1, 2]), (1, 3)]).tokens.tolist() == [1, 2, 3]  # type: ignore[list-item]


@st.composite
def in_spans(draw: st.DrawFn) -> tuple[list[list[int]], list[list[Span]]]:
    """Sequences made of a few spans, so that they have some in common, and others only by their tokens."""
    words = draw(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=3), min_size=1, max_size=4))
    marked = st.tuples(st.sampled_from(words), st.integers(0, 1))
    made = draw(st.lists(st.lists(marked, max_size=4), max_size=8))
    sequences = [[token for word, _ in parts for token in word] for parts in made]
    return sequences, [[Span(len(word), mark) for word, mark in parts] for parts in made]


@given(in_spans())
def test_a_node_sees_the_spans_before_its_own_and_all_of_that(made: tuple[list[list[int]], list[list[Span]]]) -> None:
    sequences, spans = made
    tree = TokenTree.from_sequences(sequences, spans)
    mask = visible(tree.ends, starts=tree.starts)
    for sequence, parts, path in zip(sequences, spans, tree.paths, strict=True):
        assert tree.tokens[path].tolist() == sequence
        assert tree.depths[path].tolist() == list(range(len(path)))
        stops = [
            stop
            for part, stop in zip(parts, accumulate(part.size for part in parts), strict=True)
            for _ in range(part.size)
        ]
        for node, stop in zip(path, stops, strict=True):
            assert np.flatnonzero(mask[node]).tolist() == path[:stop].tolist()


@given(in_spans())
def test_spans_are_shared_whole_and_as_often_as_they_are_the_same(
    made: tuple[list[list[int]], list[list[Span]]],
) -> None:
    sequences, spans = made
    distinct: dict[tuple[tuple[tuple[int, ...], int], ...], int] = {}
    for sequence, parts in zip(sequences, spans, strict=True):
        stops = list(accumulate(part.size for part in parts))
        cut = [(tuple(sequence[stop - part.size : stop]), part.mark) for part, stop in zip(parts, stops, strict=True)]
        distinct |= {tuple(cut[: count + 1]): parts[count].size for count in range(len(cut))}
    assert len(TokenTree.from_sequences(sequences, spans)) == sum(distinct.values())


@given(SEQUENCES)
def test_spans_of_single_tokens_are_what_is_read_from_left_to_right(sequences: list[list[int]]) -> None:
    tree = TokenTree.from_sequences(sequences)
    spans = [[Span(1)] * len(sequence) for sequence in sequences]
    found = TokenTree.from_sequences(sequences, spans)
    assert found.starts.tolist() == tree.starts.tolist() == list(range(len(tree)))
    assert len(found) == len(tree)


def test_spans_that_are_shorter_than_their_sequence_are_refused() -> None:
    with pytest.raises(ValueError, match="spans of \\[2\\] tokens for a sequence of 3"):
        TokenTree.from_sequences([[1, 2, 3]], [[Span(2)]])
