"""Who sees whom, and where every token stands, in the prompts of ChatGLM-6B.

```
token      pad  a    b   gMASK sop  joy  eop        context: what stands before the first sop; all of it is seen by all
place       .   0    1    2     2    2    2         of the mask token, from sop on
block       .   0    0    0     1    2    3         counts from sop on
sees        .   ←──── context ───→  and what stands before it
```

Everything counts from the first token that is no padding, so that padding changes nothing (General Language Model,
Du et al., ACL 2022, §2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where the context of each sequence ends; what a decoding step has to remember of the prompts.

    Shapes: B sequences.

    Attributes:
        columns: Column of the first `<sop>`, padding included, [B].
        lengths: Tokens of the context, padding left out, [B].
        places: Place of the mask token, padding left out, [B].
    """

    columns: torch.Tensor
    lengths: torch.Tensor
    places: torch.Tensor


def find_context(ids: torch.Tensor, mask: torch.Tensor, *, start: int, blanks: tuple[int, ...]) -> Context:
    """The context of each sequence.

    Shapes: B sequences, T tokens.

    Args:
        ids: Token ids [B, T].
        mask: 1 where there is a token, 0 where there is padding, [B, T].
        start: Id of `<sop>`.
        blanks: Ids of the mask tokens; the first that a sequence has counts.

    Raises:
        ValueError: A sequence lacks `<sop>`, or all of the mask tokens.
    """
    import torch

    real = mask.bool()
    starts = (ids == start) & real
    columns = starts.int().argmax(dim=1)
    places_of_tokens = real.long().cumsum(dim=1) - 1
    blank_column = torch.full_like(columns, -1)
    for blank in blanks:
        found = (ids == blank) & real
        first = torch.where(found.any(dim=1), found.int().argmax(dim=1), -1)
        blank_column = torch.where(blank_column < 0, first, blank_column)
    if not bool((starts.any(dim=1) & (blank_column >= 0)).all()):
        raise ValueError(
            f"a sequence lacks <sop> ({start}) or a mask token ({', '.join(map(str, blanks))}): "
            "end prompts with [gMASK] <sop>, as the tokenizer does"
        )
    rows = torch.arange(len(ids), device=ids.device)
    return Context(
        columns=columns, lengths=places_of_tokens[rows, columns], places=places_of_tokens[rows, blank_column]
    )


def visible(context: Context, mask: torch.Tensor, *, count: int) -> torch.Tensor:
    """Whom the last `count` tokens see, True where they do: their context, and what stands before them.

    Padding sees itself as well, so that no row is empty: a softmax over nothing is no number.

    Shapes: B sequences, K keys, T queries.

    Args:
        context: Of the sequences.
        mask: 1 where there is a token, [B, K].
        count: T.

    Returns:
        [B, 1, T, K].
    """
    import torch

    keys = torch.arange(mask.shape[1], device=mask.device)
    queries = keys[-count:].unsqueeze(1)  # [T, 1]
    seen = (keys <= queries) | (keys < context.columns.view(-1, 1, 1))  # [B, T, K]
    return ((seen & mask.bool().unsqueeze(1)) | (keys == queries)).unsqueeze(1)


def positions(context: Context, mask: torch.Tensor, *, count: int) -> torch.Tensor:
    """Place and block position of the last `count` tokens, [B, 2, T]; padding stands at 0."""
    import torch

    own = (mask.long().cumsum(dim=1) - 1)[:, -count:]  # [B, T]
    lengths = context.lengths.unsqueeze(1)
    inside = own < lengths
    places = torch.where(inside, own, context.places.unsqueeze(1))
    blocks = torch.where(inside, 0, own - lengths + 1)
    return (torch.stack([places, blocks], dim=1) * mask[:, None, -count:].bool()).clamp_(min=0)
