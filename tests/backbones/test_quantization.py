"""Linear layers in 8 and 4 bits: loaded, trained beside, saved, loaded again, unpacked."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.adapters import AdapterSpec, attach, trained_parameters
from instructerc.backbones.backbone import Backbone, Quantization
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.quantization import check_quantization, unpack
from instructerc.errors import BackboneError, UsageError
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.training.stage import train_stage
from tests.tiny_models import tiny
from tests.training.runs import artefact_of, examples, settings_of, weights

pytest.importorskip("bitsandbytes", reason="bitsandbytes (extra `quantize`) is not installed")

BITS: tuple[Quantization, ...] = ("8bit", "4bit")
IDS = torch.tensor([[1, 60, 61, 70, 71, 90]])


def load(folder: Path, quantization: Quantization, **options: Any) -> Backbone:
    settings = {"dtype": "float32", "precision": "float32", "device": "cpu", **options}
    return load_backbone(str(folder), quantization=quantization, **settings)


def logits(backbone: Backbone) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = backbone.model.eval()(IDS).logits
    return found


@pytest.fixture(scope="module")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Layers as wide as a block of 64 weights; narrower ones bitsandbytes 0.50 reads wrongly on CPUs with AVX-512."""
    return tiny(tmp_path_factory.mktemp("llama"), "llama", hidden_size=64, intermediate_size=128, head_dim=16)


@pytest.mark.parametrize(("quantization", "kind"), [("8bit", torch.int8), ("4bit", torch.uint8)])
def test_linear_layers_are_packed_and_the_rest_is_not(
    llama_folder: Path, quantization: Quantization, kind: torch.dtype
) -> None:
    backbone = load(llama_folder, quantization)
    assert backbone.quantization == quantization
    held = {name: parameter.dtype for name, parameter in backbone.model.named_parameters()}
    packed = {name for name, dtype in held.items() if dtype == kind}
    assert len(packed) == 2 * 7
    assert all("proj" in name for name in packed)
    assert {dtype for name, dtype in held.items() if name not in packed} == {torch.float32}


@pytest.mark.parametrize("quantization", BITS)
def test_a_quantised_model_is_near_the_exact_one(llama_folder: Path, quantization: Quantization) -> None:
    exact, found = logits(load(llama_folder, "none")), logits(load(llama_folder, quantization))
    assert torch.nn.functional.cosine_similarity(exact, found, dim=-1).min() > (
        0.999 if quantization == "8bit" else 0.85
    )
    assert not torch.equal(exact, found)


def test_nf4_is_what_its_paper_says(llama_folder: Path) -> None:
    """Dettmers et al. 2023: 16 levels, scaled by the largest of each 64 weights."""
    exact = load(llama_folder, "none").model.model.layers[0].mlp.gate_proj.weight.detach()
    backbone = load(llama_folder, "4bit")
    unpack(backbone)
    found = backbone.model.model.layers[0].mlp.gate_proj.weight.detach()
    blocks = found.reshape(-1, 64) / found.reshape(-1, 64).abs().amax(dim=1, keepdim=True)
    assert len(torch.unique(blocks.round(decimals=3))) <= 16
    # Half of the widest gap between two levels, 0.304, times the largest weight of the block.
    largest = exact.reshape(-1, 64).abs().amax(dim=1, keepdim=True)
    assert ((found - exact).reshape(-1, 64).abs() <= 0.16 * largest).all()


@pytest.mark.parametrize("quantization", BITS)
def test_unpacked_layers_say_what_packed_ones_said(llama_folder: Path, quantization: Quantization) -> None:
    packed, plain = load(llama_folder, quantization), load(llama_folder, quantization)
    unpack(plain)
    assert plain.quantization == "none"
    assert {parameter.dtype for parameter in plain.model.parameters()} == {torch.float32}
    # 8-bit layers quantise their inputs as well.
    tolerance = 1e-5 if quantization == "4bit" else 0.2
    assert torch.allclose(logits(packed), logits(plain), atol=tolerance)


@pytest.mark.parametrize(
    "spec", [AdapterSpec(rank=4), AdapterSpec(rank=4, targets=("all-linear",))], ids=["qkv", "all"]
)
@pytest.mark.parametrize("quantization", BITS)
def test_only_the_updates_are_trained_in_float32(
    llama_folder: Path, quantization: Quantization, spec: AdapterSpec
) -> None:
    backbone = load(llama_folder, quantization, dtype="bfloat16")
    attach(backbone, spec)
    trained = trained_parameters(backbone)
    assert all("lora_" in name for name in trained)
    assert {tensor.dtype for tensor in trained.values()} == {torch.float32}
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in trained} >= {"q_proj", "k_proj", "v_proj"}


