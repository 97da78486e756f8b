"""What each of several processes does in `test_split_weights.py`: a program for torchrun.

Usage: python -m tests.backbones.split LLAMA OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as group
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from instructerc.backbones.adapters import AdapterSpec, attach, load_trained, save_trained
from tests.tiny_models import load


def main() -> None:
    llama, out = map(Path, sys.argv[1:])
    group.init_process_group("gloo")
    first = group.get_rank() == 0
    backbone = load(llama)
    attach(backbone, AdapterSpec(method="all"))
    plain = {name: parameter.detach().clone() for name, parameter in backbone.model.named_parameters()}
    mesh = init_device_mesh("cpu", (group.get_world_size(),))
    for layer in backbone.model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(backbone.model, mesh=mesh)
    name, parameter = next(iter(backbone.model.named_parameters()))
    assert parameter.to_local().numel() < plain[name].numel(), "each process holds a part"
    save_trained(backbone, out / "before", write=first)
    with torch.no_grad():
        for part in backbone.model.parameters():
            part.to_local().add_(1.0)
    save_trained(backbone, out / "changed", write=first)
    group.barrier()
    load_trained(backbone, out / "before")
    save_trained(backbone, out / "after", write=first)
    group.barrier()
    if first:
        torch.save(plain, out / "plain.pt")
    group.destroy_process_group()


if __name__ == "__main__":
    main()
