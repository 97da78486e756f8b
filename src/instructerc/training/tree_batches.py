"""Training batches as token trees: every token that the examples of a step share once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import row_budget, row_inputs, spans_of
from instructerc.backbones.tokens import EncodedExample
from instructerc.training.batches import MicroBatch, target_answer, token_weight, tokens_read
from instructerc.training.grouping import by_conversation
from instructerc.training.settings import LossWeighting
from instructerc.training.workload import Pass, TokenUse
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
    trees: ClassVar[bool] = True

    def micro_batches(self, examples: Sequence[EncodedExample]) -> list[MicroBatch]:
        """The examples of one step as packed rows, fullest first."""
        return [self._micro_batch(row, examples) for row in self._rows(examples)[0]]

    def token_use(self, steps: Iterable[Sequence[EncodedExample]]) -> TokenUse:
        """What goes through the model in these steps."""
        passes: list[Pass] = []
        alone = 0
        for examples in steps:
            rows, budget = self._rows(examples)
            passes += [Pass(tokens=len(row), room=max(len(row), budget), computed=len(row)) for row in rows]
            alone += sum(map(tokens_read, examples))
        return TokenUse.of(passes, alone=alone, trees=True)

    def halved(self) -> TreeBatching | None:
        """Rows of half as many tokens; None below one. A sequence that is longer keeps a row for itself."""
        budget = self.budget or row_budget(self.backbone, ())
        return replace(self, budget=budget // 2) if budget > 1 else None

    def _rows(self, examples: Sequence[EncodedExample]) -> tuple[list[Row], int]:
        """The rows of a step, and the tokens that each may hold."""
        sequences = [(*example.prompt, *target_answer(example)[:-1]) for example in examples]
        budget = self.budget or row_budget(self.backbone, sequences)
        spans = spans_of(self.backbone, [(example, len(target_answer(example)) - 1) for example in examples])
        return pack(by_conversation(examples), sequences, budget=budget, spans=spans), budget

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
            row_inputs(self.backbone, row, [examples[sequence] for sequence in row.sequences]),
            torch.tensor(targets),
            torch.tensor(weights, dtype=torch.float32),
            torch.tensor(positions),
        )
