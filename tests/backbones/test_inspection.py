"""What is said of a backbone before its weights are read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from instructerc.backbones.inspection import (
    ALL,
    LORA,
    LORA_4BIT,
    RECOGNITION,
    Inspection,
    free_memory,
    inspect_backbone,
    parameters_text,
    preset_memory,
)
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.memory import PROGRAM
from instructerc.backbones.presets import PRESETS
from instructerc.errors import BackboneError, UnknownNameError
from tests.tiny_models import tiny_bloom


@pytest.fixture(scope="module")
def llama(llama_folder: Path) -> Inspection:
    """As on a machine without bfloat16, where a model as small as this needs more the more of it is trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instructerc.backbones.inspection.computes_bfloat16", lambda device: False)
        return inspect_backbone(str(llama_folder))


def test_a_folder_is_described_as_it_is_loaded(llama: Inspection, llama_folder: Path) -> None:
    loaded = load_backbone(str(llama_folder))
    assert llama.parameters == sum(one.numel() for one in loaded.model.parameters())
    assert (llama.source, llama.revision) == (loaded.source, loaded.revision)
    assert (llama.context, llama.targets, llama.style) == (loaded.context, loaded.targets, loaded.style)
    assert (llama.family, llama.architecture) == ("llama", "LlamaForCausalLM")
    assert llama.device == loaded.device.type


def test_weights_are_found_and_not_read(llama: Inspection, llama_folder: Path) -> None:
    assert llama.weights.files == (llama_folder / "model.safetensors",)
    assert llama.weights.size == (llama_folder / "model.safetensors").stat().st_size
    assert not llama.weights.pickled


def test_what_will_happen_is_said(llama: Inspection) -> None:
    given = replace(llama, room=64 * 2**30)
    assert given.consequences()[:2] == ["reads token trees", f"puts prompts as they are: {llama.style_reason}"]
    assert [line.partition(":")[0] for line in given.consequences()[2:]] == [LORA, LORA_4BIT, ALL, RECOGNITION]
    assert all(": fits, takes about" in line for line in given.consequences()[2:])


def test_batches_come_with_the_reason(tmp_path: Path) -> None:
    found = inspect_backbone(str(tiny_bloom(tmp_path)))
    assert not found.trees
    assert found.consequences()[0].startswith("reads padded batches: model type 'bloom'")


@pytest.mark.parametrize(
    ("fits", "remedies"),
    [
        ((LORA, LORA_4BIT, RECOGNITION), {ALL: "set adapter.method to lora"}),
        (
            (LORA_4BIT, RECOGNITION),
            {
                LORA: "set backbone.quantization to 4bit",
                ALL: "set backbone.quantization to 4bit and adapter.method to lora",
            },
        ),
        ((RECOGNITION,), {LORA_4BIT: "set training.gradient_checkpointing to true", ALL: "take a smaller backbone"}),
        ((), {RECOGNITION: "take a smaller backbone"}),
    ],
)
def test_what_does_not_fit_has_a_remedy(llama: Inspection, fits: tuple[str, ...], remedies: dict[str, str]) -> None:
    room = max((llama.needed(use) for use in fits), default=0)
    given = replace(llama, room=room)
    assert [use for use in given.memory if given.fits(use)] == [
        use for use in given.memory if llama.needed(use) <= room
    ]
    lines = {line.partition(":")[0]: line for line in given.consequences()}
    for use, remedy in remedies.items():
        assert "does not fit" in lines[use]
        assert f": {remedy}" in lines[use]


def test_where_nobody_knows_the_room_nothing_is_claimed(llama: Inspection) -> None:
    given = replace(llama, room=None)
    assert all(map(given.fits, given.memory))
    assert all(": takes about" in line for line in given.consequences()[2:])


def test_the_program_takes_of_the_same_memory_on_a_cpu_alone(llama: Inspection) -> None:
    on_cpu, on_gpu = replace(llama, device="cpu"), replace(llama, device="cuda")
    assert on_cpu.needed(LORA) - on_gpu.needed(LORA) == PROGRAM


def test_it_is_plain_values(llama: Inspection) -> None:
    record = json.loads(json.dumps(llama.to_json()))
    assert record["memory"][LORA]["total"] == llama.memory[LORA].total
    assert record["consequences"] == llama.consequences()


def test_the_embedded_backbone_has_no_four_bits() -> None:
    found = inspect_backbone("embedded")
    assert set(found.memory) == set(preset_memory(PRESETS["embedded"])) == {LORA, ALL, RECOGNITION}
    assert found.weights.files[0].name == "model.safetensors"


def test_an_estimate_from_the_table_is_that_of_the_configuration(llama: Inspection) -> None:
    assert preset_memory(PRESETS["llama2-7b"])[LORA_4BIT].total < preset_memory(PRESETS["llama2-7b"])[LORA].total
    for preset in PRESETS.values():
        memory = preset_memory(preset)
        assert memory[RECOGNITION].total < memory[LORA].total < memory[ALL].total


def test_a_folder_without_its_weights_is_not_usable(llama_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(llama_folder, tmp_path / "llama")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackboneError, match=r"has neither model\.safetensors nor"):
        inspect_backbone(str(folder))


def test_a_shard_that_is_missing_is_named(llama_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(llama_folder, tmp_path / "llama")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}), encoding="utf-8")
    with pytest.raises(BackboneError, match=r"lacks model-00002-of-00002\.safetensors of the 2 files"):
        inspect_backbone(str(folder))


def test_pickles_are_said_to_be_some(llama_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(llama_folder, tmp_path / "llama")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    found = inspect_backbone(str(folder))
    assert found.weights.pickled
    assert "pickles, pytorch_model.bin" in found.weights.text
    assert any(line.startswith("weights are pickles") for line in found.consequences())


def test_what_names_nothing_is_unknown() -> None:
    with pytest.raises(UnknownNameError):
        inspect_backbone("lama2-7b")


def test_free_memory_is_less_than_there_is() -> None:
    free = free_memory("cpu")
    assert free is None or 0 < free < 2**50
    assert free_memory("mps") is None


@pytest.mark.parametrize(("count", "text"), [(22_743_738, "23 M"), (999_885_952, "1.0 B"), (13_015_864_320, "13.0 B")])
def test_parameters_are_said_in_the_unit_that_suits_them(count: int, text: str) -> None:
    assert parameters_text(count) == text
