"""Token sequences over several processes, so that all of them finish at about the same time.

```
groups     a b c d │ e f │ g        in order, cut into neighbours: what a group shares is computed once a shard

2 shards   a b c   │ d e f g        where the larger shard is smallest: by tokens, not by sequences
```
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from instructerc.trees.tree import Ordered


def shard(
    groups: Sequence[Sequence[int]], sequences: Sequence[Sequence[int]], *, shards: int, trees: bool
) -> list[list[int]]:
    """Cuts sequences into shards of about equally many tokens; the same shards every time.

    No other cut of the same order has a largest shard with fewer tokens. A shard is empty where there are fewer
    sequences than shards.

    Args:
        groups: Which sequences are likely to share prefixes (those of one conversation).
        sequences: Token ids.
        shards: How many, 1 or more.
        trees: Whether a shard computes what its sequences share once.

    Returns:
        For each shard the numbers of its sequences; every sequence of the groups is in one.

    Example:
        >>> shard([[0, 1], [2]], [[1, 2, 3], [1, 2, 4], [5, 6]], shards=2, trees=True)
        [[0, 1], [2]]
        >>> shard([[0, 1], [2]], [[1, 2, 3], [1, 2, 4], [5, 6]], shards=2, trees=False)
        [[0], [1, 2]]
    """
    members: list[int] = []
    alone: list[int] = []  # tokens of a sequence that begins a shard
    behind: list[int] = []  # tokens of one that follows the sequence before it
    for group in groups:
        ordered = Ordered.of([sequences[member] for member in group])
        lengths = [len(sequence) for sequence in ordered.sequences]
        members += [group[place] for place in ordered.members]
        alone += lengths
        behind += [length - shared * trees for length, shared in zip(lengths, ordered.shared, strict=True)]
    starts = _starts(alone, behind, _least_limit(alone, behind, shards))
    cuts = [*starts, *[len(members)] * (shards + 1 - len(starts))]
    return [members[start:stop] for start, stop in itertools.pairwise(cuts)]


def _least_limit(alone: Sequence[int], behind: Sequence[int], shards: int) -> int:
    """The fewest tokens that the largest shard can have: found by halving, since more room never needs more shards."""
    low, high = max(alone, default=0), sum(alone)
    while low < high:
        middle = (low + high) // 2
        if len(_starts(alone, behind, middle)) <= shards:
            high = middle
        else:
            low = middle + 1
    return low


def _starts(alone: Sequence[int], behind: Sequence[int], limit: int) -> list[int]:
    """Where shards begin if each is filled as far as the limit lets it."""
    starts: list[int] = []
    size = 0
    for place, (whole, fresh) in enumerate(zip(alone, behind, strict=True)):
        size += fresh
        if not starts or size > limit:
            starts.append(place)
            size = whole
    return starts
