"""From a name to a loaded backbone, and what each wrong name or folder says."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from instructerc.backbones.abilities import tree_ability
from instructerc.backbones.loading import best_device, count_parameters, load_backbone, load_skeleton, prepare_tokenizer
from instructerc.backbones.presets import PRESETS
from instructerc.errors import BackboneError, UnknownNameError, UsageError
from instructerc.testing import tiny_llama
from tests.tiny_models import load, tiny_bloom, tiny_family


@pytest.fixture
def folder(llama_folder: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint that a test may damage."""
    return Path(shutil.copytree(llama_folder, tmp_path / "llama"))


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def message_of(folder: Path) -> str:
    with pytest.raises(BackboneError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_a_local_folder_is_a_backbone(llama_folder: Path) -> None:
    backbone = load(llama_folder)
    assert backbone.name == backbone.source == str(llama_folder)
    assert (backbone.revision, backbone.context) == (None, 256)
    assert backbone.targets == ("q_proj", "k_proj", "v_proj")
    assert (backbone.head, backbone.frozen) == ((), ())
    assert not backbone.model.training
    assert backbone.device == torch.device("cpu")


def test_targets_of_another_family_are_found(tmp_path: Path) -> None:
    assert load(tiny_bloom(tmp_path)).targets == ("query_key_value",)


def test_the_tokenizers_limit_counts_where_it_is_the_lower_one(folder: Path) -> None:
    change_config(folder, max_position_embeddings=64)
    assert load(folder).context == 64
    change_config(folder, max_position_embeddings=4096)
    assert load(folder).context == 256


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_weights_are_held_in_the_type_that_was_asked_for(llama_folder: Path, dtype: Any) -> None:
    backbone = load_backbone(str(llama_folder), dtype=dtype, device="cpu")
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {getattr(torch, dtype)}


def test_autocast_is_for_float32_weights_only(llama_folder: Path) -> None:
    def autocast(dtype: Any, precision: Any) -> bool:
        return load_backbone(str(llama_folder), dtype=dtype, precision=precision, device="cpu").autocast

    assert autocast("float32", "bf16")
    assert not autocast("float32", "float32")
    assert not autocast("bfloat16", "bf16")


def test_computing_is_in_bfloat16_where_autocast_is_on(llama_folder: Path) -> None:
    backbone = load_backbone(str(llama_folder), dtype="float32", precision="bf16", device="cpu")
    with torch.no_grad(), backbone.computing():
        assert backbone.model(torch.tensor([[1, 2]])).logits.dtype == torch.bfloat16
    backbone.autocast = False
    with torch.no_grad(), backbone.computing():
        assert backbone.model(torch.tensor([[1, 2]])).logits.dtype == torch.float32


@pytest.mark.parametrize("setting", ["dtype", "precision"])
def test_an_unknown_type_lists_those_that_exist(llama_folder: Path, setting: str) -> None:
    with pytest.raises(UsageError, match=rf"{setting} is 'float8': choose one of auto"):
        load_backbone(str(llama_folder), **{setting: "float8"})  # type: ignore[arg-type]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_attention_is_the_one_that_was_asked_for(llama_folder: Path, attention: Any) -> None:
    assert load(llama_folder).model.config._attn_implementation == "sdpa"
    backbone = load_backbone(str(llama_folder), device="cpu", attention=attention)
    assert backbone.model.config._attn_implementation == attention


def test_attention_that_caps_its_scores_is_never_left_to_sdpa(tmp_path: Path) -> None:
    assert load(tiny_family("gemma2, mixed", tmp_path)).model.config._attn_implementation == "eager"


def test_an_unknown_attention_lists_those_that_exist(llama_folder: Path) -> None:
    with pytest.raises(UsageError, match="attention is 'flash': choose one of auto, sdpa, eager, flex"):
        load_backbone(str(llama_folder), device="cpu", attention="flash")  # type: ignore[arg-type]


def test_flex_attention_is_for_gpus(llama_folder: Path) -> None:
    with pytest.raises(UsageError, match="attention is 'flex' on cpu: it needs an NVIDIA or AMD GPU: set it to auto"):
        load_backbone(str(llama_folder), device="cpu", attention="flex")


@pytest.mark.parametrize(("family", "attention"), [("bloom", "sdpa"), ("gemma2, mixed", "sdpa")])
def test_an_attention_that_a_model_has_not_is_refused(family: str, attention: Any, tmp_path: Path) -> None:
    folder = tiny_bloom(tmp_path) if family == "bloom" else tiny_family(family, tmp_path)
    message = rf"models of type '{family[:5]}\w*' have no {attention} attention: set backbone.attention to auto"
    with pytest.raises(BackboneError, match=message):
        load_backbone(str(folder), device="cpu", attention=attention)


@pytest.mark.parametrize("build", [tiny_llama, tiny_bloom])
def test_a_skeleton_is_a_backbone_without_weights(build: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = build(tmp_path)
    whole, skeleton = load(folder), load_skeleton(str(folder), attention="eager")
    assert (skeleton.context, skeleton.targets) == (whole.context, whole.targets)
    assert skeleton.device == torch.device(best_device())
    assert tree_ability(skeleton) == tree_ability(whole)
    assert skeleton.model.config._attn_implementation == "eager"
    assert count_parameters(skeleton) == count_parameters(whole)
    assert all(parameter.is_meta for parameter in skeleton.model.parameters())


def test_a_skeleton_of_no_causal_language_model_is_refused(folder: Path) -> None:
    change_config(folder, model_type="vit", architectures=["ViTModel"])
    with pytest.raises(BackboneError, match="cannot be loaded as a causal language model"):
        load_skeleton(str(folder))


def test_a_folder_without_a_config_says_so(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert "has no config.json: give a folder that holds a transformers checkpoint" in message_of(folder)


def test_a_damaged_config_is_a_backbone_error(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llama"', encoding="utf-8")
    assert "cannot be loaded as a causal language model" in message_of(folder)


@pytest.mark.parametrize("model_type", ["t5", "nobody-knows-this"])
def test_a_model_that_is_no_causal_language_model_is_refused(folder: Path, model_type: str) -> None:
    change_config(folder, model_type=model_type, architectures=["Other"])
    assert "cannot be loaded as a causal language model" in message_of(folder)


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "model.safetensors" in message_of(folder)


def test_torn_weights_are_a_backbone_error(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "cannot be loaded" in message_of(folder)


def test_a_missing_tensor_is_not_filled_with_random_numbers(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.self_attn.q_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    assert "its weights lack model.layers.1.self_attn.q_proj.weight" in message_of(folder)


def test_weights_of_other_sizes_are_a_backbone_error(folder: Path) -> None:
    change_config(folder, intermediate_size=48)
    assert "cannot be loaded" in message_of(folder)


def test_a_missing_tokenizer_is_a_backbone_error(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert "cannot be loaded" in message_of(folder)


class Malicious:
    """A pickle of it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    mark = folder / "it-ran"
    refused = "a pickle that holds more than tensors, and could run code: refused"
    torch.save({"model.embed_tokens.weight": Malicious(f"touch {mark}")}, folder / "pytorch_model.bin")
    assert refused in message_of(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Malicious(f"touch {mark}"), protocol=2))
    assert refused in message_of(folder)
    assert not mark.exists()


def test_weights_in_a_plain_pickle_are_read(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert load(folder).context == 256


def test_code_that_a_checkpoint_brings_along_is_not_run(folder: Path) -> None:
    mark = folder / "it-ran"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Evil: ...\n", encoding="utf-8")
    change_config(folder, model_type="evil", auto_map={"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"})
    message_of(folder)
    assert not mark.exists()


@pytest.mark.parametrize(("name", "known"), [("embeded", "embedded"), ("lama2-7b", "llama2-7b")])
def test_an_unknown_name_gets_a_suggestion(name: str, known: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"{name!r}.*did you mean '{known}'"):
        load_backbone(name)


@pytest.mark.parametrize("name", ["no/such/folder", "./runs/model", "/nowhere/model", "~/model"])
def test_a_path_that_does_not_exist_is_no_hub_id(name: str) -> None:
    with pytest.raises(UnknownNameError, match="no preset, no folder, no hub id"):
        load_backbone(name)


@pytest.mark.parametrize("name", ["somebody/unheard-of", "Qwen/Qwen3-0.6B", PRESETS["bloom-560m"].source])
def test_a_hub_id_says_what_to_do_while_downloads_are_off(name: str) -> None:
    with pytest.raises(BackboneError, match=rf"the hub did not deliver {name} .*unset HF_HUB_OFFLINE, or give a local"):
        load_backbone(name)


def test_text_of_users_does_not_become_a_control_token(llama_folder: Path) -> None:
    tokenizer = load(llama_folder).tokenizer
    assert tokenizer.eos_token_id not in tokenizer("</s>", add_special_tokens=False)["input_ids"]


def test_the_unknown_token_pads_where_there_is_no_padding_token(llama_folder: Path) -> None:
    tokenizer = load(llama_folder).tokenizer
    assert (tokenizer.pad_token, tokenizer.padding_side) == ("<unk>", "left")


def test_the_end_token_pads_where_there_is_no_unknown_token_either(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config["unk_token"]
    path.write_text(json.dumps(config), encoding="utf-8")
    assert load(folder).tokenizer.pad_token == "</s>"


def test_a_tokenizer_without_an_end_token_is_refused(llama_folder: Path) -> None:
    tokenizer = load(llama_folder).tokenizer
    tokenizer.eos_token = None
    with pytest.raises(BackboneError, match="no end token"):
        prepare_tokenizer(tokenizer)
