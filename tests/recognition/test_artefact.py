"""What a training leaves behind, and what a wrong or damaged folder says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from instructerc.backbones.adapters import PARAMETERS, AdapterSpec, attach
from instructerc.errors import ArtefactError
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.artefact import FILE, Artefact, load_artefact, model_hash, read_artefact, save_artefact
from instructerc.testing import TINY_LABELS
from tests.tiny_models import load

SPEC = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=3, stride=2))


def artefact_of(folder: Path, **changes: Any) -> Artefact:
    made = Artefact(
        backbone=str(folder),
        revision=None,
        adapter=AdapterSpec(rank=4),
        prompt=SPEC,
        max_length=200,
        corpus="tiny",
        dtype="float32",
        precision="float32",
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
def saved(llama_folder: Path, tmp_path: Path) -> Path:
    """A run folder with a model in it."""
    backbone, artefact = load(llama_folder), artefact_of(llama_folder)
    assert artefact.adapter is not None
    attach(backbone, artefact.adapter)
    save_artefact(artefact, backbone, tmp_path / "run" / "model")
    return tmp_path / "run"


def rewrite(saved: Path, change: Any) -> None:
    path = saved / "model" / FILE
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")


def fault_of(folder: Path) -> str:
    with pytest.raises(ArtefactError) as caught:
        load_artefact(folder, device="cpu")
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"adapter": None, "revision": "abc", "max_length": None, "mode": "generate"},
        {"adapter": AdapterSpec(method="all", targets=("q_proj",)), "dtype": "auto"},
        {"prompt": PromptSpec(labels=("a", "ü"), speaker_order=("M", "F"), window=Window(size=None))},
        {"temperature": 2.5},
    ],
    ids=str,
)
def test_an_artefact_survives_json(changes: dict[str, Any]) -> None:
    artefact = artefact_of(Path("llama"), **changes)
    assert Artefact.from_json(json.loads(json.dumps(artefact.to_json()))) == artefact


def test_all_parameters_are_trained_in_float32_unless_somebody_says_otherwise() -> None:
    everything = AdapterSpec(method="all")
    assert artefact_of(Path("x"), adapter=everything, dtype="auto").training_dtype == "float32"
    assert artefact_of(Path("x"), adapter=everything, dtype="bfloat16").training_dtype == "bfloat16"
    assert artefact_of(Path("x"), dtype="auto").training_dtype == "auto"


def test_a_saved_artefact_is_found_in_its_folder_and_in_that_of_its_run(saved: Path, llama_folder: Path) -> None:
    expected = artefact_of(llama_folder), saved / "model"
    assert read_artefact(saved) == read_artefact(saved / "model") == expected
    assert {path.name for path in (saved / "model").iterdir()} == {FILE, PARAMETERS}


def test_a_backbone_as_it_came_is_saved_without_tensors(llama_folder: Path, tmp_path: Path) -> None:
    artefact = artefact_of(llama_folder, adapter=None)
    save_artefact(artefact, load(llama_folder), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {FILE}
    found, backbone, _ = load_artefact(tmp_path, device="cpu")
    assert found == artefact
    assert backbone.context == 256


def test_the_hash_changes_with_tensors_prompt_and_backbone_only(saved: Path, llama_folder: Path) -> None:
    artefact, place = read_artefact(saved)
    before = model_hash(artefact, place)
    assert len(before) == 12
    assert model_hash(artefact_of(llama_folder), place) == before
    assert model_hash(artefact_of(Path("other")), place) != before
    assert model_hash(dataclasses.replace(artefact, prompt=PromptSpec(labels=TINY_LABELS)), place) != before
    (place / PARAMETERS).write_bytes((place / PARAMETERS).read_bytes() + b" ")
    assert model_hash(artefact, place) != before


def test_a_folder_without_an_artefact_says_which_folder_to_give(tmp_path: Path) -> None:
    assert f"holds no {FILE}: give the folder of a finished run" in fault_of(tmp_path)
    assert f"holds no {FILE}" in fault_of(tmp_path / "nowhere")


def test_the_folder_of_a_plain_checkpoint_is_no_artefact(llama_folder: Path) -> None:
    assert f"holds no {FILE}" in fault_of(llama_folder)


@pytest.mark.parametrize("version", [2, None, "1"])
def test_another_format_asks_for_the_version_that_wrote_it(saved: Path, version: Any) -> None:
    rewrite(saved, lambda record: record.update(format=version))
    assert f"artefact format {version!r} is not 1: use the instructerc that wrote it" in fault_of(saved)


@pytest.mark.parametrize("content", [b"", b'{"format": 1', b"\xff\xfe"])
def test_torn_json_is_damaged(saved: Path, content: bytes) -> None:
    (saved / "model" / FILE).write_bytes(content)
    assert "is damaged" in fault_of(saved)


@pytest.mark.parametrize("content", ["[]", "1", '"text"', "null"])
def test_json_that_is_no_object_says_so(saved: Path, content: str) -> None:
    (saved / "model" / FILE).write_text(content, encoding="utf-8")
    assert "expected a JSON object" in fault_of(saved)


@pytest.mark.parametrize("key", ["backbone", "adapter", "prompt", "max_length", "mode", "corpus", "dtype", "precision"])
def test_a_missing_key_is_named(saved: Path, key: str) -> None:
    rewrite(saved, lambda record: record.pop(key))
    assert f"is incomplete ({key!r})" in fault_of(saved)


def test_an_unknown_key_of_the_prompt_is_named(saved: Path) -> None:
    rewrite(saved, lambda record: record["prompt"].update(mood="good"))
    assert "'mood'" in fault_of(saved)


def test_missing_tensors_are_named(saved: Path) -> None:
    (saved / "model" / PARAMETERS).unlink()
    assert f"{PARAMETERS}: no such file" in fault_of(saved)


def test_torn_tensors_are_damaged(saved: Path) -> None:
    path = saved / "model" / PARAMETERS
    path.write_bytes(path.read_bytes()[:-10])
    assert f"{PARAMETERS}: is damaged" in fault_of(saved)


def test_a_kill_while_saving_leaves_no_artefact_that_looks_whole(
    saved: Path, llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("instructerc.recognition.artefact.save_trained", killed)
    with pytest.raises(KeyboardInterrupt):
        save_artefact(artefact_of(llama_folder), load(llama_folder), saved / "model")
    assert f"holds no {FILE}" in fault_of(saved)


def test_an_adapter_that_nobody_knows_is_a_damaged_artefact(tmp_path: Path) -> None:
    record = {
        "format": 1,
        "backbone": {"name": "embedded", "revision": None},
        "adapter": {"method": "magic", "rank": 1, "alpha": 1, "dropout": 0.0, "targets": None},
    }
    (tmp_path / "artefact.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"artefact\.json: is incomplete .*magic"):
        read_artefact(tmp_path)


@pytest.mark.parametrize("value", [0, -1, "2", True, None, float("inf")])
def test_a_temperature_that_is_none_is_a_damaged_artefact(saved: Path, value: Any) -> None:
    rewrite(saved, lambda record: record.update(temperature=value))
    assert "temperature" in fault_of(saved)


def test_an_artefact_that_was_never_calibrated_is_written_as_it_always_was(llama_folder: Path) -> None:
    assert "temperature" not in artefact_of(llama_folder).to_json()
