"""The sections of recipes that say how weights are learned, in one stage or several."""

from __future__ import annotations

from typing import Annotated, Literal

# Models are classes, so pydantic is needed while this module is made; who imports it does so inside a function.
from pydantic import Field  # noqa: TID253

from instructerc.experiments.section import Number, Section, Switch, Text, Whole, key
from instructerc.prompts.example import Task


class TrainingSettings(Section):
    """How the weights are learned."""

    epochs: Whole = key(
        6,
        "Passes over the training split; the best by validation is kept. Published: 6, 8 with demonstrations.",
        unit="epochs",
        source="method §7",
        ge=1,
    )
    learning_rate: Number | None = key(
        None, "Peak step size. Null takes 2e-4 with lora, 2e-5 with all weights.", source="method §7", gt=0
    )
    schedule: Literal["linear", "cosine", "constant"] = key(
        "linear", "How the step size falls after the warm-up.", source="method §7"
    )
    warmup: Number = key(
        0.1,
        "Part of the training over which the step size rises.",
        unit="share of all steps",
        source="method §7",
        ge=0,
        le=1,
    )
    batch_size: Whole = key(
        16, "Examples per optimiser step. Published: 16 plain, 32 unified.", unit="examples", source="method §7", ge=1
    )
    batching: Literal["auto", "tree", "padded"] = key(
        "auto",
        "`tree` computes tokens that a conversation's prompts share once; `padded` reads every prompt alone; `auto` "
        "takes trees where they are exact. In validation and prediction too.",
    )
    grouping: Literal["conversation", "part", "example"] | None = key(
        None,
        "Which examples make up a step: whole `conversation`s, which share most tokens; a `part` of each, so that a "
        "step has more conversations; or any `example`, as in the released training. Null takes conversations "
        "with trees, examples with padded batches.",
    )
    part_size: Whole = key(
        4, "Examples of one conversation in a step, at most, where grouping is `part`.", unit="examples", ge=1
    )
    micro_batch: Whole | None = key(
        None,
        "Examples per forward pass where batches are padded: lower it when memory runs out, the result is the same. "
        "Null lets the run decide.",
        unit="examples",
        ge=1,
    )
    row_tokens: Whole | None = key(
        None,
        "Tokens that a row of token trees may hold: lower it when memory runs out, the result is the same. Null takes "
        "what suits the device.",
        unit="tokens",
        ge=1,
    )
    auto_batch: Switch = key(
        False,
        "Where memory runs out, halves what goes through the model at once and does the step again; the result is the "
        "same. For one process.",
    )
    weight_decay: Number = key(0.0, "Decay of AdamW.", source="method §7", ge=0)
    betas: tuple[Annotated[Number, Field(ge=0, lt=1)], Annotated[Number, Field(ge=0, lt=1)]] = key(
        (0.9, 0.95), "Decay rates of AdamW's two moments.", source="method §7"
    )
    gradient_clip: Number = key(1.0, "Largest norm of the gradient; 0 does not clip.", source="method §7", ge=0)
    precision: Literal["auto", "bf16", "float32"] = key(
        "auto", "Number type of the computation; auto takes bf16 where the hardware has it.", source="method §7"
    )
    early_stopping: Whole | None = key(
        None, "Ends the training after so many epochs without gain on validation; null never does.", unit="epochs", ge=1
    )
    gradient_checkpointing: Switch = key(False, "Recomputes activations: less memory, more time.")
    loss_weighting: Literal["answer", "token"] = key(
        "answer",
        "`answer` weighs every example alike (mean over the tokens of its answer, as published); `token` weighs every "
        "token alike, so long labels count more.",
        source="method §6",
    )
    class_weights: Literal["none", "balanced", "square-root", "effective-number"] = key(
        "none",
        "Lets examples of rare labels count more, by how often each label is learned from. Helps macro F1, and may "
        "cost weighted F1.",
    )
    focal_gamma: Number = key(
        0.0,
        "Focal loss (Lin et al. 2017): tokens that the model is sure of count less, by (1 - probability) to this "
        "power. 0 is the plain loss.",
        ge=0,
    )
    label_smoothing: Number = key(
        0.0,
        "Share of every target that all labels have alike, so that a model is less sure of itself.",
        unit="share",
        source="Szegedy et al. 2016",
        ge=0,
        lt=1,
    )
    teachers: tuple[Text, ...] | None = key(
        None,
        "Trained models with the same labels (run folders, hub ids), whose mean probabilities are learned beside the "
        "labels: several models become one (distillation). They read the training split before the training.",
        source="Hinton et al. 2015",
        min_length=1,
    )
    teacher_weight: Number = key(
        0.5, "Share of a target that is the teachers'; the rest is the label's.", unit="share", gt=0, le=1
    )
    averaging: Number | None = key(
        None,
        "Measures and keeps a moving average of the weights, which holds on to this much of itself a step (0.99: about "
        "the last hundred); steadier where data are few. Null takes the weights as they are.",
        unit="share",
        source="Polyak and Juditsky 1992",
        gt=0,
        lt=1,
    )
    start: Text | None = key(
        None,
        "What training begins with: a run folder, the folder of a trained model, `embedded` (the shipped one) or a hub "
        "id; of the same weights and adapter (embedded backbones share theirs). Null is the backbone as it came.",
    )
    save_every: Whole | None = key(
        None,
        "Also saves a checkpoint to resume from every so many steps; null saves once an epoch.",
        unit="optimiser steps",
        ge=1,
    )
    tracking: tuple[Literal["tensorboard"], ...] = key(("tensorboard",), "Where curves go while training; [] nowhere.")


class StageSettings(Section):
    """A part of the training with its own tasks; it begins with the weights that the one before it ends with."""

    name: str = Field(description="Names it, and its folder.", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=40)
    tasks: Annotated[dict[Task, Annotated[Number, Field(gt=0)]], Field(min_length=1)] = Field(
        description="What is learned, and what an example of it counts: `{recognition: 1, prediction: 0.1}` is the "
        "paper's second stage with its α.",
        json_schema_extra={
            "source": "method §6",
            "takes": "a mapping of recognition, prediction, speaker_identification to numbers > 0",
        },
    )
    epochs: Whole | None = key(None, "Null takes training.epochs. Published: 3 for speakers.", unit="epochs", ge=1)
    learning_rate: Number | None = key(None, "Null takes training.learning_rate.", gt=0)
    batch_size: Whole | None = key(None, "Null takes training.batch_size.", unit="examples", ge=1)
