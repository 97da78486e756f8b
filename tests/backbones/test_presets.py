"""The table of named backbones, held against the architectures that transformers builds."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from instructerc.backbones.abilities import tree_ability
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.memory import lora_parameters, sizes_of
from instructerc.backbones.presets import PRESETS, Preset, packaged
from instructerc.errors import BackboneError

SIZES = {
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "feed_forward": "intermediate_size",
    "heads": "num_attention_heads",
    "key_value_heads": "num_key_value_heads",
    "head_size": "head_dim",
    "vocabulary": "vocab_size",
}
"""What configurations call a size."""

TIED = ("smollm2", "gemma3", "qwen2.5-0.5b", "qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "llama3.2")
"""Backbones whose output layer is their embedding, as their configurations say."""

on_the_hub = pytest.mark.parametrize(
    "preset", [preset for preset in PRESETS.values() if preset.source != "package"], ids=lambda preset: preset.name
)


def config_of(preset: Preset, **changes: Any) -> Any:
    """The configuration of a preset, from the sizes in the table."""
    from transformers import AutoConfig

    if preset.family == "chatglm":
        from instructerc.backbones.chatglm.configuration import ChatGLMConfig

        return ChatGLMConfig(**changes)
    values = {key: getattr(preset.sizes, name) for name, key in SIZES.items()}
    if preset.family == "bloom":
        # Its feed-forward layer is four times as wide as the rest, and every head has its own keys.
        assert values.pop("intermediate_size") == 4 * values["hidden_size"]
        assert values.pop("num_key_value_heads") == values["num_attention_heads"]
        values.pop("head_dim")
        values = {"n_layer": values.pop("num_hidden_layers"), "n_head": values.pop("num_attention_heads"), **values}
    extra: dict[str, Any] = {"attention_bias": True} if preset.family == "glm" else {}
    if preset.family not in ("bloom", "glm"):
        extra["tie_word_embeddings"] = preset.name.startswith(TIED)
    return AutoConfig.for_model(preset.family, **{**values, **extra, "pad_token_id": None, **changes})


def model_of(config: Any) -> Any:
    """A model without weights."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        if config.model_type == "chatglm":
            from instructerc.backbones.chatglm.modeling import ChatGLMForCausalLM

            return ChatGLMForCausalLM(config)
        return AutoModelForCausalLM.from_config(config)


def test_a_row_is_found_by_its_own_name() -> None:
    assert all(name == preset.name for name, preset in PRESETS.items())


def test_the_papers_backbones_are_there() -> None:
    assert {"chatglm-6b", "chatglm2-6b", "llama-7b", "llama2-7b", "llama2-13b", "bloom-560m"} <= set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_row_says_what_loading_needs(preset: Preset) -> None:
    assert preset.source == "package" or preset.source.count("/") == 1
    assert preset.targets
    assert preset.context >= 512
    assert preset.note
    assert "/" not in preset.name, "a name with a slash could not be told from a hub id"
    assert preset.revision is None or re.fullmatch("[0-9a-f]{40}", preset.revision), "a branch may move on"
    assert (preset.style == "chat") == preset.name.endswith("-instruct")


def test_no_two_backbones_have_the_same_commit() -> None:
    pinned = [preset.revision for preset in PRESETS.values() if preset.revision]
    assert len(set(pinned)) == len(pinned)


def test_only_the_embedded_backbones_come_with_a_package() -> None:
    assert [name for name in PRESETS if packaged(name)] == ["embedded", "embedded-turns", "embedded-encoder"]


@on_the_hub
def test_parameters_and_sizes_are_those_of_the_architecture(preset: Preset) -> None:
    config = config_of(preset)
    model = model_of(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == preset.parameters
    assert sizes_of(config) == preset.sizes


@on_the_hub
def test_targets_are_modules_of_the_architecture_and_their_updates_are_counted(preset: Preset) -> None:
    from peft import LoraConfig, get_peft_model

    layers = {"num_layers": 1} if preset.family == "chatglm" else {"num_hidden_layers": 1}
    layers = {"n_layer": 1} if preset.family == "bloom" else layers
    model = model_of(config_of(preset, **layers))
    with torch.device("meta"):
        adapted = get_peft_model(model, LoraConfig(r=16, target_modules=list(preset.targets)), low_cpu_mem_usage=True)
    trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
    assert trained * preset.sizes.layers == lora_parameters(preset.sizes, preset.targets, 16)


@on_the_hub
def test_the_table_says_of_trees_what_abilities_find(preset: Preset) -> None:
    model = model_of(config_of(preset))
    backbone = Backbone(preset.name, preset.source, None, model, None, preset.context, preset.targets)
    assert tree_ability(backbone).able == preset.trees


def test_the_embedded_row_is_true() -> None:
    backbone, preset = load_backbone("embedded", device="cpu"), PRESETS["embedded"]
    assert sum(parameter.numel() for parameter in backbone.model.parameters()) == preset.parameters
    assert sizes_of(backbone.model.config) == preset.sizes
    assert tree_ability(backbone).able == preset.trees
    assert (backbone.context, backbone.targets, backbone.style) == (preset.context, preset.targets, preset.style)
    assert backbone.model.config.model_type == preset.family


def test_a_preset_is_loaded_at_its_commit_and_another_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    class Hub:
        """Not reachable, and asked all the same."""

        @staticmethod
        def get_config_dict(source: str, *, revision: str, **_: Any) -> Any:
            asked.append((source, revision))
            raise OSError("no network")

    monkeypatch.setattr("transformers.PreTrainedConfig", Hub)
    preset = PRESETS["llama2-7b"]
    for revision in (None, "main"):
        with pytest.raises(BackboneError, match="did not deliver meta-llama/Llama-2-7b-hf"):
            load_backbone("llama2-7b", revision=revision, device="cpu")
    assert asked == [(preset.source, preset.revision), (preset.source, "main")]
