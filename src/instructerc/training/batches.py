"""From encoded examples to what goes through the model: optimiser steps made of micro-batches.

A step is about `batch_size` examples in the epoch's shuffled order. Sorting by length happens inside a step only: steps
of one length each would teach lengths in turn. Weights are normalised over the whole step, so that how a step is cut
into micro-batches changes nothing but speed and memory.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from instructerc.backbones.tokens import EncodedExample
from instructerc.training.grouping import Grouping, by_conversation
from instructerc.training.ranks import ALONE, Ranks
from instructerc.training.settings import LossWeighting
from instructerc.training.targets import unfolded
from instructerc.training.workload import Pass, TokenUse
from instructerc.trees.sharding import shard

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What goes through the model at once: padded sequences, or one row of token trees.

    Shapes: B sequences, T tokens, A tokens of the longest answer, end token included; P targets of a row.

    Attributes:
        inputs: Arguments of the forward pass.
        targets: Tokens that have to be predicted: at the last A positions [B, A], or at `positions` [P].
        weights: What each counts, of the same shape; 0 where a position is still inside a prompt.
        positions: Nodes of the row that predict, [P]; None for padded sequences.
    """

    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    weights: torch.Tensor
    positions: torch.Tensor | None = None

    @property
    def size(self) -> int:
        """Tokens that go through the model, padding included."""
        return int(self.inputs["input_ids"].numel())

    def silenced(self) -> MicroBatch:
        """The same pass without a voice in the loss: for a process that has to keep step with others."""
        return replace(self, weights=self.weights.new_zeros(self.weights.shape))


class Batching(Protocol):
    """How the examples of a step become micro-batches."""

    def micro_batches(self, examples: Sequence[EncodedExample]) -> list[MicroBatch]:
        """The examples of one step as the model takes them."""
        ...

    def token_use(self, steps: Iterable[Sequence[EncodedExample]]) -> TokenUse:
        """What goes through the model in these steps; no tensor is made."""
        ...

    def halved(self) -> Batching | None:
        """The same with passes of half the size, the gradient of a step what it was; None where that is the least."""
        ...

    @property
    def trees(self) -> bool:
        """Whether tokens that examples share are computed once."""
        ...

    @property
    def loss_weighting(self) -> LossWeighting:
        """What the tokens of an answer count."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PaddedBatching:
    """Left-padded batches: works on any causal language model.

    Attributes:
        micro_batch: Sequences a micro-batch.
        pad: Id of the padding token.
        loss_weighting: What the tokens of an answer count.
        both_ways: Whether the model reads prompts in both directions, which answers must not become a part of.
    """

    micro_batch: int
    pad: int
    loss_weighting: LossWeighting = "answer"
    both_ways: bool = False
    trees: ClassVar[bool] = False

    def micro_batches(self, examples: Sequence[EncodedExample]) -> list[MicroBatch]:
        """Cuts the examples of one step into micro-batches, longest first, so that memory peaks at once."""
        return [self._collate(part) for part in self._parts(examples)]

    def token_use(self, steps: Iterable[Sequence[EncodedExample]]) -> TokenUse:
        """What goes through the model in these steps."""
        passes: list[Pass] = []
        for part in (part for examples in steps for part in self._parts(examples)):
            lengths = [tokens_read(example) for example in part]
            room = len(part) * max(lengths)
            passes.append(Pass(tokens=sum(lengths), room=room, computed=room))
        return TokenUse.of(passes, alone=sum(one.tokens for one in passes), trees=False)

    def halved(self) -> PaddedBatching | None:
        """Half as many sequences a micro-batch; None below one."""
        return replace(self, micro_batch=self.micro_batch // 2) if self.micro_batch > 1 else None

    def _parts(self, examples: Sequence[EncodedExample]) -> Iterator[list[EncodedExample]]:
        order = sorted(examples, key=lambda example: -len(example.prompt))
        return (order[start : start + self.micro_batch] for start in range(0, len(order), self.micro_batch))

    def _collate(self, examples: Sequence[EncodedExample]) -> MicroBatch:
        """Pads on the left. The last token of an answer is never a query, so it is no input.

        ```
        input_ids   PAD p p p a        weights  0  1/2 1/2     targets  .  a end
                    p   p p p a a'              1/3 1/3 1/3             a  a' end
        ```
        """
        import torch

        from instructerc.backbones.padding import answer_inputs

        answers = [target_answer(example) for example in examples]
        inputs = answer_inputs(examples, [answer[:-1] for answer in answers], self.pad, both_ways=self.both_ways)
        longest = max(map(len, answers))
        targets = torch.zeros((len(examples), longest), dtype=torch.long)
        weights = torch.zeros((len(examples), longest), dtype=torch.float32)
        for row, (example, answer) in enumerate(zip(examples, answers, strict=True)):
            targets[row, longest - len(answer) :] = torch.tensor(answer, dtype=torch.long)
            weights[row, longest - len(answer) :] = token_weight(example, answer, self.loss_weighting)
        return MicroBatch(inputs, targets, weights)


def target_answer(example: EncodedExample) -> tuple[int, ...]:
    """Ids of the right answer of a labelled example, end token included."""
    assert example.target is not None
    return example.answers[example.target]


def tokens_read(example: EncodedExample) -> int:
    """Tokens of prompt and right answer; the last one is predicted, and never read."""
    return len(example.prompt) + len(target_answer(example)) - 1


def token_weight(example: EncodedExample, answer: Sequence[int], weighting: LossWeighting) -> float:
    """What each token of the answer counts: w/n, or w."""
    return example.weight / len(answer) if weighting == "answer" else example.weight


def share_of(examples: Sequence[EncodedExample], ranks: Ranks, *, trees: bool) -> list[int]:
    """Positions of the examples that this process computes: about as many tokens as every other's."""
    if ranks.alone:
        return list(range(len(examples)))
    prompts = [example.prompt for example in examples]
    shards = shard(by_conversation(examples), prompts, shards=ranks.count, trees=trees)
    return sorted(shards[ranks.rank])


