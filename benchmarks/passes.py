"""Passes through a model that the benchmarks measure: steps of training by the package's own batches and loss."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from instructerc.assets.embedded import embedded_model_directory
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import use_trees
from instructerc.backbones.embedded import load_embedded_tokenizer
from instructerc.backbones.loading import Precision, load_backbone
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.conversation import Conversation
from instructerc.prompts import PromptSpec
from instructerc.training.batches import Batching, MicroBatch, PaddedBatching, StepDataset
from instructerc.training.grouping import ByConversation, ByExample, Grouping
from instructerc.training.objective import weighted_loss
from instructerc.training.tree_batches import TreeBatching
from measuring import Elapsed, Stopwatch

Side = Literal["tree", "padded", "sorted"]
"""`tree`, `padded` as the package trains; `sorted` has batches of one length each, which only serve to compare."""

LLAMA_CONTEXT = 2048
MICRO_BATCH = 8
"""Padded examples at once: what a training takes by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByLength:
    """The least padding that there can be: steps of examples of one length, in shuffled order.

    No training should do so, since steps would teach lengths in turn; it is the hardest opponent that padding has.
    """

    def plan(self, examples: Sequence[EncodedExample], batch_size: int, order: random.Random) -> list[list[int]]:
        """Examples by length, `batch_size` a step."""
        ordered = sorted(range(len(examples)), key=lambda position: -len(examples[position].prompt))
        steps = [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
        order.shuffle(steps)
        return steps


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the examples.

    Attributes:
        elapsed: Time of all of it.
        preparing: Of which for making batches.
        tokens: Tokens that went through the model, padding counted.
        examples: Examples that were learned from.
        steps: Optimiser steps.
        forwards: Forward passes.
    """

    elapsed: Elapsed
    preparing: float
    tokens: int
    examples: int
    steps: int
    forwards: int


def save_llama(folder: Path, *, layers: int = 6, width: int = 256, context: int = LLAMA_CONTEXT, seed: int = 0) -> Path:
    """A random Llama as a checkpoint: the embedded backbone's word pieces, a longer context."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = load_embedded_tokenizer(embedded_model_directory())
    tokenizer.model_max_length = context
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(width // 64, 1),
        num_key_value_heads=max(width // 64, 1),
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def load_trainable(name: str, *, precision: Precision, seed: int = 0) -> Backbone:
    """A backbone all of whose parameters are trained."""
    import torch

    torch.manual_seed(seed)
    backbone = load_backbone(name, dtype="float32", precision=precision)
    attach(backbone, AdapterSpec(method="all"))
    return backbone


def encode(backbone: Backbone, spec: PromptSpec, conversations: Iterable[Conversation]) -> list[EncodedExample]:
    """The labelled examples of conversations, as a training encodes them."""
    encoder = PromptEncoder.of(backbone, spec)
    return encoder.encode_all(example for chat in conversations for example in spec.labelled_examples(chat))


def batching_of(side: Side, backbone: Backbone) -> Batching:
    """How a side makes batches."""
    if side == "tree":
        return TreeBatching(backbone=backbone)
    return PaddedBatching(micro_batch=MICRO_BATCH, pad=backbone.tokenizer.pad_token_id)


def steps_of(side: Side, backbone: Backbone, examples: Sequence[EncodedExample], *, batch_size: int) -> StepDataset:
    """An epoch of steps. A side of trees asks first, as a training does: that makes the backbone ready for them."""
    if side == "tree":
        use_trees(backbone, "tree")
    groupings: dict[Side, Grouping] = {"tree": ByConversation(), "padded": ByExample(), "sorted": ByLength()}
    return StepDataset(examples, groupings[side], batching_of(side, backbone), batch_size, seed=1)


class Learner:
    """Takes optimiser steps as a training does: AdamW, gradients clipped at 1."""

    def __init__(self, backbone: Backbone) -> None:
        import torch

        self.backbone = backbone
        self.parameters = [one for one in backbone.model.parameters() if one.requires_grad]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=2e-5, betas=(0.9, 0.95), fused=True)

    def step(self, item: dict[str, Any]) -> float:
        """One step through all its micro-batches; returns its loss."""
        import torch

        self.backbone.model.train()
        total = 0.0
        for batch in item["micro_batches"]:
            loss = weighted_loss(self.backbone, self.backbone.model, on_device(batch, self.backbone)) / item["weight"]
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return total

    def learn(self, dataset: StepDataset, *, steps: int | None = None) -> Pass:
        """A whole epoch, or its first steps."""
        count = min(len(dataset), steps or len(dataset))
        tokens = forwards = 0
        preparing = 0.0
        with Stopwatch() as watch:
            for number in range(count):
                with Stopwatch() as making:
                    item = dataset[number]
                preparing += making.elapsed.wall
                forwards += len(item["micro_batches"])
                tokens += sum(batch.inputs["input_ids"].numel() for batch in item["micro_batches"])
                self.step(item)
        examples = sum(len(step) for step in dataset.plan()[:count])
        return Pass(watch.elapsed, preparing, tokens, examples, count, forwards)


def on_device(batch: MicroBatch, backbone: Backbone) -> MicroBatch:
    """A micro-batch where the model is; masks of several kinds of layers among its inputs."""
    place = backbone.device
    positions = None if batch.positions is None else batch.positions.to(place)
    inputs = {name: moved(value, backbone) for name, value in batch.inputs.items()}
    return MicroBatch(inputs, batch.targets.to(place), batch.weights.to(place), positions)


def moved(value: Any, backbone: Backbone) -> Any:
    """An argument of a forward pass, tensor, block mask or a dictionary of them, where the model is."""
    if isinstance(value, dict):
        return {name: moved(part, backbone) for name, part in value.items()}
    return value.to(backbone.device)
