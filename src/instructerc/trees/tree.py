"""The trie of token sequences, flattened depth-first."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]


class Span(NamedTuple):
    """Tokens of a sequence that see one another, in both directions. A tree has all of them in common, or none.

    Attributes:
        size: How many tokens, 1 or more.
        mark: Spans of the same tokens are the same where their marks are, too.
    """

    size: int
    mark: int = 0


Spans = Sequence[Sequence[Span]]
"""For each sequence the spans that it is made of."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenTree:
    """Token sequences with their common prefixes merged.

    Shapes: N nodes, one for each distinct prefix.

    Attributes:
        tokens: Token of each node, depth-first, [N].
        depths: Distance of each node from its root: the token's position in every sequence through it, [N].
        ends: One past each node's last descendant, [N].
        starts: First node of the span that each node is in: itself where tokens see only what is before them, [N].
        paths: For each sequence, in the order in which they were given, the nodes of all its tokens.

    Example:
        >>> tree = TokenTree.from_sequences([[7, 8, 9, 1], [7, 8, 2], [7, 3]])
        >>> tree.tokens.tolist(), tree.depths.tolist(), tree.ends.tolist()
        ([7, 3, 8, 2, 9, 1], [0, 1, 1, 2, 2, 3], [6, 2, 6, 4, 6, 6])
        >>> [path.tolist() for path in tree.paths]
        [[0, 2, 4, 5], [0, 2, 3], [0, 1]]
        >>> spans = [[Span(2), Span(1)], [Span(2), Span(2)], [Span(3)]]  # 7 8 9 of the last are one span: not shared
        >>> tree = TokenTree.from_sequences([[7, 8, 9], [7, 8, 2, 3], [7, 8, 9]], spans)
        >>> tree.tokens.tolist(), tree.starts.tolist()
        ([7, 8, 2, 3, 9, 7, 8, 9], [0, 0, 2, 2, 4, 5, 5, 5])
    """

    tokens: Integers
    depths: Integers
    ends: Integers
    starts: Integers
    paths: tuple[Integers, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def from_sequences(cls, sequences: Sequence[Sequence[int]], spans: Spans | None = None) -> TokenTree:
        """Merges the common prefixes of sequences, in time linear in their tokens.

        Args:
            sequences: Token ids, none negative; duplicates, prefixes of one another and empty ones are fine.
            spans: What is read in both directions; None makes a span of each token.
        """
        ordered = Ordered.of(sequences, spans)
        tree = ordered.tree()
        paths = dict(zip(ordered.members, tree.paths, strict=True))
        return cls(
            tree.tokens, tree.depths, tree.ends, tree.starts, tuple(paths[member] for member in range(len(paths)))
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """Sequences in sorted order, and how much of it each shares with the one before it.

    ```
    sequences   a b c d        shared   0        a sequence shares with the one before it all that it shares with any
                a b e                   2        earlier one: a tree has a node for each token behind that, and
                a f                     1        nowhere else
    ```

    Attributes:
        members: Where each sequence stood when they were given.
        sequences: Their tokens.
        shared: Tokens in common with the sequence before, in whole spans; 0 for the first.
        firsts: For each of their tokens the place where its span begins; None where each is a span of its own.
    """

    members: tuple[int, ...]
    sequences: tuple[Integers, ...]
    shared: tuple[int, ...]
    firsts: tuple[Integers, ...] | None = None

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]], spans: Spans | None = None) -> Ordered:
        """Sorts; ids are compared as bytes, most significant first, which is as fast as memory is read.

        Raises:
            ValueError: The spans of a sequence are not as long as it.
        """
        import numpy as np

        arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
        compared = arrays if spans is None else _span_keys(arrays, spans)
        keys = [array.astype(">i8").tobytes() for array in compared]
        members = sorted(range(len(keys)), key=keys.__getitem__)
        shared = [_shared(compared[first], compared[second]) for first, second in itertools.pairwise(members)]
        firsts = None if spans is None else tuple(_firsts(spans[member]) for member in members)
        return cls(tuple(members), tuple(arrays[member] for member in members), (0, *shared)[: len(members)], firsts)

    def __len__(self) -> int:
        return len(self.members)

    def part(self, start: int, stop: int) -> Ordered:
        """Some of them, neighbours in sorted order."""
        return Ordered(
            self.members[start:stop],
            self.sequences[start:stop],
            (0, *self.shared[start + 1 : stop])[: stop - start],
            None if self.firsts is None else self.firsts[start:stop],
        )

    def tree(self) -> TokenTree:
        """Their tree; its paths are in sorted order."""
        import numpy as np

        sizes = [len(sequence) - shared for sequence, shared in zip(self.sequences, self.shared, strict=True)]
        total = sum(sizes)
        tokens, depths, ends = (np.empty(total, dtype=np.int64) for _ in range(3))
        starts = np.arange(total)
        paths: list[Integers] = []
        path = np.empty(0, dtype=np.int64)
        start = 0
        for place, (sequence, shared, size) in enumerate(zip(self.sequences, self.shared, sizes, strict=True)):
            ends[path[shared:]] = start  # these get no more descendants
            fresh = np.arange(start, start + size)
            tokens[fresh], depths[fresh] = sequence[shared:], np.arange(shared, len(sequence))
            path = np.concatenate([path[:shared], fresh])
            if self.firsts is not None:
                starts[fresh] = path[self.firsts[place][shared:]]
            paths.append(path)
            start += size
        ends[path] = total
        return TokenTree(tokens, depths, ends, starts, tuple(paths))


