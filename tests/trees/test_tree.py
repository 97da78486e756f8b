"""The laws of token trees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from instructerc.trees import TokenTree
from instructerc.trees.tree import visible

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


@given(SEQUENCES, st.randoms())
def test_the_order_of_sequences_changes_no_node(sequences: list[list[int]], random: object) -> None:
    shuffled = list(sequences)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = TokenTree.from_sequences(sequences), TokenTree.from_sequences(shuffled)
    assert first.tokens.tolist() == second.tokens.tolist()
    assert first.ends.tolist() == second.ends.tolist()


def test_no_sequence_makes_an_empty_tree() -> None:
    assert len(TokenTree.from_sequences([])) == 0
    assert len(TokenTree.from_sequences([[]])) == 0


def test_a_duplicate_and_a_prefix_share_all_their_nodes() -> None:
    tree = TokenTree.from_sequences([[5, 6, 7], [5, 6], [5, 6, 7]])
    assert tree.tokens.tolist() == [5, 6, 7]
    assert [path.tolist() for path in tree.paths] == [[0, 1, 2], [0, 1], [0, 1, 2]]
