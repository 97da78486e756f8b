"""Training batches as token trees: whole conversations a step, every shared token once."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import row_budget, row_inputs
from instructerc.backbones.tokens import EncodedExample
from instructerc.training.batches import MicroBatch, target_answer, token_weight
from instructerc.training.settings import LossWeighting
from instructerc.trees.packing import Row, pack


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeBatching:
    """Packs the examples of a step into rows of token trees. Only for backbones that take them.

    Attributes:
        backbone: Says what a row's mask looks like.
        budget: Tokens a row; None takes what suits the device.
        loss_weighting: What the tokens of an answer count.
    """

    backbone: Backbone
    budget: int | None = None
    loss_weighting: LossWeighting = "answer"

    def plan(self, examples: Sequence[EncodedExample], batch_size: int, order: random.Random) -> list[list[int]]:
        """Shuffled conversations, about `batch_size` examples a step.

        A conversation stays whole, since its examples share their beginning; one with more than `batch_size`
        examples is cut into parts of neighbouring turns. Steps end where the count of examples comes nearest to a
        multiple of the mean, so that every epoch has as many steps, of about one size.
        """
        parts = _parts(examples, batch_size)
        order.shuffle(parts)
        steps = math.ceil(len(examples) / batch_size)
        bounds = _bounds([len(part) for part in parts], steps)
        return [
            [position for part in parts[start:stop] for position in part]
            for start, stop in zip([0, *bounds], [*bounds, len(parts)], strict=True)
        ]

    def micro_batches(self, examples: Sequence[EncodedExample]) -> list[MicroBatch]:
        """The examples of one step as packed rows, fullest first."""
        groups: dict[str, list[int]] = {}
        for position, example in enumerate(examples):
            groups.setdefault(example.conversation, []).append(position)
        sequences = [(*example.prompt, *target_answer(example)[:-1]) for example in examples]
        rows = pack(list(groups.values()), sequences, budget=self.budget or row_budget(self.backbone, sequences))
        return [self._micro_batch(row, examples) for row in rows]

    def _micro_batch(self, row: Row, examples: Sequence[EncodedExample]) -> MicroBatch:
        """Targets hang under the last tokens of each path."""
        import torch

        positions: list[int] = []
        targets: list[int] = []
        weights: list[float] = []
        for sequence, path in zip(row.sequences, row.paths, strict=True):
            example = examples[sequence]
            answer = target_answer(example)
            positions += path[-len(answer) :].tolist()
            targets += answer
            weights += [token_weight(example, answer, self.loss_weighting)] * len(answer)
        return MicroBatch(
            row_inputs(self.backbone, row),
            torch.tensor(targets),
            torch.tensor(weights, dtype=torch.float32),
            torch.tensor(positions),
        )


def _parts(examples: Sequence[EncodedExample], largest: int) -> list[list[int]]:
    """Positions of each conversation's examples, in parts of at most `largest`."""
    conversations: dict[str, list[int]] = {}
    for position, example in enumerate(examples):
        conversations.setdefault(example.conversation, []).append(position)
    return [
        positions[start : start + largest]
        for positions in conversations.values()
        for start in range(0, len(positions), largest)
    ]


def _bounds(sizes: Sequence[int], steps: int) -> list[int]:
    """Where to cut parts into `steps` non-empty runs of about one total size.

    Example:
        >>> _bounds([3, 3, 3, 3, 3], 2)
        [2]
    """
    total = sum(sizes)
    bounds: list[int] = []
    done, part = 0, 0
    for step in range(1, steps):
        wanted = total * step / steps
        latest = len(sizes) - (steps - step)
        while part < latest and (part < (bounds[-1] if bounds else 0) + 1 or done + sizes[part] / 2 < wanted):
            done += sizes[part]
            part += 1
        bounds.append(part)
    return bounds
