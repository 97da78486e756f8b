"""SDPA on CPUs whose backward pass is in float32, for training on padded batches.

```
query, key, value   bfloat16 ─→ float32 ─→ scaled dot-product attention ─→ bfloat16
```

The backward pass of PyTorch's attention on CPUs is so slow in half precision that all of a training pass takes half as
long again as with attention in float32 (`benchmarks/padded_attention.py`). Passes without gradients are as fast in half
precision, and stay there. Rows of token trees do the same on their own (`tree_attention.attend`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from instructerc.backbones.backbone import Backbone, base_model

if TYPE_CHECKING:
    import torch

IMPLEMENTATION = "sdpa_wide"
"""What transformers knows this attention by."""


@contextmanager
def widened(backbone: Backbone) -> Iterator[bool]:
    """Trains a backbone with this attention, where it gains by it; afterwards attention is what it was.

    Args:
        backbone: What is trained on padded batches; rows of trees have an attention of their own.

    Yields:
        Whether it is on it: on a CPU, in half precision, and with SDPA.
    """
    import torch

    model = base_model(backbone.model)
    half = backbone.autocast or next(backbone.model.parameters()).dtype in (torch.bfloat16, torch.float16)
    if not (half and backbone.device.type == "cpu" and model.config._attn_implementation == "sdpa"):
        yield False
        return
    register_attention(IMPLEMENTATION, _attention)
    model.set_attn_implementation(IMPLEMENTATION)
    try:
        yield True
    finally:
        model.set_attn_implementation("sdpa")


@functools.cache
def register_attention(name: str, attention: Callable[..., tuple[torch.Tensor, None]]) -> None:
    """Makes a variant of SDPA known to transformers, with SDPA's masks.

    Args:
        name: What the library is to know it by.
        attention: Called as the library calls an attention function.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, sdpa_mask)


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **arguments: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function as transformers calls it: [B, H, N, D] of queries in, [B, N, H, E] out."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if query.dtype == torch.float32 or not torch.is_grad_enabled():
        plain: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **arguments
        )
        return plain
    if attention_mask is not None and attention_mask.dtype != torch.bool:
        attention_mask = attention_mask.float()  # it is added
    with torch.autocast("cpu", enabled=False):
        output, _ = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **arguments
        )
    return output.to(value.dtype), None
