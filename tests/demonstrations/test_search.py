"""The search: what a plain comparison of everything with everything finds, and in one order."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.demonstrations import search
from instructerc.demonstrations.search import ExactIndex, FaissIndex, NeighbourSearch, index_of
from instructerc.errors import UsageError

needs_faiss = pytest.mark.skipif(
    importlib.util.find_spec("faiss") is None, reason="FAISS is not installed: pip install 'instructerc[faiss]'"
)
# FAISS's wrapper has types that Python 3.12 complains about.
quiet_faiss = pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")


def unit(rows: Any) -> Any:
    made = np.asarray(rows, dtype=np.float32).reshape(len(rows), 3)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


# Few different vectors, so that ties are the rule.
points = st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(1, 2))
many = st.lists(points, min_size=1, max_size=40)


@given(rows=many, queries=st.lists(points, min_size=1, max_size=5), count=st.integers(1, 6), data=st.data())
def test_it_finds_what_comparing_everything_finds(rows: Any, queries: Any, count: int, data: st.DataObject) -> None:
    vectors, asked = unit(rows), unit(queries)
    keys = data.draw(st.lists(st.integers(0, 9), min_size=len(rows), max_size=len(rows)))
    inside = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    places = st.frozensets(st.integers(0, len(rows) - 1))
    excluded = data.draw(st.lists(places, min_size=len(queries), max_size=len(queries)))
    groups = {"g": np.flatnonzero(inside)}
    found = NeighbourSearch(vectors=vectors, groups=groups, keys=keys)
    for group, members in ((None, range(len(rows))), ("g", groups["g"].tolist()), ("none", ())):
        answers = found.nearest(asked, count, excluded=excluded, group=group)
        for query, out, answer in zip(asked, excluded, answers, strict=True):
            similarity = np.einsum("nd,d->n", vectors.astype(np.float64), query.astype(np.float64))
            expected: dict[int, int] = {}
            for row in sorted(members, key=lambda row: (-similarity[row], row)):
                if row not in out:
                    expected.setdefault(keys[row], row)
            assert answer == tuple(expected.values())[:count]


def test_of_equals_the_first_comes_first_however_many_there_are() -> None:
    vectors = unit([(1, 2, 3)] * 3000 + [(1, 2, 4)])
    found = NeighbourSearch(vectors=vectors, groups={}, keys=range(3001))
    assert found.nearest(vectors[:1], 3, excluded=[frozenset({0, 2})]) == [(1, 3, 4)]


def test_many_queries_are_answered_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit([(place, 1, 1) for place in range(50)])
    found = NeighbourSearch(vectors=vectors, groups={}, keys=range(50))
    whole = found.nearest(vectors, 2, excluded=[frozenset()] * 50)
    monkeypatch.setattr(search, "QUERIES", 7)
    monkeypatch.setattr(search, "BLOCK", 100)
    assert found.nearest(vectors, 2, excluded=[frozenset()] * 50) == whole
    assert found.nearest(vectors[:0], 2, excluded=[]) == []


@needs_faiss
@quiet_faiss
def test_faiss_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    vectors = unit(random.integers(-2, 3, (500, 3)) + np.array([0, 0, 5]))
    exact = NeighbourSearch(vectors=vectors, groups={}, keys=range(500))
    monkeypatch.setattr(search, "MANY", 10)
    assert isinstance(index_of(vectors), FaissIndex)
    assert isinstance(index_of(vectors[:9]), ExactIndex)
    faiss = NeighbourSearch(vectors=vectors, groups={}, keys=range(500))
    faiss._indices[None] = FaissIndex(vectors)
    excluded = [frozenset({row}) for row in range(500)]
    assert exact.nearest(vectors, 5, excluded=excluded) == faiss.nearest(vectors, 5, excluded=excluded)


def test_without_faiss_matrix_products_search_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "has_faiss", lambda: False)
    monkeypatch.setattr(search, "MANY", 1)
    assert isinstance(index_of(unit([(1, 0, 0), (0, 1, 0)])), ExactIndex)
    with pytest.raises(UsageError, match=r"pip install 'instructerc\[faiss\]'"):
        FaissIndex(unit([(1, 0, 0)]))
