"""A training says how it reads its examples, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instructerc.backbones.backbone import Backbone
from instructerc.errors import BackboneError, UsageError
from instructerc.training.batches import PaddedBatching
from instructerc.training.grouping import ByConversation, ByExample
from instructerc.training.planning import plan_training
from instructerc.training.tree_batches import TreeBatching
from tests.tiny_models import load, tiny_bloom
from tests.training.runs import Log, encoded, settings_of, train


def test_trees_are_taken_where_they_are_exact(llama: Backbone) -> None:
    plan = plan_training(llama, settings_of(row_tokens=300), encoded(llama))
    assert plan.dataset.batching == TreeBatching(backbone=llama, budget=300)
    assert plan.dataset.grouping == ByConversation()
    assert plan.workload.tokens.row_tokens == 300
    first, second = plan.workload.lines()
    assert first == "token trees (batching: auto; exact on this backbone); a step is whole conversations"
    assert "tokens an epoch as trees" in second


def test_padded_batches_say_why(tmp_path: Path, llama: Backbone, caplog: pytest.LogCaptureFixture) -> None:
    backbone = load(tiny_bloom(tmp_path))
    plan = plan_training(backbone, settings_of(micro_batch=3), encoded(backbone))
    assert plan.dataset.batching == PaddedBatching(micro_batch=3, pad=backbone.tokenizer.pad_token_id)
    assert plan.dataset.grouping == ByExample()
    why = "model type 'bloom' is not on the list of those known to be exact"
    assert plan.workload.batches == f"padded batches (batching: auto; {why})"
    assert len(caplog.records) == 1
    asked = plan_training(llama, settings_of(batching="padded", grouping="part", part_size=2), encoded(llama))
    assert asked.workload.batches == "padded batches (batching: padded)"
    assert asked.workload.steps == "parts of conversations, 2 examples at most"


def test_trees_that_a_backbone_does_not_take_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    folder = tiny_bloom(tmp_path / "bloom")
    with pytest.raises(BackboneError, match="takes no token trees"):
        train(folder, tmp_path / "run", batching="tree")
    assert not (tmp_path / "run").exists()


def test_a_training_notes_how_it_reads_before_it_starts(llama_folder: Path, tmp_path: Path) -> None:
    log = Noted()
    result = train(llama_folder, tmp_path, epochs=1, watcher=log)
    assert log.notes == [*result.workload.lines()]
    assert log.noted_before_start == 2


class Noted(Log):
    """Writes down how many notes came first."""

    noted_before_start = 0

    def started(self, *, steps: int, done: int) -> None:
        self.noted_before_start = len(self.notes)


@pytest.mark.parametrize("name", ["row_tokens", "micro_batch"])
def test_a_row_or_batch_of_nothing_is_refused(name: str) -> None:
    wrong: dict[str, Any] = {name: 0}
    with pytest.raises(UsageError, match=f"{name} is 0: give 1 or more"):
        settings_of(**wrong)
