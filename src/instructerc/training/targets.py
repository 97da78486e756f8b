"""What an example teaches where that is more than its right answer: what each answer counts.

```
right answer            joy 1
smoothed by 0.1         joy 0.925   neutral 0.025   anger 0.025   fear 0.025
taught, weight 0.5      joy 0.8     neutral 0.15    anger 0.05          of teachers: joy 0.6, neutral 0.3, anger 0.1
```

The loss is then the cross-entropy with these shares: every answer is learned, and counts its share. Answers to a prompt
are branches of its token tree, so that they cost their own few tokens; in padded batches each is a sequence of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from instructerc.backbones.tokens import EncodedExample

LEAST = 0.01
"""Share below which a teacher's belief is not worth the tokens of its answer."""


def soft_target(
    target: int, count: int, *, smoothing: float = 0.0, taught: Sequence[float] = (), weight: float = 0.0
) -> tuple[float, ...]:
    """What each answer counts, in the order of the candidates; together 1.

    Args:
        target: Position of the right answer.
        count: How many candidates there are.
        smoothing: Share that all candidates have alike (label smoothing, Szegedy et al., CVPR 2016).
        taught: What teachers believe of each candidate, together 1; empty where none was asked (distillation, Hinton
            et al. 2015, at temperature 1).
        weight: Share of the teachers; the rest is the right answer's.

    Example:
        >>> soft_target(0, 4, smoothing=0.1)
        (0.925, 0.025, 0.025, 0.025)
        >>> soft_target(0, 3, taught=(0.6, 0.3, 0.1), weight=0.5)
        (0.8, 0.15, 0.05)
        >>> soft_target(2, 3)
        (0.0, 0.0, 1.0)
    """
    shares = [1.0 * (position == target) for position in range(count)]
    if taught:
        least = min(LEAST, max(taught))  # of a hundred labels or more each may have less
        kept = [belief if belief >= least else 0.0 for belief in taught]
        given = sum(kept)
        shares = [(1 - weight) * own + weight * belief / given for own, belief in zip(shares, kept, strict=True)]
    return tuple(round((1 - smoothing) * share + smoothing / count, 12) for share in shares)


def unfolded(examples: Iterable[EncodedExample]) -> Iterator[EncodedExample]:
    """Each example once for every answer that it teaches, with what that answer counts; others as they are."""
    for example in examples:
        if not example.shares:
            yield example
            continue
        for answer, share in enumerate(example.shares):
            if share > 0:
                yield replace(example, target=answer, weight=example.weight * share, shares=())
