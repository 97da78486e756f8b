"""Weights of which several processes hold a part each: FSDP 2's distributed tensors and DeepSpeed's ZeRO-3.

Neither library is imported unless its weights are met.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch


def whole(parameter: Any) -> torch.Tensor:
    """A parameter as one tensor, detached. Where it is split, every process of the group has to ask for it."""
    if hasattr(parameter, "full_tensor"):  # FSDP 2
        return cast("torch.Tensor", parameter.detach().full_tensor())
    if hasattr(parameter, "ds_id"):  # ZeRO-3
        from deepspeed.runtime.zero import GatheredParameters

        with GatheredParameters([parameter]):
            return cast("torch.Tensor", parameter.detach().clone())
    return cast("torch.Tensor", parameter.detach())


def put_whole(model: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Puts whole tensors into the parameters of these names, split or not; other parameters stay.

    Shapes: Those of the parameters, which the caller has checked.
    """
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name not in tensors:
                continue
            if hasattr(parameter, "full_tensor"):
                from torch.distributed.tensor import distribute_tensor

                tensor = tensors[name].to(parameter.device, parameter.dtype)
                parameter.copy_(distribute_tensor(tensor, parameter.device_mesh, parameter.placements))
            elif hasattr(parameter, "ds_id"):
                from deepspeed.runtime.zero import GatheredParameters

                with GatheredParameters([parameter], modifier_rank=0):
                    parameter.copy_(tensors[name])
            else:
                parameter.copy_(tensors[name])
