"""Rows of token trees as arguments of a forward pass, and which backbones take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from instructerc.backbones.backbone import Backbone
from instructerc.errors import BackboneError, UsageError
from instructerc.trees.packing import Row
from instructerc.trees.tree import visible

if TYPE_CHECKING:
    import torch

Batching = Literal["auto", "tree", "padded"]
"""`tree` computes shared tokens once, `padded` reads every prompt alone, `auto` takes trees where they are exact."""

FULL_ATTENTION = frozenset({"llama", "qwen2", "qwen3", "mistral", "bert"})
"""Model types whose attention is full, or full within a window, and whose positions are passed in.

An allow-list: whatever is not known to be exact (ALiBi, bidirectional prompts, hybrid or chunked layers, rotary
positions that depend on the length) reads padded batches.
"""

ROW_TOKENS = 512
"""Tokens a row holds on a CPU: the cost of attention grows with the square, and nothing is gained by longer rows."""

ACCELERATOR_ROW_TOKENS = 4096


def takes_trees(backbone: Backbone) -> bool:
    """Whether rows of trees are known to give this model's exact results."""
    config = backbone.model.config
    kinds = set(getattr(config, "layer_types", None) or ())
    return (
        config.model_type in FULL_ATTENTION
        and len(kinds) <= 1
        and getattr(config, "_attn_implementation", "") in ("sdpa", "eager")
        and backbone.accepts("position_ids")
        and _rope_is_static(config)
    )


def _rope_is_static(config: Any) -> bool:
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return rope.get("rope_type", rope.get("type", "default")) in ("default", "linear", "llama3", "yarn")


def _window_of(config: Any) -> int | None:
    """How far back its layers look, in tokens; None where they see everything, whatever window the config names."""
    if "full_attention" in (getattr(config, "layer_types", None) or ()):
        return None
    window: int | None = getattr(config, "sliding_window", None)
    return window


def use_trees(backbone: Backbone, batching: Batching) -> bool:
    """What `batching` means for this backbone.

    Raises:
        UsageError: `batching` is unknown.
        BackboneError: Trees are asked for, and this backbone is not known to take them.
    """
    if batching not in get_args(Batching):
        raise UsageError(f"batching is {batching!r}: choose one of {', '.join(get_args(Batching))}")
    able = takes_trees(backbone)
    if batching == "tree" and not able:
        kind = backbone.model.config.model_type
        raise BackboneError(
            f"{backbone.name}: model type {kind!r} is not known to take token trees: set batching to auto"
        )
    return able and batching != "padded"


def row_budget(backbone: Backbone, sequences: Sequence[Sequence[int]]) -> int:
    """Tokens that a row should hold on the backbone's device.

    Room for the longest sequence and a few siblings at least: a smaller row would read its trunk once for each label.
    """
    usual = ROW_TOKENS if backbone.device.type == "cpu" else ACCELERATOR_ROW_TOKENS
    return max(usual, max(map(len, sequences), default=0) + usual // 2)


def row_inputs(backbone: Backbone, row: Row) -> dict[str, torch.Tensor]:
    """The forward pass's arguments for one row, on the CPU.

    Shapes: N tokens.

    Returns:
        `input_ids` [1, N], `position_ids` [1, N], `attention_mask` [1, 1, N, N]: boolean for SDPA, additive for eager
        attention, which would add a boolean one as ones.
    """
    import torch

    mask = torch.from_numpy(visible(row.ends))
    window = _window_of(backbone.model.config)
    if window:  # a 4-D mask replaces the model's own: its window is by position, never by place in the row
        depths = torch.from_numpy(row.depths)
        mask = mask & (depths[:, None] - depths[None, :] < window)
    if backbone.model.config._attn_implementation == "eager":
        mask = torch.where(mask, 0.0, torch.finfo(torch.float32).min)
    return {
        "input_ids": torch.from_numpy(row.tokens)[None],
        "position_ids": torch.from_numpy(row.depths)[None],
        "attention_mask": mask[None, None],
    }


def row_logits(
    backbone: Backbone, model: Any, inputs: dict[str, torch.Tensor], positions: Sequence[int] | torch.Tensor
) -> torch.Tensor:
    """Logits at some nodes of a row, [positions, V]; the head of a large vocabulary runs nowhere else."""
    import torch

    kept = torch.as_tensor(positions, device=inputs["input_ids"].device)
    arguments: dict[str, Any] = {**inputs, "use_cache": False}
    if backbone.accepts("logits_to_keep"):
        logits: torch.Tensor = model(**arguments, logits_to_keep=kept).logits[0]
    else:
        logits = model(**arguments).logits[0, kept]
    return logits.float()
