"""What is trained, and how that is saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.adapters import (
    PARAMETERS,
    AdapterSpec,
    attach,
    load_trained,
    save_trained,
    trained_parameters,
)
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.embedded import HEAD
from instructerc.errors import ArtefactError, UsageError
from tests.tiny_models import load

LORA = AdapterSpec(rank=4, alpha=8)
ALL = AdapterSpec(method="all")


def fill(backbone: Backbone) -> None:
    """Gives every trained tensor values that it did not start with."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in backbone.model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))


def test_lora_trains_exactly_the_updates_of_its_targets(llama: Backbone) -> None:
    attach(llama, LORA)
    expected = {
        f"base_model.model.model.layers.{layer}.self_attn.{target}.lora_{side}.default.weight"
        for layer in range(2)
        for target in ("q_proj", "k_proj", "v_proj")
        for side in "AB"
    }
    assert set(trained_parameters(llama)) == expected


def test_rank_alpha_and_dropout_reach_the_updates(llama: Backbone) -> None:
    attach(llama, AdapterSpec(rank=4, alpha=8, dropout=0.3, targets=("o_proj",)))
    shapes = {name.rsplit(".", 4)[1]: tuple(tensor.shape) for name, tensor in trained_parameters(llama).items()}
    assert set(shapes) == {"o_proj"}
    module = llama.model.get_submodule("base_model.model.model.layers.0.self_attn.o_proj")
    assert module.scaling["default"] == 2
    assert module.lora_dropout["default"].p == 0.3
    assert module.lora_A["default"].weight.shape == (4, 32)


def test_a_fresh_lora_changes_no_answer(llama_folder: Path) -> None:
    plain, adapted = load(llama_folder), load(llama_folder)
    attach(adapted, LORA)
    ids = torch.tensor([[1, 60, 61]])
    with torch.no_grad():
        assert torch.equal(plain.model(ids).logits, adapted.model.eval()(ids).logits)


def test_all_trains_every_parameter(llama: Backbone) -> None:
    attach(llama, ALL)
    assert set(trained_parameters(llama)) == {name for name, _ in llama.model.named_parameters()}


def test_frozen_parameters_stay_and_the_head_is_trained_with_either_method(llama_folder: Path) -> None:
    lora, everything = load(llama_folder), load(llama_folder)
    for backbone, spec in ((lora, LORA), (everything, ALL)):
        backbone.head, backbone.frozen = ("model.norm.weight",), ("model.embed_tokens.weight",)
        attach(backbone, spec)
    assert "base_model.model.model.norm.weight" in trained_parameters(lora)
    assert len(trained_parameters(lora)) == 13
    everywhere = {name for name, _ in everything.model.named_parameters()}
    assert set(trained_parameters(everything)) == everywhere - {"model.embed_tokens.weight"}


@pytest.mark.parametrize("spec", [LORA, ALL, replace(LORA, dora=True)], ids=["lora", "all", "dora"])
def test_what_is_saved_comes_back_bit_for_bit(llama_folder: Path, tmp_path: Path, spec: AdapterSpec) -> None:
    first, second = load(llama_folder), load(llama_folder)
    attach(first, spec)
    fill(first)
    assert save_trained(first, tmp_path / "model") == tmp_path / "model" / PARAMETERS
    attach(second, spec)
    load_trained(second, tmp_path / "model")
    saved, loaded = trained_parameters(first), trained_parameters(second)
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)
    ids = torch.tensor([[1, 60, 61]])
    with torch.no_grad():
        assert torch.equal(first.model.eval()(ids).logits, second.model.eval()(ids).logits)


def test_what_training_changes_is_saved_as_a_copy(llama: Backbone, tmp_path: Path) -> None:
    attach(llama, LORA)
    save_trained(llama, tmp_path)
    before = load_file(tmp_path / PARAMETERS)
    fill(llama)
    assert all(torch.equal(before[name], tensor) for name, tensor in load_file(tmp_path / PARAMETERS).items())


@pytest.mark.parametrize(("method", "mebibytes"), [("lora", 2), ("all", 42)])
def test_the_embedded_backbone_saves_no_word_embeddings(tmp_path: Path, method: str, mebibytes: int) -> None:
    pytest.importorskip(PACKAGE, reason="the weights of the embedded backbone are not installed")
    backbone = load("embedded")
    attach(backbone, AdapterSpec(method=method))  # type: ignore[arg-type]
    path = save_trained(backbone, tmp_path)
    names = set(load_file(path))
    assert not [name for name in names if "word_embeddings" in name or "decoder" in name]
    assert set(HEAD) <= {name.removeprefix("base_model.model.") for name in names}
    assert path.stat().st_size < mebibytes * 2**20


