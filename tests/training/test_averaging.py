"""The moving average of the weights: against torch's own, and measured, kept and resumed in a training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from instructerc.backbones.adapters import PARAMETERS
from instructerc.errors import TrainingError, UsageError
from instructerc.evaluation import evaluate
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import TINY_LABELS
from instructerc.training.averaging import FILE, WeightAverage, decay_at
from instructerc.training.settings import TrainingSettings
from instructerc.training.trainer import _require_own_weights
from tests.training.runs import KillAtStep, KillAtValidation, Killed, examples, train, validations, weights


def steps(model: torch.nn.Linear, average: Any, count: int) -> None:
    """Optimiser steps in random directions; the average is told of each."""
    generator = torch.Generator().manual_seed(0)
    for step in range(1, count + 1):
        with torch.no_grad():
            model.weight += torch.randn(model.weight.shape, generator=generator)
        average(step)


def test_it_is_the_average_that_torch_takes_where_the_decay_is_small_from_the_start() -> None:
    model = torch.nn.Linear(3, 2)
    oracle = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.1))
    oracle.update_parameters(model)  # its first call takes the weights as they are, as ours begins
    average = WeightAverage.of(model, 0.1)
    steps(model, lambda step: (average.step_done(step), oracle.update_parameters(model)), 9)
    with average.in_place():
        torch.testing.assert_close(model.weight, oracle.module.weight)


def test_early_steps_count_little() -> None:
    assert [decay_at(step, 0.99) for step in (1, 8, 100_000)] == [2 / 11, 0.5, 0.99]


def test_only_trained_weights_are_averaged_and_the_others_stay() -> None:
    model = torch.nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    average = WeightAverage.of(model, 0.5)
    before = model.bias.clone()
    steps(model, average.step_done, 2)
    with average.in_place():
        assert torch.equal(model.bias, before)


def test_the_weights_come_back_also_after_an_error() -> None:
    model = torch.nn.Linear(2, 2)
    average = WeightAverage.of(model, 0.9)
    steps(model, average.step_done, 3)
    before = model.weight.clone()
    try:
        with average.in_place():
            assert not torch.equal(model.weight, before)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert torch.equal(model.weight, before)


def test_averages_of_half_precision_are_kept_in_single() -> None:
    model = torch.nn.Linear(1, 1, bias=False).bfloat16()
    with torch.no_grad():
        model.weight.fill_(1.0)
    average = WeightAverage.of(model, 0.999)
    for step in range(10_000, 10_010):  # one part in a thousand of a small change is nothing in bfloat16
        with torch.no_grad():
            model.weight.fill_(1.0078125)
        average.step_done(step)
    assert 1 < average._averages["weight"].item() < 1.0001


def test_what_is_kept_is_the_average_and_what_was_measured(llama_folder: Path, tmp_path: Path) -> None:
    train(llama_folder, tmp_path / "plain")
    train(llama_folder, tmp_path / "averaged", averaging=0.9)
    assert weights(tmp_path / "averaged") != weights(tmp_path / "plain")
    asked = examples("validation")
    rows = EmotionRecognizer.from_pretrained(tmp_path / "averaged" / "model").answer(asked)
    golds, answers = [row.gold or "" for row in rows], [row.emotion for row in rows]
    scores = evaluate(golds=golds, predictions=answers, labels=TINY_LABELS)
    best = max(row["validation"]["weighted_f1"] for row in validations(tmp_path / "averaged"))
    assert scores.weighted_f1 == pytest.approx(best)


def test_training_itself_goes_on_from_the_weights(llama_folder: Path, tmp_path: Path) -> None:
    for name, averaging in (("plain", None), ("averaged", 0.9)):
        train(llama_folder, tmp_path / name, averaging=averaging, save_every=4)
    checkpoint = f"checkpoints/checkpoint-12/{PARAMETERS}"
    assert (tmp_path / "averaged" / checkpoint).read_bytes() == (tmp_path / "plain" / checkpoint).read_bytes()


def test_without_validation_the_average_is_kept_too(llama_folder: Path, tmp_path: Path) -> None:
    with_it, without = tmp_path / "with", tmp_path / "without"
    train(llama_folder, with_it, averaging=0.9, epochs=1)
    train(llama_folder, without, averaging=0.9, epochs=1, validation=[])
    assert weights(with_it) == weights(without)


@pytest.mark.parametrize("killer", [KillAtStep(9), KillAtValidation(2)], ids=["in an epoch", "after a validation"])
def test_a_resumed_training_ends_with_the_same_average(llama_folder: Path, tmp_path: Path, killer: Any) -> None:
    settings: dict[str, Any] = {"averaging": 0.9, "save_every": 4}
    train(llama_folder, tmp_path / "whole", **settings)
    with pytest.raises(Killed):
        train(llama_folder, tmp_path / "killed", watcher=killer, **settings)
    train(llama_folder, tmp_path / "killed", resume=True, **settings)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    assert validations(tmp_path / "killed") == validations(tmp_path / "whole")


@pytest.mark.parametrize("content", [None, b"torn"], ids=["missing", "torn"])
def test_averages_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(TrainingError, match=r"averages\.safetensors: cannot be read .*: start anew without --resume"):
        WeightAverage.of(torch.nn.Linear(2, 2), 0.9).load(tmp_path)


def test_averages_of_another_model_are_refused(tmp_path: Path) -> None:
    WeightAverage.of(torch.nn.Linear(2, 3), 0.9).save(tmp_path)
    with pytest.raises(TrainingError, match="is of another model"):
        WeightAverage.of(torch.nn.Linear(2, 2), 0.9).load(tmp_path)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, float("nan")])
def test_an_impossible_decay_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=r"averaging is .*: give a number between 0 and 1"):
        TrainingSettings(averaging=value)


@pytest.mark.parametrize("launcher", ["is_deepspeed_enabled", "is_fsdp_enabled"])
def test_split_weights_have_no_average(launcher: str) -> None:
    given = {"is_deepspeed_enabled": False, "is_fsdp_enabled": False, launcher: True}
    with pytest.raises(UsageError, match=r"training\.averaging: goes with one process"):
        _require_own_weights(SimpleNamespace(**given))