def test_all_parameters_of_a_quantised_model_cannot_be_trained(llama_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"4bit weights cannot be trained: set backbone\.quantization to none, or"):
        attach(load(llama_folder, "4bit"), AdapterSpec(method="all"))


def test_dora_does_not_go_with_8_bits(llama_folder: Path) -> None:
    with pytest.raises(UsageError, match="8bit weights do not go together with DoRA"):
        attach(load(llama_folder, "8bit"), AdapterSpec(dora=True))


def train(llama_folder: Path, folder: Path, quantization: Quantization, spec: AdapterSpec, **settings: Any) -> Backbone:
    backbone = load(llama_folder, quantization)
    artefact = dataclasses.replace(artefact_of(llama_folder, spec), quantization=quantization)
    train_stage(
        backbone,
        artefact,
        settings_of(**{"epochs": 1, **settings}),
        folder,
        train=examples("train")[:16],
        validation=(),
        neutral="neutral",
    )
    return backbone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("quantization", "spec"),
    [
        ("4bit", AdapterSpec(rank=4, dropout=0.1)),
        ("4bit", AdapterSpec(rank=4, dora=True, targets=("all-linear",))),
        ("8bit", AdapterSpec(rank=4)),
        ("none", AdapterSpec(rank=4, dora=True)),
    ],
    ids=["4bit", "4bit-dora-everywhere", "8bit", "dora"],
)
def test_a_trained_model_is_the_same_when_it_is_loaded(
    llama_folder: Path, tmp_path: Path, quantization: Quantization, spec: AdapterSpec
) -> None:
    before = load(llama_folder, quantization)
    attach(before, spec)
    backbone = train(llama_folder, tmp_path, quantization, spec, batching="padded")
    loaded = EmotionRecognizer.from_pretrained(tmp_path, device="cpu", batching="padded")
    assert loaded.backbone.quantization == quantization
    first, last = trained_parameters(before), trained_parameters(backbone)
    assert [name for name in last if "lora_B" in name and not torch.equal(first[name], last[name])]
    own = EmotionRecognizer(backbone=backbone, prompt=loaded.prompt, batching="padded")
    backbone.model.eval()
    asked = examples("test")[:6]
    assert [row.probabilities for row in own.answer(asked)] == [row.probabilities for row in loaded.answer(asked)]


@pytest.mark.parametrize("batching", ["padded", "tree"])
def test_recomputed_activations_give_the_same_weights_beside_4_bits(
    llama_folder: Path, tmp_path: Path, batching: str
) -> None:
    for name, twice in (("once", False), ("twice", True)):
        spec = AdapterSpec(rank=4, dropout=0.2)
        train(llama_folder, tmp_path / name, "4bit", spec, gradient_checkpointing=twice, batching=batching)
    assert weights(tmp_path / "once") == weights(tmp_path / "twice")


def test_4_bit_layers_stay_trainable_after_an_evaluation(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU with bfloat16 instructions they would repack themselves for a kernel without a backward pass."""
    import bitsandbytes.nn.modules

    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)
    backbone = load(llama_folder, "4bit")
    attach(backbone, AdapterSpec(rank=4))
    logits(backbone)
    layer = backbone.model.get_submodule("base_model.model.model.layers.0.self_attn.q_proj.base_layer")
    assert not getattr(layer.weight.quant_state, "packing_format_for_cpu", False)
    backbone.model.train()(IDS).logits.sum().backward()
    grad = (
        backbone.model.get_submodule("base_model.model.model.layers.0.self_attn.v_proj").lora_B["default"].weight.grad
    )
    assert grad.abs().sum() > 0


def test_the_embedded_backbone_is_refused() -> None:
    with pytest.raises(UsageError, match=r"backbone\.quantization is '4bit' on embedded, .*: set it to none"):
        load_backbone("embedded", quantization="4bit")


def test_an_unknown_quantisation_lists_those_that_exist(llama_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"backbone\.quantization is '3bit': choose one of none, 8bit, 4bit"):
        load(llama_folder, "3bit")  # type: ignore[arg-type]


def test_apple_gpus_are_refused() -> None:
    with pytest.raises(UsageError, match="on mps, where this package does not support it"):
        check_quantization("4bit", name="mine", source="mine", device="mps")


def test_a_missing_library_is_named_with_its_remedy(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(BackboneError, match=r"bitsandbytes is not installed: `pip install 'instructerc\[quantize\]'`"):
        load(llama_folder, "4bit")
