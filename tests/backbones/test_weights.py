"""Weight files of ordinary checkpoints: which are read, and what missing and torn ones say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from instructerc.backbones.weights import check_weights, in_folder, read_tensors, weight_files
from instructerc.errors import BackboneError
from tests.chatglm_models import shard
from tests.tiny_models import load


@pytest.fixture
def folder(llama_folder: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint that a test may damage."""
    return Path(shutil.copytree(llama_folder, tmp_path / "llama"))


def message_of(folder: Path) -> str:
    with pytest.raises(BackboneError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{folder}: ")
    return str(caught.value).removeprefix(f"{folder}: ")


@pytest.mark.parametrize("pickled", [True, False], ids=["bin", "safetensors"])
def test_shards_are_read(folder: Path, pickled: bool) -> None:
    expected = load(folder).model.state_dict()
    files = shard(folder, pickled=pickled, count=3)
    assert weight_files("x", in_folder(folder)) == files
    given = load(folder).model.state_dict()
    assert all(torch.equal(given[name], tensor) for name, tensor in expected.items())
    read = read_tensors(files)
    assert all(torch.equal(expected[name], tensor) for name, tensor in read.items())


def test_safetensors_come_before_pickles(folder: Path) -> None:
    torch.save({}, folder / "pytorch_model.bin")
    assert weight_files("x", in_folder(folder)) == [folder / "model.safetensors"]


@pytest.mark.parametrize("pickled", [True, False], ids=["bin", "safetensors"])
def test_missing_shards_are_named(folder: Path, pickled: bool) -> None:
    files = shard(folder, pickled=pickled, count=6)
    for path in files[1:]:
        path.unlink()
    message = message_of(folder)
    assert message.startswith(
        f"lacks {files[1].name}, {files[2].name}, {files[3].name} and 2 more of the 6 files that "
    )
    assert message.endswith(".index.json names: copy them as well")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"weight_map": 1}'])
def test_a_damaged_index_is_named(folder: Path, content: str) -> None:
    shard(folder, pickled=False)
    (folder / "model.safetensors.index.json").write_text(content, encoding="utf-8")
    assert message_of(folder) == "model.safetensors.index.json is damaged: copy it again"


def test_an_index_names_no_file_outside_of_the_folder(folder: Path) -> None:
    shard(folder, pickled=False)
    index = json.dumps({"weight_map": {"lm_head.weight": "../model.safetensors"}})
    (folder / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    assert message_of(folder).startswith("lacks ../model.safetensors of the 1 files")


def test_no_weights_at_all_say_which_are_looked_for(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    message = "has neither model.safetensors nor pytorch_model.bin, nor an index of several: copy the checkpoint again"
    assert message_of(folder) == message
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "x"}', encoding="utf-8")
    assert message_of(folder).startswith("holds an adapter and no model.safetensors: give the model")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def replace_with_text(path: Path) -> None:
    path.write_bytes(b"<html>404: not found, please log in and try again</html>")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "bytes, its header says"),
        (append, "bytes, its header says"),
        (cut_header, "is damaged, or no safetensors file"),
        (empty, "is damaged, or no safetensors file"),
        (replace_with_text, "is damaged, or no safetensors file"),
    ],
)
def test_damaged_safetensors_are_named(folder: Path, damage: Callable[[Path], None], message: str) -> None:
    files = shard(folder, pickled=False)
    damage(files[1])
    said = message_of(folder)
    assert said.startswith("cannot be loaded: model-00002-of-00002.safetensors ")
    assert message in said


@pytest.mark.parametrize("pickled", [True, False], ids=["bin", "safetensors"])
def test_a_pointer_of_git_lfs_says_what_to_run(folder: Path, pickled: bool) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    shard(folder, pickled=pickled)[0].write_bytes(pointer)
    assert "is a pointer of Git LFS, not the weights: run `git lfs pull` in the folder" in message_of(folder)


def test_a_torn_pickle_is_named(folder: Path) -> None:
    path = shard(folder, pickled=True)[1]
    cut(path)
    assert "cannot be loaded" in message_of(folder)


def test_sizes_that_do_not_fit_the_configuration_say_so(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    tensors[name] = torch.zeros(3, 32)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    message = message_of(folder)
    assert name in message
    assert "the sizes in config.json" in message


def test_whole_files_pass(llama_folder: Path) -> None:
    check_weights("x", weight_files("x", in_folder(llama_folder)))


@pytest.mark.parametrize(
    ("model_type", "architecture", "kind"),
    [
        ("bart", "BartForConditionalGeneration", "it is an encoder with a decoder"),
        ("t5", "T5ForConditionalGeneration", "it is an encoder with a decoder"),
        ("vit", "ViTForImageClassification", "models of type 'vit' are none"),
        ("llama", "LlamaForSequenceClassification", "it was made as LlamaForSequenceClassification"),
        ("bert", "BertForMaskedLM", "it was made as BertForMaskedLM"),
    ],
)
def test_checkpoints_of_other_kinds_are_refused(folder: Path, model_type: str, architecture: str, kind: str) -> None:
    path = folder / "config.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    changes = {"model_type": model_type, "architectures": [architecture]}
    path.write_text(json.dumps({**record, **changes}), encoding="utf-8")
    message = f"cannot be loaded as a causal language model ({kind}): choose a checkpoint that was made as one"
    assert message_of(folder) == message
