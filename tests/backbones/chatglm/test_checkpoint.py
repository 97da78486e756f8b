"""ChatGLM from checkpoint folders as users have them, and what each damaged one says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from instructerc.backbones.abilities import tree_ability
from instructerc.backbones.batching import use_trees
from instructerc.backbones.chatglm.tokenizer import FILES
from instructerc.backbones.loading import count_parameters, load_backbone, load_skeleton, load_tokenizer
from instructerc.errors import BackboneError
from tests.chatglm_models import CONTEXT, TINY, pieces, sentencepiece_model, shard, tiny_chatglm
from tests.tiny_models import load

VERSIONS = [1, 2]
TYPES = {1: "ChatGLMForCausalLM", 2: "GlmForCausalLM"}
TARGETS = {1: ("query_key_value",), 2: ("q_proj", "k_proj", "v_proj")}
LAST = {1: "transformer.final_layernorm.weight", 2: "transformer.encoder.final_layernorm.weight"}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """To be read only."""
    return {version: TINY[version](tmp_path_factory.mktemp("original")) for version in VERSIONS}


@pytest.fixture
def copy_of(originals: dict[int, Path], tmp_path: Path) -> Callable[[int], Path]:
    """A copy of a checkpoint, which a test may damage."""
    return lambda version: Path(shutil.copytree(originals[version], tmp_path / f"chatglm{version}"))


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    record = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    kept = {key: value for key, value in record.items() if value is not ...}
    path.write_text(json.dumps(kept), encoding="utf-8")


def message_of(folder: Path, load: Callable[[Path], Any] = load) -> str:
    with pytest.raises(BackboneError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    return message.removeprefix(f"{folder}: ")


def logits(folder: Path) -> torch.Tensor:
    backbone = load(folder)
    ids = backbone.tokenizer("We won the match!", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        output: torch.Tensor = backbone.model(input_ids=ids).logits
    return output


@pytest.mark.parametrize("version", VERSIONS)
def test_a_folder_is_a_backbone(originals: dict[int, Path], version: int) -> None:
    backbone = load(originals[version])
    assert type(backbone.model).__name__ == TYPES[version]
    assert (backbone.context, backbone.targets, backbone.revision) == (CONTEXT, TARGETS[version], None)
    assert backbone.source == str(originals[version])
    assert backbone.accepts("position_ids") == (version == 2)
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.float32}
    assert not backbone.model.training


def test_the_first_version_reads_padded_batches_and_the_second_token_trees(originals: dict[int, Path]) -> None:
    assert not tree_ability(load(originals[1])).able
    assert use_trees(load(originals[2]), "tree")


@pytest.mark.parametrize("version", VERSIONS)
def test_parts_are_had_without_weights(copy_of: Callable[[int], Path], version: int) -> None:
    folder = copy_of(version)
    whole = load(folder)
    (folder / "model.safetensors").unlink()
    skeleton = load_skeleton(str(folder), attention="eager")
    assert type(skeleton.model) is type(whole.model)
    assert skeleton.targets == whole.targets
    assert tree_ability(skeleton).able == tree_ability(whole).able
    assert count_parameters(skeleton) == count_parameters(whole)
    assert skeleton.model.config._attn_implementation == "eager"
    tokenizer, context = load_tokenizer(str(folder))
    assert (tokenizer("joy")["input_ids"], context) == (whole.tokenizer("joy")["input_ids"], CONTEXT)


@pytest.mark.parametrize("pickled", [True, False], ids=["bin", "safetensors"])
@pytest.mark.parametrize("version", VERSIONS)
def test_weights_may_be_in_shards(copy_of: Callable[[int], Path], version: int, pickled: bool) -> None:
    folder = copy_of(version)
    expected = logits(folder)
    shard(folder, pickled=pickled)
    assert torch.equal(logits(folder), expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pickle_of_the_oldest_kind_is_read(copy_of: Callable[[int], Path], version: int) -> None:
    folder = copy_of(version)
    expected = logits(folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert torch.equal(logits(folder), expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_saved_here_is_loaded_again(originals: dict[int, Path], version: int, tmp_path: Path) -> None:
    backbone = load(originals[version])
    backbone.model.save_pretrained(tmp_path)
    backbone.tokenizer.save_pretrained(tmp_path)
    assert FILES[version] not in {path.name for path in tmp_path.iterdir()}
    assert "auto_map" not in (tmp_path / "config.json").read_text(encoding="utf-8")
    assert torch.equal(logits(tmp_path), logits(originals[version]))
    again = load(tmp_path)
    assert type(again.model) is type(backbone.model)
    assert (again.context, again.targets) == (backbone.context, backbone.targets)
    text = "two\n lines  of </s> <sop> text"
    assert again.tokenizer(text)["input_ids"] == backbone.tokenizer(text)["input_ids"]


def test_a_head_that_is_not_the_embedding_is_not_read(copy_of: Callable[[int], Path]) -> None:
    folder = copy_of(1)
    expected = logits(folder)
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, "lm_head.weight": tensors["lm_head.weight"] + 1}, folder / "model.safetensors")
    assert torch.equal(logits(folder), expected)
    del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors")
    assert torch.equal(logits(folder), expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_weights_are_held_in_the_type_that_was_asked_for(originals: dict[int, Path], version: int) -> None:
    backbone = load_backbone(str(originals[version]), dtype="float16", device="cpu")
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.float16}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_tokenizer_file_is_named(copy_of: Callable[[int], Path], version: int) -> None:
    folder = copy_of(version)
    (folder / FILES[version]).unlink()
    assert message_of(folder).startswith(f"lacks {FILES[version]}, the SentencePiece model of its tokenizer")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_shard_is_named(copy_of: Callable[[int], Path], version: int) -> None:
    folder = copy_of(version)
    shard(folder, pickled=True)[1].unlink()
    assert message_of(folder) == (
        "lacks pytorch_model-00002-of-00002.bin of the 2 files that pytorch_model.bin.index.json names: "
        "copy them as well"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_tensor_is_not_filled_with_random_numbers(copy_of: Callable[[int], Path], version: int) -> None:
    folder = copy_of(version)
    tensors = load_file(folder / "model.safetensors")
    del tensors[LAST[version]]
    save_file(tensors, folder / "model.safetensors")
    assert "its weights lack " in message_of(folder)


@pytest.mark.parametrize(("version", "key"), [(1, "inner_hidden_size"), (2, "ffn_hidden_size"), (2, "kv_channels")])
def test_weights_of_other_sizes_are_refused(copy_of: Callable[[int], Path], version: int, key: str) -> None:
    folder = copy_of(version)
    change_config(folder, **{key: 48})
    assert "the sizes in config.json" in message_of(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pre_seq_len": 128}, "has pre_seq_len 128 in its config.json, a P-Tuning prefix"),
        ({"quantization_bit": 4}, "has quantization_bit 4 in its config.json"),
        ({"position_encoding_2d": False}, "has position_encoding_2d off"),
        ({"gmask_token_id": ...}, "its config.json lacks gmask_token_id"),
        ({"gmask_token_id": 150001}, "[gMASK] is 150001 in its config.json and 5 in its tokenizer"),
        ({"eos_token_id": 2}, "<eop> is 2 in its config.json"),
        ({"vocab_size": 100}, "tokens, its model 100: take all files from one checkpoint"),
        (
            {"inner_hidden_size": ..., "position_encoding_2d": ...},
            "its config.json says chatglm, and has the keys of none",
        ),
        ({"architectures": ["ChatGLMForSequenceClassification"]}, "was made as ChatGLMForSequenceClassification"),
    ],
    ids=str,
)
def test_a_first_version_that_cannot_be_exact_is_refused(
    copy_of: Callable[[int], Path], changes: dict[str, Any], message: str
) -> None:
    assert pieces(1)["[gMASK]"] == 5
    folder = copy_of(1)
    change_config(folder, **changes)
    assert message in message_of(folder)
    assert message in message_of(folder, lambda folder: load_skeleton(str(folder)))


def test_a_second_version_that_cannot_be_exact_is_refused(copy_of: Callable[[int], Path]) -> None:
    folder = copy_of(2)
    change_config(folder, rope_ratio=50)
    assert "has rope_ratio 50 in its config.json, and only 1 is known to be exact" in message_of(folder)
    change_config(folder, rope_ratio=1, eos_token_id=7)
    assert "</s> is 7 in its config.json and 2 in its tokenizer" in message_of(folder)


def test_the_tokenizer_of_another_model_is_refused(copy_of: Callable[[int], Path]) -> None:
    folder = copy_of(1)
    (folder / FILES[1]).write_bytes(sentencepiece_model(2))
    message = message_of(folder / FILES[1], lambda _: load(folder))
    assert message.startswith("lacks <pad>, <n>, [MASK]")


def test_the_third_version_is_read_as_the_second(copy_of: Callable[[int], Path]) -> None:
    folder = copy_of(2)
    expected = logits(folder)
    change_config(folder, _name_or_path="THUDM/chatglm3-6b", classifier_dropout=None)
    assert torch.equal(logits(folder), expected)


@pytest.mark.parametrize("name", ["THUDM/chatglm-6b", "zai-org/chatglm2-6b"])
def test_a_hub_id_says_what_to_do_while_downloads_are_off(name: str) -> None:
    with pytest.raises(BackboneError, match=rf"the hub did not deliver {name} .*unset HF_HUB_OFFLINE, or give a local"):
        load_backbone(name)


def test_no_code_of_the_checkpoint_is_run(copy_of: Callable[[int], Path]) -> None:
    folder = copy_of(1)
    mark = folder / "it-ran"
    for name in ("configuration_chatglm", "modeling_chatglm", "tokenization_chatglm"):
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n", encoding="utf-8")
    load(folder)
    assert not mark.exists()


def test_the_layout_of_the_hub_cache_is_read(
    originals: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was downloaded before is found while downloads are off: a folder of links into the cache."""
    from huggingface_hub import constants

    commit = "8b7d33596d18c5e83e2da052d05ca4db02e60620"
    for version in VERSIONS:
        repository = tmp_path / f"models--somebody--chatglm{version}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(commit, encoding="utf-8")
        shutil.copytree(originals[version], repository / "snapshots" / commit)
    shard(tmp_path / "models--somebody--chatglm2" / "snapshots" / commit, pickled=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for version in VERSIONS:
        backbone = load(f"somebody/chatglm{version}")
        assert backbone.revision == commit
        assert type(backbone.model).__name__ == TYPES[version]


def test_a_tiny_model_may_have_other_sizes(tmp_path: Path) -> None:
    assert load(tiny_chatglm(tmp_path, num_layers=1, num_attention_heads=2)).context == CONTEXT
