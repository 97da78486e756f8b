"""What a recipe would do, without training: data, tokens, prompts, memory."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.backbones.abilities import tree_ability
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.chat import style_notice
from instructerc.backbones.loading import (
    best_device,
    computes_bfloat16,
    count_parameters,
    load_skeleton,
    quiet_transformers,
)
from instructerc.backbones.memory import MIB, PROGRAM, Use, memory_of, sizes_of
from instructerc.backbones.presets import packaged
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.backbones.unknown import unknown_notice
from instructerc.conversation import SPLITS, Split
from instructerc.experiments.arguments import artefact_of
from instructerc.experiments.asking import Estimate, estimate
from instructerc.experiments.data import RunData, prepare_data
from instructerc.experiments.resolve import Resolved
from instructerc.experiments.stages import Stage, plan_stages, stage_examples
from instructerc.prompts.example import Example
from instructerc.training.planning import Plan, plan_training
from instructerc.training.settings import TrainingSettings
from instructerc.training.workload import Workload

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What was found.

    Attributes:
        corpus: Name of the corpus.
        labels: Its labels.
        splits: Counts of each split: conversations, examples, tokens, longest, dropped turns.
        steps: Optimiser steps of the training.
        workloads: How the examples of each stage would be read, and how many tokens that takes, by its name.
        prompts: The first prompts of the training split, each with its target.
        memory: Estimated memory in MiB, by what takes it; empty where a server runs the model.
        asking: What a server would be asked for; None where the model runs here.
        notices: What is worth knowing besides.
    """

    corpus: str
    labels: tuple[str, ...]
    splits: dict[str, dict[str, int]]
    steps: int
    workloads: Mapping[str, Workload]
    prompts: tuple[tuple[str, str], ...]
    memory: dict[str, int]
    asking: Estimate | None = None
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        prompts = [{"input": text, "target": target} for text, target in self.prompts]
        asked = {} if self.asking is None else {"endpoint": self.asking.to_json()}
        return {
            "corpus": self.corpus,
            "labels": list(self.labels),
            "splits": self.splits,
            "optimiser_steps": self.steps,
            "stages": [{"name": name, **workload.to_json()} for name, workload in self.workloads.items()],
            "prompts": prompts,
            "memory_mib": {**self.memory, "total": sum(self.memory.values())},
            "notices": list(self.notices),
            **asked,
        }

    def to_text(self) -> str:
        """The same for people."""
        lines = [f"corpus  {self.corpus}: {', '.join(self.labels)}"]
        for split, counts in self.splits.items():
            lines.append(f"{split:<11} " + ", ".join(f"{value:,} {name}" for name, value in counts.items()))
        lines += [f"optimiser steps {self.steps:,}"] if self.asking is None else self.asking.lines()
        for name, workload in self.workloads.items():
            lines += [f"stage {name}:"] * bool(name) + list(workload.lines())
        lines += self.notices
        for number, (text, target) in enumerate(self.prompts, start=1):
            lines += [f"--- prompt {number} ---", f"{text}⟦{target}⟧"]
        if self.asking is not None:
            return "\n".join(lines)
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
    asking = estimate(recipe, data)
    if asking is not None:
        return _of_asking(recipe, data, asking)
    backbone = _skeleton(recipe)
    encoder = PromptEncoder.of(backbone, data.spec, recipe.prompt.max_length)
    examples = {split: data.examples(split) for split in SPLITS}
    encoded = {split: encoder.encode_all(part) for split, part in examples.items()}
    plans = [_plan(stage, data, backbone, encoder, encoded["train"]) for stage in plan_stages(recipe, Path("run"))]
    return DryRun(
        corpus=data.name,
        labels=data.labels.labels,
        splits={split: _counts(data, split, part) for split, part in encoded.items()},
        steps=sum(len(plan.dataset) * settings.epochs for plan, settings, _ in plans),
        workloads={name: plan.workload for plan, _, name in plans},
        prompts=tuple((example.prompt, example.target or "") for example in _shown(examples)),
        memory=_memory(recipe, data, backbone, _largest(plans, encoded), _longest(encoded)),
        notices=tuple(filter(None, (style_notice(backbone), unknown_notice(backbone, data.texts())))),
    )


