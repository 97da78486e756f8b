"""Backbones that have a name, as one flat table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LLAMA_TARGETS = ("q_proj", "k_proj", "v_proj")
FUSED_TARGETS = ("query_key_value",)


@dataclass(frozen=True, slots=True)
class Preset:
    """One row of the table.

    Attributes:
        name: What recipes call the backbone.
        source: Where its weights come from: a hub id, or "package" for the embedded one.
        targets: Modules that LoRA adapts by default (method §7).
        context: Longest sequence, in tokens; longer prompts lose their oldest turns.
        note: What it is for.
    """

    name: str
    source: str
    targets: tuple[str, ...]
    context: int
    note: str


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        # name           source                        LoRA targets                context  note
        Preset("embedded", "package", ("query", "key", "value"), 512, "22 M parameters, runs on a laptop, offline"),
        Preset("smollm2-135m", "HuggingFaceTB/SmolLM2-135M", LLAMA_TARGETS, 8192, "smallest of today's models"),
        Preset("qwen3-0.6b", "Qwen/Qwen3-0.6B-Base", LLAMA_TARGETS, 32768, "small, many languages"),
        Preset("bloom-560m", "bigscience/bloom-560m", FUSED_TARGETS, 2048, "the paper's, for debugging"),
        Preset("llama-7b", "huggyllama/llama-7b", LLAMA_TARGETS, 2048, "the paper's"),
        Preset("llama2-7b", "meta-llama/Llama-2-7b-hf", LLAMA_TARGETS, 4096, "the paper's main backbone; gated"),
    )
}
"""Every backbone that has a name. Any other causal language model is loaded by its folder or hub id."""
