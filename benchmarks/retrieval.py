"""How long it takes to find demonstrations: encoding a corpus, and searching 10,000 and a million entries.

INSTRUCTERC_SHARED=FOLDER python benchmarks/retrieval.py [--queries 1000] [--json benchmarks/results/retrieval.json]

Utterances are those of MELD's training split, those of the sample corpus where MELD is not at hand, encoded by
all-MiniLM-L6-v2; the million are random unit vectors of the same length. Each row runs in a process of its own, whose
highest memory counts. Both searches compare with every entry, and find the same in the same order; FAISS is left out
where it is not installed.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from instructerc.demonstrations import SentenceEncoder
from instructerc.demonstrations.search import ExactIndex, FaissIndex, NeighbourSearch, has_faiss
from measuring import Column, Row, corpus_of, finish, parser_of, use_threads

DIMENSIONS = 384
COUNT = 5
"""Entries that are found for a query."""

INDICES = {"matrix products": ExactIndex, "FAISS": FaissIndex}
COLUMNS = (
    Column("entries", "entries", ","),
    Column("kind", "of"),
    Column("search", "search"),
    Column("encoding", "encoding", ".1f", " s"),
    Column("indexing", "indexing", ".2f", " s"),
    Column("one", "a query alone", ".1f", " ms"),
    Column("many", "a query among many", ".2f", " ms"),
    Column("memory", "memory", ",.0f", " MiB"),
)


def utterances(count: int) -> list[str]:
    """So many texts of training conversations, or as many as there are."""
    corpus = corpus_of("meld") or corpus_of("sample")
    assert corpus is not None
    texts = [utterance.text for conversation in corpus.train for utterance in conversation.utterances]
    return texts[:count]


def random_units(count: int, *, seed: int) -> Any:
    """Random unit vectors, in the memory of one copy."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=np.float32)
    vectors /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return vectors


def measure(vectors: Any, search: str, *, queries: int, threads: int) -> Row:
    """Index and query times of one search over some vectors; runs in a process of its own."""
    use_threads(threads)
    if search == "FAISS":
        import faiss

        faiss.omp_set_num_threads(threads)
    if isinstance(vectors, int):
        vectors = random_units(vectors, seed=0)
    asked = random_units(queries, seed=1)
    started = time.perf_counter()
    finder = NeighbourSearch(vectors=vectors, groups={}, keys=range(len(vectors)))
    finder._indices[None] = INDICES[search](vectors)
    indexing = time.perf_counter() - started
    finder.nearest(asked[:1], COUNT, excluded=[frozenset()])
    alone = []
    for place in range(min(20, queries)):
        started = time.perf_counter()
        finder.nearest(asked[place : place + 1], COUNT, excluded=[frozenset()])
        alone.append(time.perf_counter() - started)
    started = time.perf_counter()
    finder.nearest(asked, COUNT, excluded=[frozenset()] * queries)
    many = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {
        "entries": len(vectors),
        "search": search,
        "indexing": indexing,
        "one": float(np.median(alone)) * 1000,
        "many": many / queries * 1000,
        "memory": memory,
    }


def rows_of(given: Namespace) -> list[Row]:
    """A row a pool and search."""
    texts = utterances(given.utterances)
    started = time.perf_counter()
    encoded = SentenceEncoder(device="cpu").encode(texts)
    encoding = time.perf_counter() - started
    cases: list[tuple[Any, Row]] = [
        (encoded, {"kind": "utterances", "encoding": encoding}),
        (given.vectors, {"kind": "random vectors"}),
    ]
    rows = []
    for vectors, about in cases:
        for search in INDICES if has_faiss() else ("matrix products",):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                rows.append(
                    about
                    | process.submit(measure, vectors, search, queries=given.queries, threads=given.threads).result()
                )
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a pool and search."""
    parser = parser_of(__doc__)
    parser.add_argument("--utterances", type=int, default=10_000, help="that are encoded, at most (10,000)")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="random ones (1,000,000)")
    parser.add_argument("--queries", type=int, default=1000, help="of each search (1,000)")
    given = parser.parse_args(argv)
    use_threads(given.threads)
    finish(
        given,
        argv,
        COLUMNS,
        rows_of(given),
        notes=[f"{COUNT} entries a query, {given.threads} thread, {DIMENSIONS} dimensions."],
    )


if __name__ == "__main__":
    main()
