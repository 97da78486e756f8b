"""The trie of token sequences, flattened depth-first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TokenTree:
    """Token sequences with their common prefixes merged.

    Shapes: N nodes, one for each distinct prefix.

    Attributes:
        tokens: Token of each node, depth-first, [N].
        depths: Distance of each node from its root: the token's position in every sequence through it, [N].
        ends: One past each node's last descendant, [N].
        paths: For each sequence, in the order in which they were given, the nodes of all its tokens.

    Example:
        >>> tree = TokenTree.from_sequences([[7, 8, 9, 1], [7, 8, 2], [7, 3]])
        >>> tree.tokens.tolist(), tree.depths.tolist(), tree.ends.tolist()
        ([7, 3, 8, 2, 9, 1], [0, 1, 1, 2, 2, 3], [6, 2, 6, 4, 6, 6])
        >>> [path.tolist() for path in tree.paths]
        [[0, 2, 4, 5], [0, 2, 3], [0, 1]]
    """

    tokens: Integers
    depths: Integers
    ends: Integers
    paths: tuple[Integers, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def from_sequences(cls, sequences: Sequence[Sequence[int]]) -> TokenTree:
        """Merges the common prefixes of sequences.

        In sorted order a sequence shares with the one before it all that it shares with any earlier one, so that a
        node is made for each token behind that, and nowhere else: linear in the tokens but for the sorting.

        Args:
            sequences: Token ids; duplicates, prefixes of one another and empty ones are fine.
        """
        import numpy as np

        arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
        order = sorted(range(len(arrays)), key=lambda position: tuple(sequences[position]))
        tokens: list[Any] = []
        ends: list[int] = []
        paths: list[Integers] = [np.empty(0, dtype=np.int64)] * len(arrays)
        previous, path = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        size = 0
        for position in order:
            sequence = arrays[position]
            shared = _shared(previous, sequence)
            for node in path[shared:].tolist():  # these get no more descendants
                ends[node] = size
            fresh = len(sequence) - shared
            tokens.append(sequence[shared:])
            ends.extend([0] * fresh)
            path = np.concatenate([path[:shared], np.arange(size, size + fresh)])
            size += fresh
            paths[position], previous = path, sequence
        for node in path.tolist():
            ends[node] = size
        depths = np.empty(size, dtype=np.int64)
        for nodes in paths:
            depths[nodes] = np.arange(len(nodes))
        flat = np.concatenate(tokens) if tokens else np.empty(0, dtype=np.int64)
        return cls(flat, depths, np.asarray(ends, dtype=np.int64), tuple(paths))


def _shared(first: Integers, second: Integers) -> int:
    """How many tokens two sequences have in common at their start."""
    length = min(len(first), len(second))
    differing = (first[:length] != second[:length]).nonzero()[0]
    return int(differing[0]) if len(differing) else length


def visible(ends: Integers) -> NDArray[np.bool_]:
    """The attention mask of trees side by side: row q, column k is whether q may look at k, [N, N].

    Example:
        >>> import numpy as np
        >>> visible(np.array([3, 2, 3])).astype(int).tolist()
        [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    import numpy as np

    nodes = np.arange(len(ends))
    mask: NDArray[np.bool_] = (nodes[None, :] <= nodes[:, None]) & (nodes[:, None] < ends[None, :])
    return mask
