"""Attention over packed token trees whose cost grows with what is visible, not with the square of the row.

```
row       a b c d e f g h      two trees; blocks of two nodes
end       6 5 4 4 5 6 8 8

          a b c d e f g h      the keys of a block are the ancestors of its first node and its own nodes: no other key
a b       x                    is seen by any of its queries. They are gathered, and the block goes through PyTorch's
          x x                  scaled dot-product attention with a small mask of its own.
c d       x x x
          x x . x
e f       x x     x
          x .     . x
g h                   x
                      x x
```

The models of transformers take it as one more attention implementation:

- `enable(model)` once, after loading: the model is then on the implementation `token_tree`. Without a plan that is the
  library's own `sdpa`, mask and all: padded batches and generation are what they were. Checkpoints do not mention it,
  since transformers saves no attention implementation.
- `model(input_ids=…, position_ids=…, **tree_arguments(row))` for a row. The plan is a keyword argument that
  models hand down to their attention: adapters do as well, and gradient checkpointing keeps it for its second pass,
  which a context manager around the forward pass would not.

The mask that goes along has no elements. It keeps the library from building one of the row's square; and should a
model lose the plan on its way, no attention can do anything with it, and the pass fails.

Exact with any layer whose attention is full, or full within a window: a window that the layer names counts depths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instructerc.backbones.backbone import base_model, reading_of
from instructerc.backbones.wide_attention import register_attention
from instructerc.errors import BackboneError
from instructerc.trees.packing import Row
from instructerc.trees.tree import TokenTree

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

IMPLEMENTATION = "token_tree"
"""What transformers knows this attention by."""

ARGUMENT = "tree_plan"
"""The keyword argument of the forward pass that carries a row's plan."""

BLOCK = 128
"""Nodes a block. Shorter blocks look at fewer keys in vain, longer ones gather each key less often: 64 to 128 is best
for prompts of a few hundred tokens, 128 to 256 for those of thousands (`benchmarks/attention.py`). Cutting where
branches end, or a trunk as one causal block, changes the time of attention alone by a tenth, to either side."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """How one kind of layer reads a row.

    Shapes: K keys of all blocks together.

    Attributes:
        keys: Nodes whose keys and values are gathered, block after block, [K].
        sizes: Queries and keys of each block.
        masks: Which of its keys each query of a block sees, [queries, keys]; None where that is all up to itself.
    """

    keys: torch.Tensor
    sizes: tuple[tuple[int, int], ...]
    masks: tuple[torch.Tensor | None, ...]


class TreePlan:
    """What attention has to know of a row: who sees whom.

    No dataclass: distributed wrappers take those apart, to cast the tensors of a forward pass's arguments.

    Shapes: N nodes.

    Attributes:
        ends: One past each node's last descendant, [N].
        depths: Distance of each node from its root, [N].
        starts: First node of each node's span, [N].
        block: Nodes a block.

    Example:
        >>> import numpy as np
        >>> ends, depths, starts = np.array([3, 2, 3, 4]), np.array([0, 1, 1, 0]), np.arange(4)
        >>> plan = TreePlan(ends=ends, depths=depths, starts=starts, block=2)
        >>> blocks = plan.blocks()
        >>> blocks.keys.tolist(), blocks.sizes
        ([0, 1, 0, 2, 3], ((2, 2), (2, 3)))
        >>> blocks.masks[0] is None, blocks.masks[1].int().tolist()
        (True, [[1, 1, 0], [0, 0, 1]])
    """

    __slots__ = ("_blocks", "block", "depths", "ends", "starts")

    def __init__(self, *, ends: Integers, depths: Integers, starts: Integers, block: int = BLOCK) -> None:
        self.ends, self.depths, self.starts, self.block = ends, depths, starts, block
        self._blocks: dict[tuple[int | None, torch.device], Blocks] = {}

    def __len__(self) -> int:
        return len(self.ends)

    def to(self, device: Any) -> TreePlan:  # noqa: ARG002 — arguments of a forward pass are sent to a device
        """Itself, like a tensor that is there already: its blocks are made where they are used."""
        return self

    def blocks(self, window: int | None = None, device: torch.device | str = "cpu") -> Blocks:
        """The blocks for layers that see everything, or `window` tokens back; computed once, and kept."""
        import torch

        key = (window, torch.device(device))
        if key not in self._blocks:
            self._blocks[key] = self._cut(window, key[1])
        return self._blocks[key]

    def _cut(self, window: int | None, device: torch.device) -> Blocks:
        import numpy as np
        import torch

        keys, masks = [], []
        starts = range(0, len(self), self.block)
        for start in starts:
            seen, mask = self._visible(start, min(start + self.block, len(self)), window)
            keys.append(seen)
            plain = mask.shape[0] == mask.shape[1] and bool((mask == np.tri(len(mask), dtype=np.bool_)).all())
            masks.append(None if plain else torch.from_numpy(mask).to(device))
        sizes = tuple((min(self.block, len(self) - start), len(seen)) for start, seen in zip(starts, keys, strict=True))
        return Blocks(torch.from_numpy(np.concatenate(keys)).to(device), sizes, tuple(masks))

    def _visible(self, start: int, stop: int, window: int | None) -> tuple[Integers, NDArray[np.bool_]]:
        """The keys that any query of a block sees, and which of them each query sees."""
        import numpy as np

        ancestors = (self.ends[:start] > start).nonzero()[0]
        queries = np.arange(start, stop)
        rest = stop + (self.starts[stop:] < stop).nonzero()[0]  # of the span that the block breaks off in
        keys = np.concatenate([ancestors, queries, rest])
        mask = (self.starts[keys][None, :] <= queries[:, None]) & (queries[:, None] < self.ends[keys][None, :])
        if window is not None:
            mask &= self.depths[queries][:, None] - self.depths[keys][None, :] < window
        used = mask.any(axis=0)
        return keys[used], mask[:, used]


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    plan: TreePlan,
    *,
    window: int | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
) -> torch.Tensor:
    """Attention of one row.

    Shapes: H query heads, G heads of keys and values, each for H / G neighbouring query heads; N nodes; D, E sizes.

    Args:
        query: [1, H, N, D].
        key: [1, G, N, D].
        value: [1, G, N, E].
        plan: Who sees whom.
        window: How far back is seen, in tokens of depth; None for everything.
        scale: Of the products; 1 / sqrt(D) by default.
        dropout: Share of the weights that are dropped, each alone.

    Returns:
        [1, H, N, E].
    """
    import torch

    if query.device.type != "cpu":
        return _attend(query, key, value, blocks=plan.blocks(window, query.device), scale=scale, dropout=dropout)
    # In half precision the backward pass of the CPU's kernel takes twice as long, and sums are less exact.
    halves = (torch.bfloat16, torch.float16)
    wide = (tensor.float() if tensor.dtype in halves else tensor for tensor in (query, key, value))
    with torch.autocast("cpu", enabled=False):
        return _attend(*wide, blocks=plan.blocks(window), scale=scale, dropout=dropout).to(value.dtype)


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, blocks: Blocks, scale: float | None, dropout: float
) -> torch.Tensor:
    """See `attend`: block by block, in the precision of what is given."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    queries = query.unflatten(1, (key.shape[1], -1))[0]  # [G, H / G, N, D]: heads that share keys are a batch entry
    shared = queries.shape[1]
    # One gather for all blocks: its backward pass adds up once, where one a block would each fill a row of zeros.
    keys, values = (
        states[0].index_select(1, blocks.keys)[:, None].expand(-1, shared, -1, -1) for states in (key, value)
    )
    lengths, widths = map(list, zip(*blocks.sizes, strict=True))
    parts = zip(queries.split(lengths, 2), keys.split(widths, 2), values.split(widths, 2), blocks.masks, strict=True)
    outputs = [
        scaled_dot_product_attention(
            asking, asked, answering, attn_mask=mask, dropout_p=dropout, is_causal=mask is None, scale=scale
        )
        for asking, asked, answering, mask in parts
    ]
    return torch.cat(outputs, dim=2).flatten(0, 1)[None]


