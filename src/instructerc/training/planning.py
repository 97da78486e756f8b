"""From encoded examples and settings to the steps of a training, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import use_trees
from instructerc.backbones.tokens import EncodedExample
from instructerc.training.batches import Batching, PaddedBatching, StepDataset
from instructerc.training.grouping import grouping_of
from instructerc.training.ranks import ALONE, Ranks
from instructerc.training.settings import TrainingSettings
from instructerc.training.tree_batches import TreeBatching
from instructerc.training.workload import Workload


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a training.

    Attributes:
        dataset: The optimiser steps of an epoch.
        workload: How examples are read, and how many tokens that takes.
    """

    dataset: StepDataset
    workload: Workload


def plan_training(
    backbone: Backbone, settings: TrainingSettings, examples: Sequence[EncodedExample], *, ranks: Ranks = ALONE
) -> Plan:
    """Chooses trees or padded batches, and counts what the first epoch puts through the model.

    Args:
        backbone: The model, which may take trees.
        settings: The numbers.
        examples: Labelled, encoded examples.
        ranks: Which share of each step this process computes; the count is of all of them together.

    Raises:
        BackboneError: Trees are asked for, and this backbone does not take them.
    """
    trees = use_trees(backbone, settings.batching)
    grouping = grouping_of(settings, trees=trees)
    batching = _batching(backbone, settings, trees=trees)
    dataset = StepDataset(examples, grouping, batching, settings.batch_size, settings.seed, ranks=ranks)
    tokens = batching.token_use(dataset.steps())
    return Plan(dataset, Workload(batches=_reason(backbone, settings, trees=trees), steps=str(grouping), tokens=tokens))


def _batching(backbone: Backbone, settings: TrainingSettings, *, trees: bool) -> Batching:
    if trees:
        return TreeBatching(backbone=backbone, budget=settings.row_tokens, loss_weighting=settings.loss_weighting)
    return PaddedBatching(
        micro_batch=settings.micro_batch or min(settings.batch_size, 8),
        pad=backbone.tokenizer.pad_token_id,
        loss_weighting=settings.loss_weighting,
        both_ways=backbone.both_ways,
    )


def _reason(backbone: Backbone, settings: TrainingSettings, *, trees: bool) -> str:
    kind = "token trees" if trees else "padded batches"
    if settings.batching != "auto":
        return f"{kind} (batching: {settings.batching})"
    verdict = backbone.tree_verdict
    why = verdict.reason if verdict is not None and not verdict.able else "exact on this backbone"
    return f"{kind} (batching: auto; {why})"
