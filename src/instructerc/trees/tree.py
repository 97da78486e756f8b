"""The trie of token sequences, flattened depth-first."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        """Merges the common prefixes of sequences, in time linear in their tokens.

        Args:
            sequences: Token ids, none negative; duplicates, prefixes of one another and empty ones are fine.
        """
        ordered = Ordered.of(sequences)
        tree = ordered.tree()
        paths = dict(zip(ordered.members, tree.paths, strict=True))
        return cls(tree.tokens, tree.depths, tree.ends, tuple(paths[member] for member in range(len(paths))))


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
        shared: Tokens in common with the sequence before; 0 for the first.
    """

    members: tuple[int, ...]
    sequences: tuple[Integers, ...]
    shared: tuple[int, ...]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Ordered:
        """Sorts; ids are compared as bytes, most significant first, which is as fast as memory is read."""
        import numpy as np

        arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
        keys = [array.astype(">i8").tobytes() for array in arrays]
        members = sorted(range(len(keys)), key=keys.__getitem__)
        ordered = tuple(arrays[member] for member in members)
        shared = [_shared(first, second) for first, second in itertools.pairwise(ordered)]
        return cls(tuple(members), ordered, (0, *shared)[: len(ordered)])

    def __len__(self) -> int:
        return len(self.members)

    def part(self, start: int, stop: int) -> Ordered:
        """Some of them, neighbours in sorted order."""
        return Ordered(
            self.members[start:stop], self.sequences[start:stop], (0, *self.shared[start + 1 : stop])[: stop - start]
        )

    def tree(self) -> TokenTree:
        """Their tree; its paths are in sorted order."""
        import numpy as np

        sizes = [len(sequence) - shared for sequence, shared in zip(self.sequences, self.shared, strict=True)]
        total = sum(sizes)
        tokens, depths, ends = (np.empty(total, dtype=np.int64) for _ in range(3))
        paths: list[Integers] = []
        path = np.empty(0, dtype=np.int64)
        start = 0
        for sequence, shared, size in zip(self.sequences, self.shared, sizes, strict=True):
            ends[path[shared:]] = start  # these get no more descendants
            fresh = np.arange(start, start + size)
            tokens[fresh], depths[fresh] = sequence[shared:], np.arange(shared, len(sequence))
            path = np.concatenate([path[:shared], fresh])
            paths.append(path)
            start += size
        ends[path] = total
        return TokenTree(tokens, depths, ends, tuple(paths))


def _shared(first: Integers, second: Integers) -> int:
    """How many tokens two sequences have in common at their start."""
    length = min(len(first), len(second))
    differing = (first[:length] != second[:length]).nonzero()[0]
    return int(differing[0]) if len(differing) else length


def visible(ends: Integers, *, past: int = 0) -> NDArray[np.bool_]:
    """The attention mask of trees side by side: row q, column k is whether q may look at k, [N - past, N].

    Args:
        ends: One past each node's last descendant, [N].
        past: Nodes at the front that look at nothing any more, since they were read before.

    Example:
        >>> import numpy as np
        >>> visible(np.array([3, 2, 3])).astype(int).tolist()
        [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    import numpy as np

    nodes = np.arange(len(ends))
    queries = nodes[past:, None]
    mask: NDArray[np.bool_] = (nodes[None, :] <= queries) & (queries < ends[None, :])
    return mask
