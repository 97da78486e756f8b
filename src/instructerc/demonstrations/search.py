"""The nearest vectors, exactly, and in the same order on every machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from instructerc.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from instructerc.demonstrations.encoder import Vectors

    Rows = NDArray[np.int64]

MANY = 1_000_000
"""Vectors beyond which FAISS is asked, where it is installed."""

BLOCK = 1 << 26
"""Similarities that are held at a time: 256 MiB."""

QUERIES = 256
"""Queries that are answered at a time."""

TOLERANCE = 2e-5
"""What float32 may be wrong by; what is this near to the last one kept is compared in float64."""


class Index(Protocol):
    """What finds candidates; their order, and what float32 makes of ties, is nobody's promise."""

    def fetch(self, queries: Vectors, count: int) -> tuple[Vectors, Rows]:
        """The `count` best similarities of each query, best first, and their rows."""


@dataclass(frozen=True, slots=True)
class ExactIndex:
    """Compares with every vector, by matrix products.

    Attributes:
        vectors: Unit vectors, float32, [vectors, dimensions].
    """

    vectors: Vectors

    def fetch(self, queries: Vectors, count: int) -> tuple[Vectors, Rows]:
        """As `Index` says."""
        import numpy as np
        import torch

        every = torch.from_numpy(self.vectors)
        step = max(1, BLOCK // max(1, len(self.vectors)))
        found = [torch.topk(block @ every.T, count) for block in torch.from_numpy(queries).split(step)]
        return (
            np.concatenate([values.numpy() for values, _ in found]),
            np.concatenate([rows.numpy() for _, rows in found]),
        )


@dataclass(frozen=True, slots=True, init=False)
class FaissIndex:
    """The same, by FAISS: every vector is compared here as well.

    Args:
        vectors: Unit vectors, float32, [vectors, dimensions].

    Raises:
        UsageError: FAISS is not installed.
    """

    _index: Any

    def __init__(self, vectors: Vectors) -> None:
        if not has_faiss():
            raise UsageError("FAISS is not installed: install it with `pip install 'instructerc[faiss]'`")
        import faiss

        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        object.__setattr__(self, "_index", index)

    def fetch(self, queries: Vectors, count: int) -> tuple[Vectors, Rows]:
        """As `Index` says."""
        similarities, rows = self._index.search(queries, count)
        return similarities, rows


def has_faiss() -> bool:
    """Whether the extra `faiss` is installed."""
    return importlib.util.find_spec("faiss") is not None


def index_of(vectors: Vectors) -> Index:
    """FAISS beyond a million vectors where it is installed, matrix products otherwise; both find the same."""
    return FaissIndex(vectors) if len(vectors) > MANY and has_faiss() else ExactIndex(vectors)


@dataclass(slots=True)
class NeighbourSearch:
    """Finds the nearest of many vectors, among all or among those of one group.

    Candidates come from an index in float32; their order is decided in float64, and of equals the lower row comes
    first. Fetching goes on until nothing that was not fetched could come before what is kept.

    Attributes:
        vectors: Unit vectors, float32, [vectors, dimensions].
        groups: Rows of each group, rising.
        keys: A number a row; of rows with the same key a query gets one at most.
    """

    vectors: Vectors
    groups: Mapping[str, Rows]
    keys: Sequence[int]
    _indices: dict[str | None, Index] = field(init=False, repr=False, default_factory=dict)

    def nearest(
        self, queries: Vectors, count: int, *, excluded: Sequence[Collection[int]], group: str | None = None
    ) -> list[tuple[int, ...]]:
        """The rows nearest to each query, nearest first; fewer where there are not as many.

        Args:
            queries: Unit vectors, float32, [queries, dimensions].
            count: Rows for each query.
            excluded: For each query, rows that it never gets.
            group: Only rows of this group; None takes all.
        """
        found: list[tuple[int, ...]] = []
        for start in range(0, len(queries), QUERIES):
            stop = start + QUERIES
            found += self._answer(queries[start:stop], count, excluded[start:stop], group)
        return found

    def _answer(
        self, queries: Vectors, count: int, excluded: Sequence[Collection[int]], group: str | None
    ) -> list[tuple[int, ...]]:
        rows = self._rows(group)
        found: list[tuple[int, ...]] = [()] * len(queries)
        waiting = list(range(len(queries))) if len(rows) else []
        wanted = count + max(map(len, excluded), default=0) + 1
        while waiting:
            wanted = min(wanted, len(rows))
            floors, places = self._index(group).fetch(queries[waiting], wanted)
            still = []
            for query, floor, candidates in zip(waiting, floors[:, -1], places, strict=True):
                ranked = self._ranked(queries[query], rows[candidates])
                kept = list(self._kept(ranked, count, excluded[query]))
                found[query] = tuple(row for row, _ in kept)
                complete = len(kept) == count and floor < kept[-1][1] - TOLERANCE
                if not complete and wanted < len(rows):
                    still.append(query)
            waiting, wanted = still, wanted * 4
        return found

    def _kept(
        self, ranked: Iterable[tuple[int, float]], count: int, excluded: Collection[int]
    ) -> Iterator[tuple[int, float]]:
        seen: set[int] = set()
        for row, similarity in ranked:
            if len(seen) == count:
                return
            if row not in excluded and self.keys[row] not in seen:
                seen.add(self.keys[row])
                yield row, similarity

    def _ranked(self, query: Vectors, rows: Rows) -> list[tuple[int, float]]:
        import numpy as np

        # Row by row, so that equal vectors have equal similarities wherever they stand.
        similarities = np.einsum("nd,d->n", self.vectors[rows].astype(np.float64), query.astype(np.float64))
        pairs = zip(rows.tolist(), similarities.tolist(), strict=True)
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def _rows(self, group: str | None) -> Rows:
        import numpy as np

        if group is None:
            return np.arange(len(self.vectors), dtype=np.int64)
        return self.groups.get(group, np.zeros(0, np.int64))

    def _index(self, group: str | None) -> Index:
        if group not in self._indices:
            self._indices[group] = index_of(self.vectors if group is None else self.vectors[self._rows(group)])
        return self._indices[group]
