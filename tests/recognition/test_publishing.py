"""What of a model goes to a hub, what stays, and that it comes back as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from instructerc.errors import ArtefactError, OfflineError, UsageError
from instructerc.recognition.artefact import FILE, DemonstrationSource
from instructerc.recognition.merging import write_merged
from instructerc.recognition.publishing import find_model, hub_id, plan_push, push
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_corpus, tiny_llama
from tests.hub import Hub, connected
from tests.recognition.trained import trained

SOURCE = DemonstrationSource(pairing="nearest", seed=1, encoder="all-MiniLM-L6-v2", encoder_revision=None, pool="0")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with connected(monkeypatch, tmp_path / "cache") as hub:
        yield hub


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged model with a card, to be read only."""
    place = tmp_path_factory.mktemp("merged")
    write_merged(trained(tiny_llama(place / "base"), place / "trained"), place / "model")
    (place / "model" / "README.md").write_text("---\nlicense: other\n---\n# Mine\n", encoding="utf-8")
    return place / "model"


def of_the_hub(folder: Path) -> None:
    """Makes a trained model one of a backbone that a hub has."""
    record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    record["backbone"]["name"] = "qwen3-0.6b"
    (folder / FILE).write_text(json.dumps(record), encoding="utf-8")


def test_a_model_comes_back_from_the_hub_as_it_was(hub: Hub, merged: Path) -> None:
    url = push(plan_push(merged), "ada/feelings")
    assert url.startswith(f"{hub.address}/ada/feelings/commit/")
    conversation = tiny_corpus().test[0]
    here = EmotionRecognizer.from_pretrained(merged, device="cpu").recognize(conversation)
    assert EmotionRecognizer.from_pretrained("ada/feelings", device="cpu").recognize(conversation) == here


def test_a_branch_of_the_hub_can_be_named(hub: Hub, merged: Path) -> None:
    push(plan_push(merged), "ada/feelings", revision="trial")
    EmotionRecognizer.from_pretrained("ada/feelings", device="cpu", revision="trial")
    with pytest.raises(UsageError, match="a revision goes with a model on a hub only"):
        EmotionRecognizer.from_pretrained(merged, revision="trial")


def test_without_a_network_the_hub_is_not_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTRUCTERC_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"runs/quickstrat: is no folder here, .*INSTRUCTERC_OFFLINE forbids"):
        EmotionRecognizer.from_pretrained("runs/quickstrat")
    assert hub.asked == []


def test_a_folder_wins_over_the_hub(hub: Hub, merged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "feelings").symlink_to(merged)
    monkeypatch.chdir(tmp_path)
    assert find_model("ada/feelings") == Path("ada/feelings")
    assert find_model(Path("ada/nothing")) == Path("ada/nothing")
    assert find_model("./ada/nothing") == Path("ada/nothing")
    assert hub.asked == []


def test_a_merged_model_goes_as_a_whole_and_nothing_else(merged: Path) -> None:
    stray = merged / "notes.txt"
    stray.write_text("mine", encoding="utf-8")
    try:
        plan = plan_push(merged)
    finally:
        stray.unlink()
    names = {name for name, _ in plan.files}
    assert {FILE, "README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert plan.left_out == ("notes.txt",)
    assert plan.size == sum((merged / name).stat().st_size for name in names)
    assert plan.has_card


def test_an_adapter_goes_without_its_backbone(tmp_path: Path) -> None:
    folder = trained(tiny_llama(tmp_path / "base"), tmp_path / "run" / "model")
    of_the_hub(folder)
    plan = plan_push(tmp_path / "run")
    assert [name for name, _ in plan.files] == [FILE, "parameters.safetensors"]
    assert not plan.has_card


def test_a_backbone_of_this_machine_is_not_left_behind(tmp_path: Path) -> None:
    folder = trained(tiny_llama(tmp_path / "base"), tmp_path / "model")
    with pytest.raises(UsageError, match="is a folder of this machine, which nobody else has: `instructerc merge`"):
        plan_push(folder)


def test_texts_of_people_go_only_where_somebody_says_so(tmp_path: Path) -> None:
    folder = trained(tiny_llama(tmp_path / "base"), tmp_path / "model", demonstrations=SOURCE)
    of_the_hub(folder)
    (folder / "pool").mkdir()
    (folder / "pool" / "entries.jsonl").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="word for word, and whoever gets the model gets them: add --with-pool"):
        plan_push(folder)
    assert ("pool/entries.jsonl", 2) in plan_push(folder, with_pool=True).files


def test_a_pool_that_the_model_does_not_need_stays(tmp_path: Path) -> None:
    folder = trained(tiny_llama(tmp_path / "base"), tmp_path / "model")
    of_the_hub(folder)
    (folder / "pool").mkdir()
    (folder / "pool" / "entries.jsonl").write_text("{}", encoding="utf-8")
    assert plan_push(folder, with_pool=True).left_out == ("pool/entries.jsonl",)


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = trained(tiny_llama(tmp_path / "base"), tmp_path / "model")
    of_the_hub(folder)
    secret = tmp_path / "secret"
    secret.write_text("of somebody else", encoding="utf-8")
    (folder / "tokenizer_notes.json").symlink_to(secret)
    with pytest.raises(ArtefactError, match=r"tokenizer_notes.json: is a link that leads out of the model's folder"):
        plan_push(folder)
    (folder / "tokenizer_notes.json").unlink()
    (folder / "tokenizer_notes.json").symlink_to(folder / FILE)
    assert "tokenizer_notes.json" in dict(plan_push(folder).files)


@pytest.mark.parametrize("name", ["parameters.safetensors"])
def test_half_a_model_is_not_uploaded(tmp_path: Path, name: str) -> None:
    folder = trained(tiny_llama(tmp_path / "base"), tmp_path / "model")
    of_the_hub(folder)
    (folder / name).unlink()
    with pytest.raises(ArtefactError, match=f"lacks {name}: copy the whole folder"):
        plan_push(folder)


def test_names_of_hubs_are_told_from_folders() -> None:
    assert hub_id("llama2-7b") == "meta-llama/Llama-2-7b-hf"
    assert hub_id("ada/feelings") == "ada/feelings"
    assert hub_id("/home/ada/llama") is None
    assert hub_id(".") is None
