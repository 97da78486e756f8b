"""Two processes that speak over gloo train as one does: the same losses, gradients, choice of epoch and files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from instructerc.backbones.adapters import PARAMETERS
from tests.launched import torchrun
from tests.training.runs import rows, validations
from tests.training.together import train_together

DRIFT = 1e-4
"""Sums in another order, made larger by twelve steps of Adam at a high rate."""


def together(*arguments: object, processes: int = 2) -> subprocess.CompletedProcess[str]:
    return torchrun("tests.training.together", *arguments, processes=processes)


def assert_same_training(found: Path, expected: Path) -> None:
    assert [row.get("loss") for row in rows(found)] == pytest.approx(
        [row.get("loss") for row in rows(expected)], abs=DRIFT
    )
    assert validations(found) == validations(expected)
    tensors, others = (load_file(folder / "model" / PARAMETERS) for folder in (found, expected))
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(tensor, others[name], atol=DRIFT, rtol=DRIFT)


@pytest.mark.slow
@pytest.mark.parametrize("batching", ["tree", "padded"])
def test_two_processes_train_as_one_does(llama_folder: Path, tmp_path: Path, batching: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    train_together(llama_folder, one, batching)
    ended = together(llama_folder, two, batching)
    assert ended.returncode == 0, ended.stderr
    gradients, expected = (torch.load(folder / "gradients.pt") for folder in (two, one))
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(gradients[name], gradient, atol=1e-6, rtol=1e-4)
    assert_same_training(two, one)
    results = [json.loads((two / f"result-{rank}.json").read_text()) for rank in (0, 1)]
    assert results[0] == results[1], "both chose the same epoch by the same figures"


@pytest.mark.slow
def test_a_killed_process_ends_all_and_a_resume_ends_as_if_nothing_had_been(llama_folder: Path, tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert together(llama_folder, whole, "tree", "--lora").returncode == 0
    killed = together(llama_folder, torn, "tree", "--lora", "--kill-at", 7)
    assert killed.returncode != 0
    resumed = together(llama_folder, torn, "tree", "--lora", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (torn / "model" / PARAMETERS).read_bytes() == (whole / "model" / PARAMETERS).read_bytes()
    assert validations(torn) == validations(whole)


@pytest.mark.slow
def test_more_processes_than_examples_in_a_step(llama_folder: Path, tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    one.mkdir()
    train_together(llama_folder, one, "padded", batch_size=2)
    ended = together(llama_folder, many, "padded", "--batch-size", 2, processes=3)
    assert ended.returncode == 0, ended.stderr
    assert_same_training(many, one)
