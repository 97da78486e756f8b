"""Who a process is among those that train together, and what it computes of a step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from instructerc.backbones.backbone import Backbone
from instructerc.errors import TrainingError, UsageError
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import run_recipe
from instructerc.training.batches import StepDataset, tokens_read
from instructerc.training.curves import Curves
from instructerc.training.planning import plan_training
from instructerc.training.ranks import ALONE, Ranks
from instructerc.training.trainer import build_trainer
from tests.training.runs import encoded, settings_of


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "1", "RANK": "0"}, {"WORLD_SIZE": ""}])
def test_a_process_that_nobody_launched_is_alone(environment: dict[str, str]) -> None:
    ranks = Ranks.here(environment)
    assert ranks == ALONE
    assert ranks.alone
    assert ranks.first


def test_launchers_say_who_a_process_is() -> None:
    ranks = Ranks.here({"WORLD_SIZE": "16", "RANK": "9", "LOCAL_RANK": "1"})
    assert (ranks.rank, ranks.count, ranks.local) == (9, 16, 1)
    assert not ranks.first
    assert not ranks.alone


@pytest.mark.parametrize(
    "environment",
    [
        {"WORLD_SIZE": "two", "RANK": "0"},
        {"WORLD_SIZE": "2"},
        {"WORLD_SIZE": "2", "RANK": "2"},
        {"WORLD_SIZE": "2", "RANK": "-1"},
        {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "-3"},
    ],
)
def test_variables_that_fit_no_process_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"WORLD_SIZE=.*torchrun"):
        Ranks.here(environment)


def test_alone_there_is_nobody_to_wait_for() -> None:
    ALONE.join(torch.device("cpu"))
    ALONE.wait()
    ALONE.take_device()
    assert ALONE.gather([1, 2]) == [[1, 2]]
    ALONE.leave()


def datasets(backbone: Backbone, count: int, batching: str, **settings: object) -> list[StepDataset]:
    chosen = settings_of(batching=batching, **settings)
    examples = encoded(backbone)
    return [plan_training(backbone, chosen, examples, ranks=Ranks(rank=r, count=count)).dataset for r in range(count)]


@pytest.mark.parametrize("batching", ["tree", "padded"])
@pytest.mark.parametrize("weighting", ["answer", "token"])
def test_processes_share_out_a_step_and_know_all_of_its_weight(llama: Backbone, batching: str, weighting: str) -> None:
    (whole,) = datasets(llama, 1, batching, loss_weighting=weighting)
    parts = datasets(llama, 3, batching, loss_weighting=weighting)
    for step in range(len(whole)):
        shares = [part[step] for part in parts]
        weights = [batch.weights.sum() for share in shares for batch in share["micro_batches"]]
        assert [share["weight"] for share in shares] == [pytest.approx(whole[step]["weight"])] * 3
        assert float(torch.stack(weights).sum()) == pytest.approx(whole[step]["weight"])


def test_shares_are_even_in_tokens(llama: Backbone) -> None:
    parts = datasets(llama, 2, "padded", batch_size=24, micro_batch=24)
    longest = max(map(tokens_read, parts[0].examples))
    for step in range(len(parts[0])):
        sizes = [int(part[step]["micro_batches"][0].inputs["attention_mask"].sum()) for part in parts]
        assert abs(sizes[0] - sizes[1]) <= longest


def test_a_process_without_an_example_keeps_step_in_silence(llama: Backbone) -> None:
    last = datasets(llama, 12, "padded")[-1]
    share = last[0]
    assert len(share["micro_batches"]) == 1
    assert float(share["micro_batches"][0].weights.abs().sum()) == 0.0
    assert share["weight"] == pytest.approx(8.0)


def test_processes_that_did_not_find_each_other_do_not_train_apart(llama: Backbone, tmp_path: Path) -> None:
    (dataset, _) = datasets(llama, 2, "padded")
    curves = Curves.resume(tmp_path / "curves.jsonl", step=0)
    with pytest.raises(TrainingError, match="2 processes were started, but 1 train together"):
        build_trainer(
            llama,
            dataset,
            settings_of(),
            tmp_path,
            curves=curves,
            validate=None,
            on_epoch=lambda *_: None,
            on_step=lambda *_: None,
        )


def test_a_run_is_the_first_processs_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="help_train"):
        run_recipe(resolve("quickstart", [f"output.folder={tmp_path / 'run'}"]))
    assert not (tmp_path / "run").exists()
