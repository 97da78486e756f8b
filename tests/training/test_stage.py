"""One stage, from start to the best epoch's model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.adapters import PARAMETERS
from instructerc.backbones.loading import load_backbone
from instructerc.errors import NonFiniteLossError, TrainingError, UsageError
from instructerc.evaluation import evaluate
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import TINY_LABELS, tiny_corpus
from instructerc.training import trainer
from instructerc.training.batches import StepDataset
from instructerc.training.stage import train_stage
from tests.training.runs import (
    ALL,
    LORA,
    STEPS,
    KillAtStep,
    Killed,
    Log,
    artefact_of,
    examples,
    rows,
    settings_of,
    train,
    validations,
    weights,
)

QUICK: dict[str, Any] = {"learning_rate": 2e-2}


def majority_weighted_f1() -> float:
    golds = [example.target or "" for example in examples("validation")]
    return evaluate(golds=golds, predictions=["neutral"] * len(golds), labels=TINY_LABELS).weighted_f1


@pytest.mark.parametrize("batching", ["padded", "tree"])
def test_the_tiny_llama_learns_the_tiny_corpus(llama_folder: Path, tmp_path: Path, batching: Any) -> None:
    log = Log()
    result = train(llama_folder, tmp_path, epochs=5, batching=batching, watcher=log, **QUICK)
    assert result.best["weighted_f1"] > majority_weighted_f1() + 0.2
    losses = [row["loss"] for row in result.curves if "loss" in row]
    assert losses[-1] < losses[0] / 4
    assert result.steps == 5 * STEPS
    assert log.start == (30, 0)
    assert sorted(set(log.steps)) == list(range(1, 31))
    assert log.losses == losses
    assert [epoch for epoch, _ in log.epochs] == [1, 2, 3, 4, 5]


def test_a_low_rank_update_learns_as_well(llama_folder: Path, tmp_path: Path) -> None:
    result = train(llama_folder, tmp_path, adapter=LORA, epochs=4, learning_rate=3e-2)
    losses = [row["loss"] for row in result.curves if "loss" in row]
    assert losses[-1] < losses[0]
    assert (tmp_path / "model" / PARAMETERS).stat().st_size < 20_000


def test_the_best_epochs_model_is_the_one_that_users_load(llama_folder: Path, tmp_path: Path) -> None:
    log = Log()
    result = train(llama_folder, tmp_path, epochs=5, watcher=log, learning_rate=5e-3, keep="all")
    figures = [row["validation"]["weighted_f1"] for row in validations(tmp_path)]
    assert result.best_epoch == figures.index(max(figures)) + 1
    assert result.best == validations(tmp_path)[result.best_epoch - 1]["validation"]
    assert weights(tmp_path) == (tmp_path / "epochs" / f"epoch-{result.best_epoch}" / PARAMETERS).read_bytes()
    best_so_far = [figure > max(figures[:number], default=-1) for number, figure in enumerate(figures)]
    assert log.epochs == [(number + 1, best) for number, best in enumerate(best_so_far)]

    recognizer = EmotionRecognizer.from_pretrained(tmp_path, device="cpu")
    found = recognizer.answer(examples("validation"))
    scores = evaluate(
        golds=[row.gold or "" for row in found],
        predictions=[row.emotion for row in found],
        labels=TINY_LABELS,
    )
    assert scores.weighted_f1 == pytest.approx(result.best["weighted_f1"])
    assert recognizer.recognize(tiny_corpus().test[0])[0].model == recognizer.model_hash


def test_only_the_best_epoch_is_kept_unless_all_are_asked_for(llama_folder: Path, tmp_path: Path) -> None:
    train(llama_folder, tmp_path / "best")
    assert {path.name for path in (tmp_path / "best").iterdir()} == {"checkpoints", "curves.jsonl", "model"}
    train(llama_folder, tmp_path / "all", keep="all")
    kept = sorted(path.name for path in (tmp_path / "all" / "epochs").iterdir())
    assert kept == ["epoch-1", "epoch-2"]
    for name in kept:
        EmotionRecognizer.from_pretrained(tmp_path / "all" / "epochs" / name, device="cpu")


def test_the_course_is_on_disk(llama_folder: Path, tmp_path: Path) -> None:
    result = train(llama_folder, tmp_path, epochs=4)
    assert tuple(rows(tmp_path)) == result.curves
    assert [row["step"] for row in rows(tmp_path) if "loss" in row] == [10, 20]
    assert [(row["step"], row["epoch"]) for row in validations(tmp_path)] == [(6, 1), (12, 2), (18, 3), (24, 4)]
    assert set(validations(tmp_path)[0]["validation"]) >= {"weighted_f1", "macro_f1", "accuracy"}
    rates = [row["learning_rate"] for row in rows(tmp_path) if "loss" in row]
    assert rates[0] > rates[1] > 0


def test_the_same_seed_gives_the_same_weights(llama_folder: Path, tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("second", 1), ("third", 2)):
        train(llama_folder, tmp_path / name, adapter=LORA, epochs=1, seed=seed)
    assert weights(tmp_path / "first") == weights(tmp_path / "second")
    assert weights(tmp_path / "first") != weights(tmp_path / "third")


def test_micro_batches_do_not_change_what_is_learned(llama_folder: Path, tmp_path: Path) -> None:
    losses = [
        train(llama_folder, tmp_path / str(size), batching="padded", micro_batch=size).curves[1]["loss"]
        for size in (1, 8)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def worsening(monkeypatch: pytest.MonkeyPatch, figures: list[float]) -> None:
    """Makes validation say these figures, one an epoch."""
    from instructerc.training import validating

    left = iter(figures)

    class Scores:
        def __init__(self) -> None:
            self.weighted_f1 = self.macro_f1 = self.accuracy = next(left)

    monkeypatch.setattr(validating, "evaluate", lambda **_: Scores())


def test_training_stops_early_where_nothing_gets_better(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worsening(monkeypatch, [0.4, 0.6, 0.6, 0.5, 0.9])
    result = train(llama_folder, tmp_path, epochs=5, early_stopping=2)
    assert (result.best_epoch, result.best["weighted_f1"]) == (2, 0.6)
    assert len(validations(tmp_path)) == 4


def test_a_worse_epochs_model_does_not_replace_the_best(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worsening(monkeypatch, [0.4, 0.6, 0.5])
    train(llama_folder, tmp_path, epochs=3, keep="all")
    saved = [(tmp_path / "epochs" / f"epoch-{epoch}" / PARAMETERS).read_bytes() for epoch in (1, 2, 3)]
    assert [kept == weights(tmp_path) for kept in saved] == [False, True, False]


def test_every_epoch_is_served_in_its_own_order(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, served = StepDataset.__getitem__, []

    def noted(dataset: StepDataset, step: int) -> Any:
        served.append((dataset.epoch, step))
        return real(dataset, step)

    monkeypatch.setattr(StepDataset, "__getitem__", noted)
    train(llama_folder, tmp_path, epochs=2)
    assert served == [(epoch, step) for epoch in range(2) for step in range(STEPS)]


def test_without_patience_every_epoch_is_trained(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worsening(monkeypatch, [0.4, 0.3, 0.2])
    assert train(llama_folder, tmp_path, epochs=3).best_epoch == 1
    assert len(validations(tmp_path)) == 3


def test_without_validation_the_last_epoch_is_kept(llama_folder: Path, tmp_path: Path) -> None:
    log = Log()
    result = train(llama_folder, tmp_path, validation=[], epochs=2, watcher=log, keep="all")
    assert (result.best_epoch, dict(result.best)) == (2, {})
    assert validations(tmp_path) == []
    assert weights(tmp_path) == (tmp_path / "epochs" / "epoch-2" / PARAMETERS).read_bytes()
    assert log.epochs == [(1, True), (2, True)]


def test_generated_answers_can_choose_the_epoch_too(llama_folder: Path, tmp_path: Path) -> None:
    train(llama_folder, tmp_path, mode="generate", epochs=1)
    assert EmotionRecognizer.from_pretrained(tmp_path, device="cpu").mode == "generate"
    assert len(validations(tmp_path)) == 1


def test_turns_that_training_prompts_lost_are_counted(llama_folder: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from instructerc.prompts.example import Segment

    (example, *others) = examples("train")[3:9]
    filler = tuple(Segment("turn", "B: no, no, no, no!\n", turn) for turn in range(-60, 0))
    long = replace(example, segments=(example.segments[0], *filler, *example.segments[1:]))
    assert train(llama_folder, tmp_path, train=[long, *others], epochs=1).dropped_turns > 10


@pytest.mark.parametrize("adapter", [ALL, LORA], ids=lambda adapter: adapter.method)
@pytest.mark.parametrize("batching", ["padded", "tree"])
def test_computing_activations_twice_gives_the_same_weights(
    llama_folder: Path, tmp_path: Path, adapter: Any, batching: Any
) -> None:
    for name, twice in (("once", False), ("twice", True)):
        folder = tmp_path / name
        settings = {"epochs": 1, "gradient_checkpointing": twice, "batching": batching}
        train(llama_folder, folder, adapter=adapter, **settings)
    assert weights(tmp_path / "once") == weights(tmp_path / "twice")


def test_curves_go_to_tensorboard(llama_folder: Path, tmp_path: Path) -> None:
    train(llama_folder, tmp_path, epochs=2, tracking=("tensorboard",))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"train/loss", "eval/weighted_f1"} <= set(events.Tags()["scalars"])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    real, calls = trainer.weighted_loss, []

    def broken(*arguments: Any, **options: Any) -> torch.Tensor:
        calls.append(1)
        loss = real(*arguments, **options)
        return loss * value if len(calls) > 8 else loss

    monkeypatch.setattr(trainer, "weighted_loss", broken)
    with pytest.raises(NonFiniteLossError, match=rf"the loss became {value} at step 9: lower training\.learning_rate"):
        train(llama_folder, tmp_path, micro_batch=8, batching="padded")
    assert (tmp_path / "checkpoints" / "checkpoint-6").is_dir(), "what was learned until then is still there"


def test_weights_that_blow_up_stop_the_training(llama_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="the loss became"):
        train(llama_folder, tmp_path, learning_rate=1e30, gradient_clip=1e9)


def test_nothing_to_train_on_is_an_error(llama_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no labelled turn to train on: check data\.corpus"):
        train(llama_folder, tmp_path, train=[])
    with pytest.raises(TrainingError, match=r"nothing would be trained: set adapter\.method"):
        train(llama_folder, tmp_path, adapter=None)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("schedule", "steep"), ("loss_weighting", "word"), ("keep", "none"), ("epochs", 0), ("batch_size", 0)],
)
def test_a_setting_out_of_range_is_an_error(llama_folder: Path, tmp_path: Path, setting: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{setting} is "):
        train(llama_folder, tmp_path, **{setting: value})


def test_an_unknown_batching_is_an_error(llama_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="batching is 'heap'"):
        train(llama_folder, tmp_path, batching="heap")


@pytest.mark.parametrize(("batching", "expected"), [("padded", "sdpa_wide"), ("tree", "token_tree")])
def test_in_half_precision_attention_is_the_one_whose_backward_pass_is_quick(
    llama_folder: Path, tmp_path: Path, batching: Any, expected: str
) -> None:
    backbone = load_backbone(str(llama_folder), dtype="float32", precision="bf16", device="cpu")
    seen: set[str] = set()

    class Looks(Log):
        def step(self, done: int, loss: float | None) -> None:
            seen.add(backbone.model.config._attn_implementation)

    train_stage(
        backbone,
        artefact_of(llama_folder, ALL),
        settings_of(epochs=1, batching=batching),
        tmp_path,
        train=examples("train"),
        validation=examples("validation"),
        neutral="neutral",
        watcher=Looks(),
    )
    assert seen == {expected}
    assert backbone.model.config._attn_implementation == ("sdpa" if batching == "padded" else expected)


def fitted(folder: Path, metric: str) -> list[float]:
    return [row["validation"][f"fitted_{metric}"] for row in validations(folder)]


def test_where_decisions_will_be_fitted_the_epoch_is_chosen_by_what_they_reach(
    llama_folder: Path, tmp_path: Path
) -> None:
    result = train(llama_folder, tmp_path, epochs=4, decision="macro_f1", learning_rate=5e-3)
    figures = fitted(tmp_path, "macro_f1")
    assert result.best_epoch == figures.index(max(figures)) + 1
    assert result.best["fitted_macro_f1"] == max(figures)
    plain = [row["validation"]["macro_f1"] for row in validations(tmp_path)]
    assert all(with_them >= without for with_them, without in zip(figures, plain, strict=True))


def test_a_resume_compares_all_epochs_by_the_figure_that_the_first_was_compared_by(
    llama_folder: Path, tmp_path: Path
) -> None:
    whole = train(llama_folder, tmp_path / "whole", epochs=3, decision="macro_f1")
    with pytest.raises(Killed):
        train(llama_folder, tmp_path / "cut", epochs=3, decision="macro_f1", watcher=KillAtStep(2 * STEPS + 1))
    resumed = train(llama_folder, tmp_path / "cut", epochs=3, decision="weighted_f1", resume=True)
    assert fitted(tmp_path / "cut", "macro_f1") == fitted(tmp_path / "whole", "macro_f1")
    assert resumed.best_epoch == whole.best_epoch
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
