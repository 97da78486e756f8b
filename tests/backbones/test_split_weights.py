"""Weights of which each process holds a part are written whole, and read back into the parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from instructerc.backbones.adapters import PARAMETERS
from instructerc.backbones.split_weights import put_whole, whole
from instructerc.testing import tiny_llama
from tests.launched import torchrun


def test_a_parameter_that_nobody_split_is_itself() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    assert whole(parameter).data_ptr() == parameter.data_ptr()
    assert not whole(parameter).requires_grad


def test_tensors_go_into_the_parameters_of_their_names_alone() -> None:
    model = torch.nn.Linear(2, 1)
    bias = model.bias.detach().clone()
    put_whole(model, {"weight": torch.tensor([[3.0, 4.0]]), "elsewhere": torch.ones(7)})
    assert model.weight.tolist() == [[3.0, 4.0]]
    assert torch.equal(model.bias, bias)


@pytest.mark.slow
def test_two_processes_with_fsdp_write_and_read_whole_tensors(tmp_path: Path) -> None:
    llama = tiny_llama(tmp_path / "llama")
    ended = torchrun("tests.backbones.split", llama, tmp_path)
    assert ended.returncode == 0, ended.stderr
    plain = torch.load(tmp_path / "plain.pt")
    before, changed, after = (load_file(tmp_path / name / PARAMETERS) for name in ("before", "changed", "after"))
    assert before.keys() == after.keys() <= plain.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, plain[name])
        assert torch.equal(changed[name], plain[name] + 1.0)
        assert torch.equal(after[name], plain[name])
