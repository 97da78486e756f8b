"""Trees side by side in rows: no padding, and no tree sees another.

```
trees   a b c d   e f g   h i j   k      budget 8

row     a b c d e f g k                  the largest tree first, each into the fullest row that has room for it
row     h i j                            fill rate 11 of 16
```

A tree that is larger than the budget becomes several, each of which repeats the trunk that its sequences share:

```
sequences   a b c d        budget 6      row     a b c d e f       10 tokens in all; cut behind a b c e, they would
            a b c e                      row     a b g h           be 11: a b c d e and a b c f g h
            a b c f
            a b g h
```

Cuts are where trees repeat the fewest tokens: between two prompts rather than between the answers of one.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instructerc.trees.tree import Ordered, Spans, TokenTree

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
        starts: First node of its span, [N].
        sequences: Numbers of the sequences in this row.
        paths: For each of them, the nodes of its tokens.
    """

    tokens: Integers
    depths: Integers
    ends: Integers
    starts: Integers
    sequences: tuple[int, ...]
    paths: tuple[Integers, ...]

    def __len__(self) -> int:
        return len(self.tokens)


def pack(
    groups: Sequence[Sequence[int]], sequences: Sequence[Sequence[int]], *, budget: int, spans: Spans | None = None
) -> list[Row]:
    """Packs sequences into as few rows as best-fit decreasing finds; the same rows every time.

    Args:
        groups: Which sequences are likely to share prefixes (those of one conversation): a tree each.
        sequences: Token ids.
        budget: Tokens a row may hold. A tree that is larger is split into trees that repeat their common trunk; a
            single sequence that is larger gets a row for itself and its prefixes, and is never cut.
        spans: What of each sequence is read in both directions; None makes a span of each token.

    Example:
        >>> rows = pack([[0, 1], [2]], [[1, 2, 3], [1, 2, 4], [5, 6]], budget=8)
        >>> [row.tokens.tolist() for row in rows], rows[0].sequences
        ([[1, 2, 3, 4, 5, 6]], (0, 1, 2))
    """
    trees = [item for group in groups for item in _trees_of(group, sequences, budget, spans)]
    trees.sort(key=lambda item: -len(item[1]))  # stable: equal trees stay in order
    rows: list[list[tuple[tuple[int, ...], TokenTree]]] = []
    room: list[tuple[int, int]] = []  # what is left in a row, and its number; by rising room
    for item in trees:
        size = len(item[1])
        place = bisect_left(room, (size, -1))
        if place < len(room):
            left, number = room.pop(place)
        else:
            left, number = budget, len(rows)
            rows.append([])
        rows[number].append(item)
        insort(room, (left - size, number))
    return [_row(items) for items in rows]


def fill_rate(rows: Sequence[Row], budget: int) -> float:
    """Share of the rows' room that tokens take, 0 to 1; a row longer than the budget is a full one.

    Example:
        >>> fill_rate(pack([[0], [1]], [[1, 2, 3], [4, 5, 6]], budget=4), budget=4)
        0.75
    """
    room = sum(max(len(row), budget) for row in rows)
    return sum(map(len, rows)) / room if room else 1.0


def _trees_of(
    members: Sequence[int], sequences: Sequence[Sequence[int]], budget: int, spans: Spans | None
) -> Iterator[tuple[tuple[int, ...], TokenTree]]:
    """One tree, or several where it is too large, of neighbours in sorted order; each with its sequences."""
    ordered = Ordered.of(
        [sequences[member] for member in members], None if spans is None else [spans[member] for member in members]
    )
    for start, stop in itertools.pairwise(_cuts(ordered, budget)):
        part = ordered.part(start, stop)
        yield tuple(members[place] for place in part.members), part.tree()


def _cuts(ordered: Ordered, budget: int) -> list[int]:
    """Where to cut so that trees repeat the fewest tokens, the ends included.

    The trees of the first n sequences have least(n) tokens: the minimum, over the start s of the last tree, of
    least(s) + length(s) + fresh(s + 1) + … + fresh(n), where fresh is what a sequence does not share with the one
    before it. The sum is a difference of running totals, and a start that is too far back stays so: one pass.
    """
    lengths = [len(sequence) for sequence in ordered.sequences]
    total = [0, *itertools.accumulate(length - shared for length, shared in zip(lengths, ordered.shared, strict=True))]
    least, starts = [0], [0]
    cost: list[int] = []  # least(s) + length(s) - total(s + 1)
    candidates: deque[int] = deque()  # starts by rising cost and place
    for newest in range(len(lengths)):
        cost.append(least[newest] + lengths[newest] - total[newest + 1])
        while candidates and cost[candidates[-1]] > cost[newest]:
            candidates.pop()
        candidates.append(newest)
        most = max(budget, lengths[newest])  # prefixes of a sequence that is too long go with it
        while lengths[first := candidates[0]] + total[newest + 1] - total[first + 1] > most:
            candidates.popleft()
        starts.append(first)
        least.append(cost[first] + total[newest + 1])
    cuts = [len(lengths)]
    while cuts[-1]:
        cuts.append(starts[cuts[-1]])
    return cuts[::-1]


def _row(items: Sequence[tuple[Sequence[int], TokenTree]]) -> Row:
    import numpy as np

    offsets = np.cumsum([0, *(len(tree) for _, tree in items)])
    placed = list(zip(offsets.tolist(), items, strict=False))
    return Row(
        tokens=np.concatenate([tree.tokens for _, tree in items]),
        depths=np.concatenate([tree.depths for _, tree in items]),
        ends=np.concatenate([tree.ends + offset for offset, (_, tree) in placed]),
        starts=np.concatenate([tree.starts + offset for offset, (_, tree) in placed]),
        sequences=tuple(member for members, _ in items for member in members),
        paths=tuple(path + offset for offset, (_, tree) in placed for path in tree.paths),
    )
