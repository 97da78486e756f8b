"""ChatGLM2 under the names of the library's GLM, and what GLM would compute otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from instructerc.backbones.chatglm.conversion import from_glm, glm_config, to_glm
from instructerc.errors import BackboneError
from tests.chatglm_models import tiny_chatglm2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chatglm2(tmp_path_factory.mktemp("chatglm2"))


@pytest.fixture
def record(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_all_names_are_glms(record: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    from transformers import GlmForCausalLM

    config = glm_config(record, name="x")
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in GlmForCausalLM(config).state_dict().items()}
    assert {name: tensor.shape for name, tensor in to_glm(tensors, config).items()} == expected


def test_the_fused_projection_is_queries_then_keys_then_values(
    record: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> None:
    name = "transformer.encoder.layers.1.self_attention.query_key_value.bias"
    tensors[name] = torch.arange(64.0)
    made = to_glm(tensors, glm_config(record, name="x"))
    projections = [made[f"model.layers.1.self_attn.{letter}_proj.bias"].tolist() for letter in "qkv"]
    assert projections == [list(range(32)), list(range(32, 48)), list(range(48, 64))]


def test_there_and_back_is_the_same(record: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    back = from_glm(to_glm(tensors, glm_config(record, name="x")))
    del tensors["transformer.rotary_pos_emb.inv_freq"]
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_what_is_not_known_keeps_its_name_both_ways(record: dict[str, Any]) -> None:
    strange = {"transformer.encoder.layers.0.adapter.weight": torch.ones(1), "else.weight": torch.ones(1)}
    assert set(to_glm(strange, glm_config(record, name="x"))) == {"model.layers.0.adapter.weight", "else.weight"}
    assert set(from_glm({"else.weight": torch.ones(1)})) == {"else.weight"}


def test_a_projection_of_other_sizes_is_refused(record: dict[str, Any]) -> None:
    tensors = {"transformer.encoder.layers.0.self_attention.query_key_value.weight": torch.ones(96, 32)}
    with pytest.raises(ValueError, match=r"has 96 rows, the sizes in config\.json make it 64"):
        to_glm(tensors, glm_config(record, name="x"))


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("multi_query_attention", False, "choose another backbone"),
        ("rmsnorm", False, "choose another backbone"),
        ("post_layer_norm", False, "choose another backbone"),
        ("add_bias_linear", True, "choose another backbone"),
        ("apply_residual_connection_post_layernorm", True, "choose another backbone"),
        ("fp32_residual_connection", True, "choose another backbone"),
        ("original_rope", False, "choose another backbone"),
        ("hidden_dropout", 0.1, "choose another backbone"),
        ("rope_ratio", 50, "choose another backbone"),
        ("quantization_bit", 4, "set backbone.quantization"),
        ("pre_seq_len", 128, "without a P-Tuning prefix"),
    ],
)
def test_what_glm_would_compute_otherwise_is_refused(record: dict[str, Any], key: str, value: Any, remedy: str) -> None:
    with pytest.raises(BackboneError, match=rf"x: has {key} {value!r} in its config.json, .*{remedy}"):
        glm_config({**record, key: value}, name="x")


def test_the_originals_defaults_are_what_a_missing_key_means(record: dict[str, Any]) -> None:
    without = {key: value for key, value in record.items() if key not in ("multi_query_attention", "add_qkv_bias")}
    with pytest.raises(BackboneError, match="has multi_query_attention False"):
        glm_config(without, name="x")
    assert not glm_config({**without, "multi_query_attention": True}, name="x").attention_bias


def test_a_missing_size_is_named(record: dict[str, Any]) -> None:
    del record["ffn_hidden_size"]
    with pytest.raises(BackboneError, match=r"x: its config.json lacks ffn_hidden_size"):
        glm_config(record, name="x")


def test_off_may_be_written_in_several_ways(record: dict[str, Any]) -> None:
    off = {"quantization_bit": None, "pre_seq_len": None, "hidden_dropout": 0, "add_bias_linear": None}
    assert glm_config({**record, **off}, name="x").vocab_size == record["padded_vocab_size"]
