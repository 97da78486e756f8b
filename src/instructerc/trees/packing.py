"""Trees side by side in rows: no padding, and no tree sees another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instructerc.trees.tree import TokenTree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Trees side by side.

    Shapes: N nodes of all its trees.

    Attributes:
        tokens: Token of each node, [N].
        depths: Its position, [N].
        ends: One past its last descendant, [N].
        sequences: Numbers of the sequences in this row.
        paths: For each of them, the nodes of its tokens.
    """

    tokens: Integers
    depths: Integers
    ends: Integers
    sequences: tuple[int, ...]
    paths: tuple[Integers, ...]

    def __len__(self) -> int:
        return len(self.tokens)


def pack(groups: Sequence[Sequence[int]], sequences: Sequence[Sequence[int]], *, budget: int) -> list[Row]:
    """Packs sequences into as few rows as first-fit decreasing finds.

    Args:
        groups: Which sequences are likely to share prefixes (those of one conversation): a tree each.
        sequences: Token ids.
        budget: Tokens a row may hold. A tree that is larger is split into trees that repeat their common trunk; a
            single sequence that is larger gets a row of its own, and is never cut.

    Example:
        >>> rows = pack([[0, 1], [2]], [[1, 2, 3], [1, 2, 4], [5, 6]], budget=8)
        >>> [row.tokens.tolist() for row in rows], rows[0].sequences
        ([[1, 2, 3, 4, 5, 6]], (0, 1, 2))
    """
    trees = [tree for group in groups for tree in _trees_of(list(group), sequences, budget)]
    trees.sort(key=lambda item: -len(item[1]))  # stable: equal trees stay in order
    bins: list[list[tuple[list[int], TokenTree]]] = []
    room: list[int] = []
    for item in trees:
        size = len(item[1])
        chosen = next((number for number, left in enumerate(room) if left >= size), None)
        if chosen is None:
            bins.append([])
            room.append(budget)
            chosen = len(bins) - 1
        bins[chosen].append(item)
        room[chosen] -= size
    return [_row(items) for items in bins]


def _trees_of(
    members: list[int], sequences: Sequence[Sequence[int]], budget: int
) -> Iterator[tuple[list[int], TokenTree]]:
    """One tree, or several where it is too large: halves in sorted order, so that neighbours stay together."""
    tree = TokenTree.from_sequences([sequences[member] for member in members])
    if len(tree) <= budget or len(members) == 1:
        yield members, tree
        return
    members = sorted(members, key=lambda member: tuple(sequences[member]))
    middle = len(members) // 2
    yield from _trees_of(members[:middle], sequences, budget)
    yield from _trees_of(members[middle:], sequences, budget)


def _row(items: Sequence[tuple[list[int], TokenTree]]) -> Row:
    import numpy as np

    offsets = np.cumsum([0, *(len(tree) for _, tree in items)])
    placed = list(zip(offsets.tolist(), items, strict=False))
    return Row(
        tokens=np.concatenate([tree.tokens for _, tree in items]),
        depths=np.concatenate([tree.depths for _, tree in items]),
        ends=np.concatenate([tree.ends + offset for offset, (_, tree) in placed]),
        sequences=tuple(member for members, _ in items for member in members),
        paths=tuple(path + offset for offset, (_, tree) in placed for path in tree.paths),
    )
