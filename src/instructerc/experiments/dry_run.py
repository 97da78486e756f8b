"""What a recipe would do, without training: data, tokens, prompts, memory."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from instructerc.backbones.loading import count_parameters, load_tokenizer, quiet_transformers
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.conversation import SPLITS
from instructerc.experiments.data import RunData, prepare_data
from instructerc.experiments.resolve import Resolved
from instructerc.experiments.run import training_settings
from instructerc.prompts.example import Example

SHOWN = 2
"""Prompts that are shown."""

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What was found.

    Attributes:
        corpus: Name of the corpus.
        labels: Its labels.
        splits: Counts of each split: conversations, examples, tokens, longest, dropped turns.
        steps: Optimiser steps of the training.
        prompts: The first prompts of the training split, each with its target.
        memory: Estimated memory in MiB, by what takes it.
    """

    corpus: str
    labels: tuple[str, ...]
    splits: dict[str, dict[str, int]]
    steps: int
    prompts: tuple[tuple[str, str], ...]
    memory: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        prompts = [{"input": text, "target": target} for text, target in self.prompts]
        return {
            "corpus": self.corpus,
            "labels": list(self.labels),
            "splits": self.splits,
            "optimiser_steps": self.steps,
            "prompts": prompts,
            "memory_mib": {**self.memory, "total": sum(self.memory.values())},
        }

    def to_text(self) -> str:
        """The same for people."""
        lines = [f"corpus  {self.corpus}: {', '.join(self.labels)}"]
        for split, counts in self.splits.items():
            lines.append(f"{split:<11} " + ", ".join(f"{value:,} {name}" for name, value in counts.items()))
        lines.append(f"optimiser steps {self.steps:,}")
        for number, (text, target) in enumerate(self.prompts, start=1):
            lines += [f"--- prompt {number} ---", f"{text}⟦{target}⟧"]
        lines.append("--- memory, estimated ---")
        lines += [f"{value:>8,} MiB  {name}" for name, value in self.memory.items()]
        lines.append(f"{sum(self.memory.values()):>8,} MiB  in all")
        return "\n".join(lines)


def dry_run(resolved: Resolved) -> DryRun:
    """Loads the data and the tokenizer of a recipe, and counts.

    Raises:
        As `run_recipe`, for whatever is wrong with data, prompts and backbone.
    """
    quiet_transformers()
    recipe = resolved.recipe
    data = prepare_data(recipe)
    tokenizer, context = load_tokenizer(recipe.backbone.name, revision=recipe.backbone.revision)
    encoder = PromptEncoder(tokenizer, min(recipe.prompt.max_length or context, context))
    examples = {split: data.examples(split) for split in SPLITS}
    encoded = {split: encoder.encode_all(part) for split, part in examples.items()}
    settings = training_settings(resolved)
    steps = -(-len(encoded["train"]) // settings.batch_size) * settings.epochs
    return DryRun(
        corpus=data.name,
        labels=data.labels.labels,
        splits={split: _counts(data, split, part) for split, part in encoded.items()},
        steps=steps,
        prompts=tuple((example.prompt, example.target or "") for example in _shown(examples["train"])),
        memory=_memory(resolved, encoded["train"]),
    )


def _shown(examples: list[Example]) -> list[Example]:
    """The first example, and the first one with a history."""
    later = [example for example in examples if example.turn > 0 and len(example.segments) > SHOWN]
    return [*examples[:1], *later[: SHOWN - 1]]


def _counts(data: RunData, split: Any, encoded: list[EncodedExample]) -> dict[str, int]:
    lengths = [len(example.prompt) for example in encoded] or [0]
    return {
        "conversations": len(data.conversations(split)),
        "examples": len(encoded),
        "prompt tokens": sum(lengths),
        "tokens in the median prompt": round(statistics.median(lengths)),
        "tokens in the longest prompt": max(lengths),
        "turns dropped because prompts were too long": sum(example.dropped_turns for example in encoded),
    }


def _memory(resolved: Resolved, encoded: list[EncodedExample]) -> dict[str, int]:
    """Weights, gradients, optimiser and activations.

    Activations: about 34 bytes a token, layer and hidden unit in 16 bits (Korthikanti et al. 2022, without the
    attention scores, which memory-efficient attention does not keep), twice that in 32 bits.
    """
    from transformers import AutoConfig

    from instructerc.assets.embedded import embedded_model_directory

    recipe = resolved.recipe
    total, trainable = count_parameters(recipe.backbone.name, revision=recipe.backbone.revision)
    embedded = recipe.backbone.name == "embedded"
    config = AutoConfig.from_pretrained(embedded_model_directory() if embedded else _config_source(resolved))
    config = config.get_text_config()
    if recipe.adapter.method == "lora":
        targets = len(recipe.adapter.targets or (1, 1, 1))
        trainable = 2 * recipe.adapter.rank * config.hidden_size * targets * config.num_hidden_layers
    full = recipe.adapter.method == "all" or recipe.backbone.dtype == "float32" or embedded
    longest = sorted((len(example.prompt) for example in encoded), reverse=True)
    micro = training_settings(resolved).micro_batch or min(recipe.training.batch_size, 8)
    tokens = micro * (longest[0] if longest else 0)
    return {
        "weights": total * (4 if full else 2) // MIB,
        "gradients": trainable * 4 // MIB,
        "optimiser": trainable * 8 // MIB,
        "activations": tokens * config.num_hidden_layers * config.hidden_size * 34 * (2 if full else 1) // MIB,
        "program and libraries": 450,
    }


def _config_source(resolved: Resolved) -> str:
    from instructerc.backbones.presets import PRESETS

    name = resolved.recipe.backbone.name
    return PRESETS[name].source if name in PRESETS else name
