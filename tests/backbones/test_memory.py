"""Estimates of memory, against what autograd keeps and what torch holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.memory import (
    QUANTIZED,
    Sizes,
    Use,
    kept_by_layer,
    lora_parameters,
    memory_of,
    size_text,
    sizes_of,
)

LLAMA = Sizes(32, 4096, 11008, 32, 32, 128, 32000)
LENGTH = 128

FAMILIES = ("bert", "bloom", "gemma3_text", "glm", "llama", "mistral", "qwen2", "qwen3")
TARGETS = {"bert": ("query", "key", "value"), "bloom": ("query_key_value",)}


def config_of(family: str, layers: int) -> Any:
    from transformers import AutoConfig

    if family == "bloom":
        return AutoConfig.for_model(family, hidden_size=96, n_layer=layers, n_head=6, vocab_size=50)
    values = {
        "hidden_size": 96,
        "intermediate_size": 224,
        "num_hidden_layers": layers,
        "num_attention_heads": 6,
        "vocab_size": 50,
        "max_position_embeddings": 256,
        "pad_token_id": None,
    }
    if family == "bert":
        return AutoConfig.for_model(family, is_decoder=True, attention_probs_dropout_prob=0.0, **values)
    return AutoConfig.for_model(family, num_key_value_heads=2, head_dim=16, **values)


def kept(family: str, method: Literal["lora", "all"], layers: int) -> int:
    """Bytes that autograd keeps of a forward pass, parameters left out; memory that tensors share counts once."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_config(config_of(family, layers))
    if method == "lora":
        targets = list(TARGETS.get(family, Use().targets))
        model = get_peft_model(model, LoraConfig(r=8, lora_dropout=0.05, target_modules=targets))
    model.train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights:
            found[place] = tensor
        return tensor

    mask: Any = torch.ones(1, 1, LENGTH, LENGTH).tril().bool()
    if family == "gemma3_text":
        mask = {"full_attention": mask, "sliding_attention": mask}
    if family == "bloom":
        mask = torch.ones(1, LENGTH, dtype=torch.long)
    tokens = torch.randint(0, 50, (1, LENGTH))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(input_ids=tokens, attention_mask=mask, use_cache=False, logits_to_keep=1)
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values())


@pytest.mark.parametrize("method", ["lora", "all"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_keeps_what_autograd_keeps(family: str, method: Literal["lora", "all"]) -> None:
    sizes = sizes_of(config_of(family, 1))
    targets = TARGETS.get(family, Use().targets)
    use = Use(method=method, targets=targets, rank=8, width=4, computed=4, tokens=LENGTH, longest=LENGTH, marks=4)
    measured = (kept(family, method, 2) - kept(family, method, 1)) / LENGTH
    assert kept_by_layer(sizes, use) == pytest.approx(measured, rel=0.06)


def test_updates_are_counted_as_peft_makes_them(llama_folder: Path) -> None:
    for targets in (("q_proj", "k_proj", "v_proj"), ("o_proj", "gate_proj", "up_proj", "down_proj"), ("all-linear",)):
        backbone = load_backbone(str(llama_folder), device="cpu")
        sizes = sizes_of(backbone.model.config)
        attach(backbone, AdapterSpec(targets=targets, rank=4))
        trained = sum(one.numel() for one in backbone.model.parameters() if one.requires_grad)
        assert lora_parameters(sizes, targets, 4) == trained


def test_linear_layers_are_counted_as_they_are(llama_folder: Path) -> None:
    backbone = load_backbone(str(llama_folder), device="cpu")
    layers = [module for module in backbone.model.model.layers.modules() if isinstance(module, torch.nn.Linear)]
    assert sizes_of(backbone.model.config).linear == sum(module.weight.numel() for module in layers)


def test_weights_gradients_and_moments_are_those_of_torch(llama_folder: Path) -> None:
    backbone = load_backbone(str(llama_folder), dtype="float32", device="cpu")
    attach(backbone, AdapterSpec(method="all"))
    parameters = list(backbone.model.parameters())
    optimiser = torch.optim.AdamW(parameters, fused=True)
    backbone.model(input_ids=torch.tensor([[5, 6, 7]])).logits.sum().backward()
    optimiser.step()
    moments = [state for one in optimiser.state.values() for name, state in one.items() if name != "step"]
    count = sum(one.numel() for one in parameters)
    use = Use(method="all", width=4, computed=4)
    found = memory_of(sizes_of(backbone.model.config), count, use).to_json()
    assert found["weights"] == sum(one.nbytes for one in parameters)
    assert found["gradients"] == sum(one.grad.nbytes for one in parameters if one.grad is not None)
    assert found["optimiser"] == sum(one.nbytes for one in moments)


def test_four_bits_take_what_the_library_takes() -> None:
    library = pytest.importorskip("bitsandbytes.functional")
    weights = torch.randn(512, 512)
    packed, state = library.quantize_4bit(weights, quant_type="nf4", compress_statistics=True)
    scales = state.absmax.nbytes + state.state2.absmax.nbytes
    assert (packed.nbytes + scales) / weights.numel() == pytest.approx(QUANTIZED["4bit"], rel=1e-6)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_parts_add_up_and_say_how(checkpointing: bool) -> None:
    found = memory_of(LLAMA, 6_738_415_616, Use(checkpointing=checkpointing))
    assert found.total == sum(part.size for part in found.parts) == found.to_json()["total"]
    assert [name for name, _, _ in found.lines()] == [part.name for part in found.parts]
    assert all(any(sign in part.how for sign in "×+") for part in found.parts)


uses = st.builds(
    Use,
    method=st.sampled_from(["lora", "none"]),
    tokens=st.integers(128, 8192),
    longest=st.integers(1, 4096),
    reads=st.sampled_from(["blocks", "mask"]),
    trees=st.booleans(),
)


@given(use=uses)
def test_fewer_bits_and_fewer_tokens_never_take_more(use: Use) -> None:
    def total(**changes: Any) -> int:
        return memory_of(LLAMA, 6_738_415_616, replace(use, **changes)).total

    assert total(quantization="4bit") < total(quantization="8bit") < total()
    assert total(tokens=2 * use.tokens) > total()
    assert total(width=4, computed=4) > total()
    assert total(checkpointing=True) <= total()
    assert total(method="none") <= total(method="lora")


def test_recognition_holds_keys_and_values() -> None:
    found = memory_of(LLAMA, 6_738_415_616, Use(method="none", tokens=100)).to_json()
    assert found["keys and values"] == 100 * 32 * 2 * 32 * 128 * 2
    assert "gradients" not in found


def test_adapters_are_in_32_bits_beside_any_backbone() -> None:
    found = memory_of(LLAMA, 6_738_415_616, Use(quantization="4bit", rank=16)).to_json()
    assert found["adapters"] == 4 * 12_582_912
    assert found["optimiser"] == 8 * 12_582_912


@pytest.mark.parametrize(("size", "text"), [(0, "0 MiB"), (2**30 - 2**20, "1023 MiB"), (2**30, "1.0 GiB")])
def test_sizes_are_said_in_the_unit_that_suits_them(size: int, text: str) -> None:
    assert size_text(size) == text
