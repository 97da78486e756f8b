"""A merged model answers as the trained one, stands alone wherever it lies, and is a plain checkpoint."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.adapters import AdapterSpec
from instructerc.backbones.loading import load_backbone
from instructerc.errors import ArtefactError, UsageError
from instructerc.recognition.artefact import FILE, HERE, load_artefact, read_artefact
from instructerc.recognition.merging import compare_answers, write_merged
from instructerc.recognition.predictions import TurnPrediction
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_corpus, tiny_llama
from tests.recognition.trained import trained

SPECS = {
    "lora": AdapterSpec(rank=4, alpha=8),
    "dora everywhere": AdapterSpec(rank=4, dora=True, targets=("all-linear",)),
    "all": AdapterSpec(method="all"),
}


def answers(folder: Path) -> list[TurnPrediction]:
    recognizer = EmotionRecognizer.from_pretrained(folder, device="cpu")
    return [row for chat in tiny_corpus().test for row in recognizer.recognize(chat)]


def merged(folder: Path, target: Path, **options: Any) -> Path:
    target.mkdir()
    write_merged(folder, target, **options)
    return target


@pytest.mark.parametrize("name", SPECS)
def test_a_merged_model_answers_as_the_trained_one(llama_folder: Path, tmp_path: Path, name: str) -> None:
    before = trained(llama_folder, tmp_path / "trained", SPECS[name])
    found = compare_answers(answers(before), answers(merged(before, tmp_path / "merged")))
    assert found.turns == 24
    assert found.changed == 0
    assert found.probability is not None
    assert found.probability < 1e-4


def test_what_was_trained_shows_in_the_merged_weights(llama_folder: Path, tmp_path: Path) -> None:
    """W + alpha / rank · B A, computed by hand."""
    from safetensors.torch import load_file

    before = trained(llama_folder, tmp_path / "trained", SPECS["lora"])
    after = load_file(merged(before, tmp_path / "merged") / "model.safetensors")
    base, learned = load_file(llama_folder / "model.safetensors"), load_file(before / "parameters.safetensors")
    name = "model.layers.1.self_attn.q_proj"
    update = (
        learned[f"base_model.model.{name}.lora_B.default.weight"]
        @ learned[f"base_model.model.{name}.lora_A.default.weight"]
    )
    assert torch.allclose(after[f"{name}.weight"], base[f"{name}.weight"] + 2 * update, atol=1e-6)
    assert torch.equal(after["model.layers.1.mlp.up_proj.weight"], base["model.layers.1.mlp.up_proj.weight"])


@pytest.mark.parametrize(("quantization", "close"), [("4bit", 1e-4), ("8bit", 0.2)])
def test_quantised_weights_are_unpacked_and_not_loaded_anew(
    llama_folder: Path, tmp_path: Path, quantization: Any, close: float
) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes (extra `quantize`) is not installed")
    before = trained(llama_folder, tmp_path / "trained", SPECS["lora"], quantization=quantization)
    after = merged(before, tmp_path / "merged")
    assert read_artefact(after)[0].quantization == "none"
    assert "quantization_config" not in (after / "config.json").read_text(encoding="utf-8")
    found = compare_answers(answers(before), answers(after))
    assert found.probability is not None
    # 8-bit layers round their inputs too, which plain ones do not.
    assert found.probability < close


def test_it_stands_alone_wherever_it_lies(tmp_path: Path) -> None:
    base = tiny_llama(tmp_path / "base")
    before = trained(base, tmp_path / "trained")
    expected = answers(before)
    after = merged(before, tmp_path / "merged")
    shutil.rmtree(base)
    shutil.rmtree(before)
    moved = after.rename(tmp_path / "elsewhere")
    assert compare_answers(expected, answers(moved)).changed == 0
    assert str(tmp_path) not in "".join(path.read_text(encoding="utf-8") for path in moved.glob("*.json"))


def test_it_is_a_plain_checkpoint(llama_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    after = merged(trained(llama_folder, tmp_path / "trained"), tmp_path / "merged")
    model, loaded = AutoModelForCausalLM.from_pretrained(after, output_loading_info=True)
    assert not loaded["missing_keys"]
    assert not loaded["unexpected_keys"]
    own = load_backbone(str(after), dtype="float32", device="cpu")
    ids = torch.tensor([[1, 60, 61]])
    with torch.no_grad():
        assert torch.equal(model(ids).logits, own.model(ids).logits)
    text = "Any news today? </s>"
    theirs, original = AutoTokenizer.from_pretrained(after), AutoTokenizer.from_pretrained(llama_folder)
    assert theirs(text).input_ids == original(text).input_ids


def test_the_artefact_knows_where_it_comes_from(llama_folder: Path, tmp_path: Path) -> None:
    before = trained(llama_folder, tmp_path / "trained", SPECS["dora everywhere"])
    _, _, name = load_artefact(before, device="cpu")
    after, _ = read_artefact(merged(before, tmp_path / "merged"))
    assert (after.backbone, after.revision, after.adapter, after.dtype) == (HERE, None, None, "float32")
    assert after.merged is not None
    assert (after.merged.backbone, after.merged.adapter, after.merged.model) == (
        llama_folder.name,
        SPECS["dora everywhere"],
        name,
    )
    assert after.trained
    assert EmotionRecognizer.from_pretrained(tmp_path / "merged", device="cpu").tasks == ("recognition", "prediction")


def test_two_trainings_of_one_backbone_have_two_hashes(llama_folder: Path, tmp_path: Path) -> None:
    names = set()
    for rank in (2, 4):
        before = trained(llama_folder, tmp_path / f"trained-{rank}", AdapterSpec(rank=rank))
        names.add(load_artefact(merged(before, tmp_path / f"merged-{rank}"), device="cpu")[2])
    assert len(names) == 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_are_written_in_the_type_that_was_asked_for(llama_folder: Path, tmp_path: Path, dtype: Any) -> None:
    from safetensors.torch import load_file

    after = merged(trained(llama_folder, tmp_path / "trained"), tmp_path / "merged", dtype=dtype)
    assert {str(tensor.dtype) for tensor in load_file(after / "model.safetensors").values()} == {f"torch.{dtype}"}
    assert read_artefact(after)[0].dtype == dtype
    loaded = EmotionRecognizer.from_pretrained(after, device="cpu").backbone
    assert str(next(loaded.model.parameters()).dtype) == f"torch.{dtype}"


def test_the_settings_of_generation_are_the_base_models(tmp_path: Path) -> None:
    base = tiny_llama(tmp_path / "base")
    path = base / "generation_config.json"
    own = {**json.loads(path.read_text(encoding="utf-8")), "do_sample": True, "temperature": 0.3}
    path.write_text(json.dumps(own), encoding="utf-8")
    after = merged(trained(base, tmp_path / "trained"), tmp_path / "merged")
    assert json.loads((after / "generation_config.json").read_text(encoding="utf-8"))["temperature"] == 0.3


def test_what_is_merged_is_not_merged_again(llama_folder: Path, tmp_path: Path) -> None:
    after = merged(trained(llama_folder, tmp_path / "trained"), tmp_path / "merged")
    with pytest.raises(UsageError, match="is merged already: use it as it is"):
        merged(after, tmp_path / "again")


def test_a_backbone_as_it_came_has_nothing_to_merge(llama_folder: Path, tmp_path: Path) -> None:
    before = trained(llama_folder, tmp_path / "trained")
    record = json.loads((before / FILE).read_text(encoding="utf-8"))
    (before / FILE).write_text(json.dumps({**record, "adapter": None}), encoding="utf-8")
    with pytest.raises(UsageError, match="nothing was trained, so there is nothing to merge"):
        merged(before, tmp_path / "merged")


def test_the_embedded_backbone_is_passed_on_as_it_is(llama_folder: Path, tmp_path: Path) -> None:
    before = trained(llama_folder, tmp_path / "trained")
    record = json.loads((before / FILE).read_text(encoding="utf-8"))
    record["backbone"]["name"] = "embedded"
    (before / FILE).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(UsageError, match="has a head that no checkpoint of transformers can hold"):
        merged(before, tmp_path / "merged")


def test_weights_that_are_no_numbers_are_refused(llama_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    before = trained(llama_folder, tmp_path / "trained")
    tensors = load_file(before / "parameters.safetensors")
    first = next(iter(tensors))
    save_file({**tensors, first: tensors[first] * float("nan")}, before / "parameters.safetensors")
    with pytest.raises(ArtefactError, match="cannot be merged"):
        merged(before, tmp_path / "merged")
    assert not (tmp_path / "merged" / FILE).exists()


def test_answers_without_probabilities_are_compared_by_their_labels() -> None:
    rows = [TurnPrediction(conversation="a", turn=turn, emotion="joy") for turn in range(4)]
    found = compare_answers(rows, [*rows[:3], replace(rows[3], emotion="anger")])
    assert (found.changed, found.share, found.probability) == (1, 0.25, None)
    assert compare_answers([], []).share == 0
