"""Rows of token trees as arguments of a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from instructerc.backbones.abilities import windows
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.padding import FOCUS
from instructerc.backbones.tokens import EncodedExample
from instructerc.backbones.tree_attention import IMPLEMENTATION, tree_arguments
from instructerc.trees.packing import Row
from instructerc.trees.tree import Span, TokenTree, visible

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch.nn.attention.flex_attention import BlockMask

ROW_TOKENS = 1024
"""Tokens a row holds on a CPU. With attention block by block a token costs the same in longer rows
(`benchmarks/attention.py`), and fewer trees have to be split; what memory holds grows with the row."""

ACCELERATOR_ROW_TOKENS = 4096


def row_budget(backbone: Backbone, sequences: Sequence[Sequence[int]]) -> int:
    """Tokens that a row should hold on the backbone's device.

    Room for the longest sequence and a few siblings at least: a smaller row would read its trunk once for each label.
    """
    usual = ROW_TOKENS if backbone.device.type == "cpu" else ACCELERATOR_ROW_TOKENS
    return max(usual, max(map(len, sequences), default=0) + usual // 2)


def row_inputs(
    backbone: Backbone, row: Row | TokenTree, prompts: Sequence[EncodedExample] = (), *, past: int = 0
) -> dict[str, Any]:
    """The forward pass's arguments for one row, not yet on the model's device; `to_device` puts them there.

    Shapes: N tokens.

    Args:
        backbone: Says what its attention takes.
        row: Trees side by side, or a tree.
        prompts: What each of its paths begins with; a backbone that reads turn by turn has to know them.
        past: Nodes at the front whose keys and values are in a cache: they are seen, and not read again.

    Returns:
        `input_ids` [1, N - past], `position_ids` [1, N - past], what tells the model's attention who sees whom
        (`SIGHTS`), and what the prompts ask about (`padding.FOCUS`), where it has to know.
    """
    import torch

    config = backbone.model.config
    return {
        "input_ids": torch.from_numpy(row.tokens)[None, past:],
        "position_ids": torch.from_numpy(row.depths)[None, past:],
        **SIGHTS[config._attn_implementation](row, windows(config), backbone.device, past),
        **(_focus(row, prompts, past) if backbone.reading == "turns" else {}),
    }


def spans_of(backbone: Backbone, examples: Sequence[tuple[EncodedExample, int]]) -> list[list[Span]] | None:
    """The spans of sequences that are prompts with so many tokens of an answer behind them.

    Prompts that ask about more or less of the same tokens share all but their last span: they end in other states.

    Returns:
        For each sequence its spans; None for a backbone that reads from left to right.
    """
    if backbone.reading != "turns":
        return None
    answer = Span(1)
    return [
        [*map(Span, example.spans[:-1]), Span(example.spans[-1], example.focus), *[answer] * read]
        for example, read in examples
    ]


def _focus(row: Row | TokenTree, prompts: Sequence[EncodedExample], past: int) -> dict[str, torch.Tensor]:
    """What the prompts of a row ask about. The same prompt may begin any number of paths; no cache holds its focus."""
    import numpy as np
    import torch

    asked: dict[int, NDArray[np.int64]] = {}  # by the node at which a prompt ends
    for example, path in zip(prompts, row.paths, strict=True):
        size = len(example.prompt)
        asked.setdefault(int(path[size - 1]) - past, path[size - example.focus : size] - past)
    owners = np.repeat(np.arange(len(asked)), [len(nodes) for nodes in asked.values()])
    values = (np.concatenate(list(asked.values())), owners, np.array(list(asked), dtype=np.int64))
    return {name: torch.from_numpy(value) for name, value in zip(FOCUS, values, strict=True)}


def to_device(inputs: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Arguments of a forward pass on a device; masks by layer type are looked into."""
    return {
        name: to_device(value, device) if isinstance(value, Mapping) else value.to(device)
        for name, value in inputs.items()
    }


