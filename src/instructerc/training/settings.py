"""The numbers of a training (method §7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from instructerc.backbones.batching import Batching
from instructerc.errors import UsageError

Schedule = Literal["linear", "cosine", "constant"]
Keep = Literal["best", "all"]
GroupingName = Literal["conversation", "part", "example"]
LossWeighting = Literal["answer", "token"]
"""`answer`: every answer counts the same, as in the released training. `token`: every token of an answer does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How a stage is trained; defaults are the published ones.

    Attributes:
        epochs: Passes over the training examples.
        learning_rate: Peak of the schedule; method §7 has 2e-4 for LoRA and 2e-5 for all parameters.
        schedule: How the rate falls after the warm-up.
        warmup: Share of all steps in which the rate rises.
        batch_size: Examples an optimiser step.
        micro_batch: Padded examples that go through the model at once; changes speed and memory, not the gradient.
        batching: Whether tokens that examples share are computed once; `auto` does so where that is exact.
        row_tokens: Tokens a row of trees may hold; changes speed and memory, not the gradient. None takes what suits
            the device.
        auto_batch: Whether passes are halved where memory runs out, and the step done again.
        grouping: Which examples make up a step; None takes whole conversations where they are read as trees, single
            examples elsewhere.
        part_size: Examples of one conversation in a step, at most, where `grouping` is `part`.
        weight_decay: Of AdamW.
        betas: Of AdamW.
        gradient_clip: Largest norm of the gradient.
        early_stopping: Epochs without a better validation score after which training ends; None never ends it.
        gradient_checkpointing: Computes activations twice, to save memory.
        loss_weighting: What the tokens of an answer count.
        averaging: What a moving average of the weights keeps of itself a step; it is then measured and kept instead of
            the weights. None takes the weights as they are.
        focal_gamma: Power of the focal loss; 0 is the plain loss.
        save_every: Optimiser steps between checkpoints, besides the one at the end of each epoch.
        tracking: Where curves go besides `curves.jsonl`.
        keep: Whether only the best epoch's model is kept, or every epoch's too.
        seed: Of shuffling, dropout and fresh parameters.
    """

    epochs: int = 6
    learning_rate: float = 2e-4
    schedule: Schedule = "linear"
    warmup: float = 0.1
    batch_size: int = 16
    micro_batch: int | None = None
    batching: Batching = "auto"
    row_tokens: int | None = None
    auto_batch: bool = False
    grouping: GroupingName | None = None
    part_size: int = 4
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.95)
    gradient_clip: float = 1.0
    early_stopping: int | None = None
    gradient_checkpointing: bool = False
    loss_weighting: LossWeighting = "answer"
    averaging: float | None = None
    focal_gamma: float = 0.0
    save_every: int | None = None
    tracking: tuple[str, ...] = ("tensorboard",)
    keep: Keep = "best"
    seed: int = 42

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("schedule", self.schedule, get_args(Schedule)),
            ("loss_weighting", self.loss_weighting, get_args(LossWeighting)),
            ("keep", self.keep, get_args(Keep)),
        ):
            if value not in allowed:
                raise UsageError(f"training: {name} is {value!r}: choose one of {', '.join(allowed)}")
        if self.grouping not in (None, *get_args(GroupingName)):
            raise UsageError(
                f"training: grouping is {self.grouping!r}: choose one of {', '.join(get_args(GroupingName))}"
            )
        if self.averaging is not None and not 0 < self.averaging < 1:
            raise UsageError(f"training: averaging is {self.averaging}: give a number between 0 and 1, or leave it out")
        if not 0 <= self.focal_gamma < float("inf"):
            raise UsageError(f"training: focal_gamma is {self.focal_gamma}: give a number from 0")
        for name in ("epochs", "batch_size", "part_size", "micro_batch", "row_tokens"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"training: {name} is {number}: give 1 or more")