@dataclass(slots=True)
class StepDataset:
    """The optimiser steps of an epoch; an item is a whole step.

    The order depends on seed and epoch alone, so a resumed training meets the same steps.

    Attributes:
        examples: Labelled, encoded examples.
        grouping: Which examples make up each step.
        batching: How the examples of a step become micro-batches.
        batch_size: Examples a step, about.
        seed: Of the order.
        epoch: Which epoch's order is served, from 0.
        ranks: Which share of a step this process computes; the steps are the same on all.
    """

    examples: Sequence[EncodedExample]
    grouping: Grouping
    batching: Batching
    batch_size: int
    seed: int
    epoch: int = 0
    ranks: Ranks = ALONE
    _planned: tuple[int, list[list[int]]] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.batch_size)

    def __getitem__(self, step: int) -> dict[str, Any]:
        """This process's micro-batches of a step, and the sum of all weights of the whole step."""
        if not 0 <= step < len(self):
            raise IndexError(step)
        examples = self._examples(self.plan()[step])
        share = share_of(examples, self.ranks, trees=self.batching.trees)
        if share:
            micro_batches = self.batching.micro_batches([examples[position] for position in share])
        else:  # fewer examples than processes: it keeps step with the others
            micro_batches = [batch.silenced() for batch in self.batching.micro_batches(examples[:1])]
        if self.ranks.alone:
            weight = float(sum(batch.weights.sum() for batch in micro_batches))
        else:
            weight = sum(self._weight(example) for example in examples)
        return {"micro_batches": micro_batches, "weight": weight}

    def _examples(self, positions: Iterable[int]) -> list[EncodedExample]:
        return list(unfolded(self.examples[position] for position in positions))

    def _weight(self, example: EncodedExample) -> float:
        answer = target_answer(example)
        return token_weight(example, answer, self.batching.loss_weighting) * len(answer)

    def steps(self) -> Iterator[list[EncodedExample]]:
        """The examples of each step of this epoch, one for each answer that is learned."""
        return map(self._examples, self.plan())

    def plan(self) -> list[list[int]]:
        """Positions of the examples of each step, as this epoch meets them."""
        if self._planned is None or self._planned[0] != self.epoch:
            order = random.Random(f"{self.seed}/{self.epoch}")  # noqa: S311 — an order, not a secret
            self._planned = self.epoch, self.grouping.plan(self.examples, self.batch_size, order)
        return self._planned[1]