def supports(config: Any) -> bool:
    """Whether a model's attention is one that this computes; which positions and windows it has is not looked at.

    Args:
        config: The model's configuration. One that is on another implementation than `sdpa` was put there by someone.
    """
    return (
        config._attn_implementation in ("sdpa", IMPLEMENTATION)
        and getattr(config, "attn_logit_softcapping", None) is None
        and (not getattr(config, "use_bidirectional_attention", False) or reading_of(config) == "turns")
    )


def enable(model: Any) -> bool:
    """Puts a model on this attention, for good; adapters are looked through.

    Returns:
        Whether it is on it: False for a model that this does not support, which stays as it was.
    """
    base = base_model(model)
    if not supports(base.config):
        return False
    register_attention(IMPLEMENTATION, _attention)
    base.set_attn_implementation(IMPLEMENTATION)
    return enabled(base)


def enabled(model: Any) -> bool:
    """Whether a model is on this attention."""
    return bool(base_model(model).config._attn_implementation == IMPLEMENTATION)


def tree_arguments(row: Row | TokenTree, *, block: int = BLOCK) -> dict[str, Any]:
    """The forward pass's arguments that say who sees whom in a row, for a model that `enable` took.

    Args:
        row: Its trees.
        block: Nodes a block.

    Returns:
        `attention_mask`, without elements, and `tree_plan`. Both have `to`, for the device.
    """
    import torch

    plan = TreePlan(ends=row.ends, depths=row.depths, starts=row.starts, block=block)
    return {"attention_mask": torch.ones(1, 1, 0, 0, dtype=torch.bool), ARGUMENT: plan}


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **arguments: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function as transformers calls it: [1, H, N, D] of queries in, [1, N, H, E] out."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    plan = arguments.pop(ARGUMENT, None)
    if plan is None:
        result: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **arguments
        )
        return result
    _refuse(query, key, plan, arguments)
    output = attend(
        query,
        key,
        value,
        plan,
        window=arguments.get("sliding_window"),
        scale=arguments.get("scaling"),
        dropout=arguments.get("dropout", 0.0),
    )
    return output.transpose(1, 2).contiguous(), None


def _refuse(query: torch.Tensor, key: torch.Tensor, plan: TreePlan, arguments: dict[str, Any]) -> None:
    """What would be computed wrongly without a word."""
    expected = (1, len(plan))
    for states in (query, key):
        if (states.shape[0], states.shape[2]) != expected:
            raise BackboneError(
                f"a plan of {len(plan)} nodes met {states.shape[0]} x {states.shape[2]} tokens: give one row a forward "
                "pass, and no cache"
            )
    for name in ("softcap", "position_bias", "s_aux"):
        if arguments.get(name) is not None:
            raise BackboneError(f"this model's attention has {name!r}, which token trees cannot have: use `sdpa`")