def test_targets_that_name_no_module_list_those_that_exist(llama: Backbone) -> None:
    with pytest.raises(UsageError, match=r"adapter\.targets query_key_value name no module; it has: .*q_proj"):
        attach(llama, AdapterSpec(targets=("query_key_value",)))


def test_a_backbone_of_unknown_targets_asks_for_them(llama: Backbone) -> None:
    llama.targets = ()
    with pytest.raises(UsageError, match=r"set adapter\.targets"):
        attach(llama, LORA)


def test_an_unknown_method_lists_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"adapter\.method is 'prefix': choose one of lora, all"):
        AdapterSpec(method="prefix")  # type: ignore[arg-type]


def test_all_linear_adapts_every_layer_but_the_output(llama: Backbone) -> None:
    attach(llama, AdapterSpec(rank=4, targets=("all-linear",)))
    adapted = {name.split(".lora_")[0].rpartition(".")[2] for name in trained_parameters(llama)}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_all_linear_leaves_a_head_to_itself(llama: Backbone) -> None:
    llama.head = ("model.layers.1.mlp.down_proj.weight",)
    attach(llama, AdapterSpec(rank=4, targets=("all-linear",)))
    trained = trained_parameters(llama)
    assert "base_model.model.model.layers.1.mlp.down_proj.weight" in trained
    assert not [name for name in trained if "layers.1.mlp.down_proj.lora" in name]


def test_all_linear_stands_alone() -> None:
    with pytest.raises(UsageError, match="all-linear stands for all layers: give it alone"):
        AdapterSpec(targets=("all-linear", "q_proj"))


def test_dora_learns_a_length_for_each_row(llama: Backbone) -> None:
    weight = llama.model.model.layers[0].self_attn.k_proj.weight.detach().clone()
    attach(llama, AdapterSpec(rank=4, dora=True))
    lengths = trained_parameters(llama)[
        "base_model.model.model.layers.0.self_attn.k_proj.lora_magnitude_vector.default.weight"
    ]
    # Liu et al. 2024, eq. 2: it starts as the norm of the weight's rows.
    assert torch.allclose(lengths, weight.norm(dim=1))


def test_a_spec_says_nothing_of_dora_where_there_is_none() -> None:
    assert "dora" not in LORA.to_json()
    assert AdapterSpec(dora=True).to_json()["dora"] is True


@pytest.mark.parametrize("spec", [LORA, ALL, AdapterSpec(targets=("q_proj",)), AdapterSpec(dora=True)])
def test_a_spec_survives_json(spec: AdapterSpec) -> None:
    assert AdapterSpec.from_json(spec.to_json()) == spec


@pytest.fixture
def saved(llama_folder: Path, tmp_path: Path) -> Path:
    backbone = load(llama_folder)
    attach(backbone, LORA)
    save_trained(backbone, tmp_path)
    return tmp_path


def fault_of(backbone: Backbone, folder: Path, spec: AdapterSpec = LORA) -> str:
    attach(backbone, spec)
    with pytest.raises(ArtefactError) as caught:
        load_trained(backbone, folder)
    assert str(folder / PARAMETERS) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_named(llama: Backbone, tmp_path: Path) -> None:
    assert "no such file: give a folder that a training has written" in fault_of(llama, tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_torn_file_is_damaged(llama: Backbone, saved: Path, kept: int) -> None:
    path = saved / PARAMETERS
    path.write_bytes(path.read_bytes()[:kept])
    assert "is damaged" in fault_of(llama, saved)


def test_a_file_that_holds_something_else_is_damaged(llama: Backbone, saved: Path) -> None:
    (saved / PARAMETERS).write_bytes(b"These are no tensors, whoever says so.")
    assert "is damaged" in fault_of(llama, saved)


def test_shapes_that_do_not_fit_are_listed(llama: Backbone, saved: Path) -> None:
    message = fault_of(llama, saved, AdapterSpec(rank=8))
    assert "does not fit the backbone" in message
    assert "lora_A.default.weight is (4, 32), not (8, 32)" in message
    assert "and 9 more: use the one it was made with" in message


def test_tensors_of_another_adapter_are_listed(llama: Backbone, saved: Path) -> None:
    message = fault_of(llama, saved, ALL)
    assert "lacks model.embed_tokens.weight" in message


def test_a_tensor_too_many_is_named(llama: Backbone, saved: Path) -> None:
    tensors = load_file(saved / PARAMETERS)
    save_file({**tensors, "ghost": torch.zeros(1)}, saved / PARAMETERS)
    assert "has ghost, which the model has not" in fault_of(llama, saved)