def _span_keys(sequences: Sequence[Integers], spans: Spans) -> list[Integers]:
    """A number for each token that says in which span it stands, and where: equal numbers, equal spans."""
    import numpy as np

    cut: list[list[tuple[tuple[int, ...], int]]] = []
    for sequence, parts in zip(sequences, spans, strict=True):
        if sum(part.size for part in parts) != len(sequence):
            raise ValueError(f"spans of {[part.size for part in parts]} tokens for a sequence of {len(sequence)}")
        tokens, stops = sequence.tolist(), itertools.accumulate(part.size for part in parts)
        cut.append(
            [(tuple(tokens[stop - part.size : stop]), part.mark) for part, stop in zip(parts, stops, strict=True)]
        )
    bases: dict[tuple[tuple[int, ...], int], int] = {}
    free = 0
    for span in sorted({span for parts in cut for span in parts}):  # the same numbers in whatever order they came
        bases[span] = free
        free += len(span[0])
    empty = np.empty(0, dtype=np.int64)
    return [np.concatenate([empty, *(bases[span] + np.arange(len(span[0])) for span in parts)]) for parts in cut]


def _firsts(spans: Sequence[Span]) -> Integers:
    """For each token of a sequence, the place where its span begins."""
    import numpy as np

    sizes = np.array([span.size for span in spans], dtype=np.int64)
    firsts: Integers = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return firsts


def _shared(first: Integers, second: Integers) -> int:
    """How many tokens two sequences have in common at their start."""
    length = min(len(first), len(second))
    differing = (first[:length] != second[:length]).nonzero()[0]
    return int(differing[0]) if len(differing) else length


def visible(ends: Integers, *, starts: Integers | None = None, past: int = 0) -> NDArray[np.bool_]:
    """The attention mask of trees side by side: row q, column k is whether q may look at k, [N - past, N].

    Args:
        ends: One past each node's last descendant, [N].
        starts: First node of each node's span, [N]; None where nothing is read in both directions.
        past: Nodes at the front that look at nothing any more, since they were read before.

    Example:
        >>> import numpy as np
        >>> visible(np.array([3, 2, 3])).astype(int).tolist()
        [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
        >>> visible(np.array([3, 3, 3]), starts=np.array([0, 0, 2])).astype(int).tolist()
        [[1, 1, 0], [1, 1, 0], [1, 1, 1]]
    """
    import numpy as np

    nodes = np.arange(len(ends))
    queries = nodes[past:, None]
    # A span has no branches inside: whoever sees its first node sees all of it.
    mask: NDArray[np.bool_] = ((nodes if starts is None else starts)[None, :] <= queries) & (queries < ends[None, :])
    return mask