def _of_asking(recipe: Recipe, data: RunData, asking: Estimate) -> DryRun:
    split = recipe.evaluation.split
    asked = list(data.asked(split))
    counts = {"conversations": len(data.conversations(split)), "examples": len(asked)}
    return DryRun(
        corpus=data.name,
        labels=data.labels.labels,
        splits={split: counts},
        steps=0,
        workloads={},
        prompts=tuple((example.prompt, example.target or "") for example in _first_two(asked)),
        memory={},
        asking=asking,
    )


def _plan(
    stage: Stage, data: RunData, backbone: Backbone, encoder: PromptEncoder, recognition: list[EncodedExample]
) -> tuple[Plan, TrainingSettings, str]:
    """What a stage would do; the examples of recognition alone are encoded already."""
    examples, settings = stage_examples(stage, data)
    encoded = recognition if stage.tasks.keys() == {"recognition"} else encoder.encode_all(examples)
    return plan_training(backbone, settings, encoded), settings, stage.name


def _largest(plans: Sequence[tuple[Plan, TrainingSettings, str]], encoded: Mapping[Split, list[EncodedExample]]) -> int:
    """Tokens of the largest pass; without training, about a padded batch of the longest prompts."""
    if plans:
        return max(plan.workload.tokens.largest for plan, _, _ in plans)
    return 16 * _longest(encoded)


def _longest(encoded: Mapping[Split, list[EncodedExample]]) -> int:
    return max((len(example.prompt) for part in encoded.values() for example in part), default=0)


def _skeleton(recipe: Recipe) -> Backbone:
    """The backbone without weights: whether it takes trees is read from its configuration, and tried by a run only."""
    values = recipe.backbone
    backbone = load_skeleton(values.name, revision=values.revision, attention=values.attention, style=values.style)
    backbone.tree_verdict = tree_ability(backbone)
    return backbone


def _shown(by_split: Mapping[Split, Sequence[Example]]) -> list[Example]:
    """The first example, and the first other one that shows a history; where none does, the second."""
    return _first_two(by_split["train"] or by_split["test"])


def _first_two(examples: Sequence[Example]) -> list[Example]:
    with_history = [example for example in examples[1:] if example.droppable]
    return [*examples[:1], *(with_history or examples[1:])[:1]]


def _counts(data: RunData, split: Split, encoded: list[EncodedExample]) -> dict[str, int]:
    lengths = [len(example.prompt) for example in encoded] or [0]
    return {
        "conversations": len(data.conversations(split)),
        "examples": len(encoded),
        "prompt tokens": sum(lengths),
        "tokens in the median prompt": round(statistics.median(lengths)),
        "tokens in the longest prompt": max(lengths),
        "turns dropped because prompts were too long": sum(example.dropped_turns for example in encoded),
        "tokens cut because prompts were too long": sum(example.cut_tokens for example in encoded),
    }


def _memory(recipe: Recipe, data: RunData, backbone: Backbone, tokens: int, longest: int) -> dict[str, int]:
    """What the largest pass, which has so many tokens, takes at its peak; by what takes it, in MiB."""
    total, all_trained = count_parameters(backbone)
    device, method = best_device(), recipe.adapter.method
    width = 4 if _in_float32(recipe, data) else 2
    wanted = recipe.training.precision
    narrow = wanted == "bf16" or (wanted == "auto" and computes_bfloat16(device))
    trees = backbone.tree_verdict is not None and backbone.tree_verdict.able and recipe.training.batching != "padded"
    use = Use.on(
        device,
        method=method,
        targets=tuple(recipe.adapter.targets or backbone.targets),
        quantization=recipe.backbone.quantization,
        trees=trees,
        checkpointing=recipe.training.gradient_checkpointing,
    )
    computed = 2 if narrow else width
    given = replace(
        use, rank=recipe.adapter.rank, width=width, computed=computed, tokens=tokens, longest=min(longest, tokens)
    )
    memory = memory_of(sizes_of(backbone.model.config), total, given, trained=all_trained if method == "all" else None)
    return {**{part.name: part.size // MIB for part in memory.parts}, "program and libraries": PROGRAM // MIB}


def _in_float32(recipe: Recipe, data: RunData) -> bool:
    dtype = artefact_of(recipe, data).training_dtype
    automatic = dtype == "auto" and not computes_bfloat16(best_device())
    return packaged(recipe.backbone.name) or dtype == "float32" or automatic