def row_logits(
    backbone: Backbone, model: Any, inputs: Mapping[str, Any], positions: Sequence[int] | torch.Tensor
) -> torch.Tensor:
    """Logits at some nodes of a row, [positions, V], as precise as the model computes; the head runs nowhere else."""
    import torch

    kept = torch.as_tensor(positions, device=inputs["input_ids"].device)
    arguments: dict[str, Any] = {"use_cache": False, **inputs}
    if backbone.accepts("logits_to_keep"):
        logits: torch.Tensor = model(**arguments, logits_to_keep=kept).logits[0]
    else:
        logits = model(**arguments).logits[0, kept]
    return logits


def boolean_mask(row: Row | TokenTree, window: int | None, *, past: int = 0) -> torch.Tensor:
    """Who sees whom, [1, 1, N - past, N]: what SDPA takes.

    A mask of four dimensions replaces the model's own, window and all, so the window is put in again: by depth, never
    by place in the row.
    """
    import torch

    mask = torch.from_numpy(visible(row.ends, starts=row.starts, past=past))
    if window is not None:
        depths = torch.from_numpy(row.depths)
        mask = mask & (depths[past:, None] - depths[None, :] < window)
    return mask[None, None]


def additive_mask(row: Row | TokenTree, window: int | None, *, past: int = 0) -> torch.Tensor:
    """As `boolean_mask`, 0 and minus much: eager attention adds its mask, and would add a boolean one as ones."""
    import torch

    return torch.where(boolean_mask(row, window, past=past), 0.0, torch.finfo(torch.float32).min)


def block_mask(row: Row | TokenTree, window: int | None, device: torch.device, *, past: int = 0) -> BlockMask:
    """As `boolean_mask`, for FlexAttention, which skips blocks that nobody sees.

    Made on the device it is used on: what its function looks into cannot be moved later.
    """
    import torch
    from torch.nn.attention.flex_attention import create_block_mask

    ends = torch.from_numpy(row.ends).to(device)
    starts = torch.from_numpy(row.starts).to(device)
    depths = torch.from_numpy(row.depths).to(device)

    def sees(_: Any, __: Any, query: Any, key: Any) -> Any:
        node = query + past
        seen = (node >= starts[key]) & (node < ends[key])
        return seen if window is None else seen & (depths[node] - depths[key] < window)

    return create_block_mask(sees, None, None, len(row) - past, len(row), device=device)


Sight = Callable[[Row | TokenTree, Mapping[str, int | None], "torch.device", int], dict[str, Any]]
"""From a row, the window of each kind of layer, the model's device and what is read already to arguments of the
forward pass."""


def _as_masks(build: Callable[[Row | TokenTree, int | None, torch.device, int], Any]) -> Sight:
    """A mask where all layers look equally far, else one for each kind of layer, by its name."""

    def sight(row: Row | TokenTree, reach: Mapping[str, int | None], device: torch.device, past: int) -> dict[str, Any]:
        masks = {kind: build(row, window, device, past) for kind, window in reach.items()}
        return {"attention_mask": masks if len(masks) > 1 else next(iter(masks.values()))}

    return sight


_boolean = _as_masks(lambda row, window, _, past: boolean_mask(row, window, past=past))


def _by_blocks(
    row: Row | TokenTree, reach: Mapping[str, int | None], device: torch.device, past: int
) -> dict[str, Any]:
    """A plan for a whole row; on top of a cache this attention is SDPA."""
    return _boolean(row, reach, device, past) if past else tree_arguments(row)


SIGHTS: Mapping[str, Sight] = {
    "sdpa": _boolean,
    "eager": _as_masks(lambda row, window, _, past: additive_mask(row, window, past=past)),
    "flex_attention": _as_masks(lambda row, window, device, past: block_mask(row, window, device, past=past)),
    IMPLEMENTATION: _by_blocks,
}
"""For each implementation of attention, what tells it who sees whom."""
