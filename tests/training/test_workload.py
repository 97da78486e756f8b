"""What an epoch puts through the model is counted without a tensor, and counted right."""

from __future__ import annotations

import json
import math

import pytest

from instructerc.backbones.backbone import Backbone
from instructerc.training.batches import Batching, PaddedBatching, StepDataset
from instructerc.training.grouping import ByConversation
from instructerc.training.tree_batches import TreeBatching
from instructerc.training.workload import TokenUse
from tests.training.runs import encoded


@pytest.mark.parametrize("row_tokens", [None, 60])
def test_tokens_are_those_of_the_micro_batches(llama: Backbone, row_tokens: int | None) -> None:
    batchings: list[Batching] = [TreeBatching(backbone=llama, budget=row_tokens), PaddedBatching(micro_batch=3, pad=0)]
    for batching in batchings:
        dataset = StepDataset(encoded(llama), ByConversation(), batching, 8, seed=1)
        use = batching.token_use(dataset.steps())
        batches = [batch for step in range(len(dataset)) for batch in dataset[step]["micro_batches"]]
        sizes = [batch.inputs["input_ids"].numel() for batch in batches]
        assert (use.read, use.passes, use.largest) == (sum(sizes), len(sizes), max(sizes))
        assert use.alone == sum(len(one.prompt) + len(one.answers[one.target or 0]) - 1 for one in dataset.examples)


def test_rows_are_filled_by_tokens_and_batches_by_all_but_their_padding(llama: Backbone) -> None:
    examples = encoded(llama)[:8]
    trees = TreeBatching(backbone=llama, budget=10_000).token_use([examples[:4], examples[4:]])
    assert (trees.passes, trees.row_tokens) == (2, 10_000)
    assert trees.filled == pytest.approx(trees.read / 20_000)
    assert trees.alone > trees.read
    padded = PaddedBatching(micro_batch=4, pad=0).token_use([examples])
    assert padded.row_tokens is None
    assert padded.filled == pytest.approx(padded.alone / padded.read)
    assert padded.alone < padded.read


def test_a_row_that_one_long_sequence_overfills_is_full(llama: Backbone) -> None:
    use = TreeBatching(backbone=llama, budget=5).token_use([encoded(llama)[:3]])
    assert use.filled == 1
    assert use.passes == 3


def test_figures_are_plain_values() -> None:
    use = TokenUse(alone=30, read=10, passes=2, filled=0.5, largest=7, row_tokens=10)
    assert TokenUse(**json.loads(json.dumps(use.to_json()))) == use
    assert math.isclose(TokenUse.of([], alone=0, trees=True).filled, 1)
