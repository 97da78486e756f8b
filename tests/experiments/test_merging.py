"""Merging writes beside the target, compares, and then puts the folder in place: whole, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instructerc.conversation import Conversation, Utterance
from instructerc.errors import UsageError
from instructerc.experiments import merging
from instructerc.experiments.merging import merge_model, sample_conversations
from instructerc.recognition.artefact import FILE
from instructerc.recognition.merging import Difference
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_corpus, tiny_llama
from tests.recognition.trained import trained

SAMPLE = sample_conversations(tiny_corpus().test, 6)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model, to be read only."""
    place = tmp_path_factory.mktemp("model")
    return trained(tiny_llama(place / "base"), place / "trained")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_says_how_far_the_answers_lie_apart(model: Path, tmp_path: Path) -> None:
    told: list[str] = []
    result = merge_model(model, tmp_path / "out", sample=SAMPLE, note=told.append)
    assert result.difference is not None
    assert (result.difference.turns, result.difference.changed) == (6, 0)
    assert result.warning is None
    assert result.size == sum(len(content) for content in files(tmp_path / "out").values())
    assert told == [
        "labelling the sample with the trained model",
        "merging",
        "labelling the sample with the merged model",
    ]
    assert result.to_json()["difference"]["share"] == 0
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "## Merged" in card
    assert "On 6 turns, 0 labels differ" in card
    EmotionRecognizer.from_pretrained(tmp_path / "out", device="cpu")


def test_without_a_sample_nothing_is_compared(model: Path, tmp_path: Path) -> None:
    result = merge_model(model, tmp_path / "out")
    assert result.difference is None
    assert "were not compared" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_changed_labels_are_a_warning(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "compare_answers", lambda *_: Difference(turns=50, changed=2, probability=0.5))
    result = merge_model(model, tmp_path / "out", sample=SAMPLE)
    assert result.warning is not None
    assert result.warning.startswith("4.0 % of the labels changed, over 2 %")


def test_what_lies_in_the_target_stays_unless_somebody_says_so(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    merge_model(model, out)
    before = files(out)
    with pytest.raises(UsageError, match=r"holds a model already: .*--overwrite"):
        merge_model(model, out)
    assert files(out) == before
    (out / "old.txt").write_text("of the old model", encoding="utf-8")
    merge_model(model, out, overwrite=True)
    assert files(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_folders_of_other_things_are_never_replaced(model: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError, match="is not empty, and holds no model of ours"):
        merge_model(model, tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="is a file"):
        merge_model(model, tmp_path / "thesis.tex", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_neither_the_trained_model_nor_its_backbone_is_replaced(tmp_path: Path) -> None:
    base = tiny_llama(tmp_path / "all" / "base")
    before = trained(base, tmp_path / "all" / "trained")
    for out in (before, base, tmp_path / "all"):
        with pytest.raises(UsageError, match="the trained model or its backbone lies there"):
            merge_model(before, out, overwrite=True)


def test_an_empty_folder_is_filled(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    merge_model(model, tmp_path / "out")
    assert (tmp_path / "out" / FILE).is_file()


@pytest.mark.parametrize("step", ["write_merged", "_answers", "merged_card", "_put"])
def test_an_interrupted_merge_leaves_what_was_there(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    out = tmp_path / "out"
    merge_model(model, out)
    before = files(out)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(merging, step, killed)
    with pytest.raises(KeyboardInterrupt):
        merge_model(model, out, sample=SAMPLE, overwrite=True)
    assert files(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_sample_is_cut_to_the_turns_that_were_asked_for() -> None:
    chats = [Conversation(name, (Utterance("A", "one"), Utterance("B", "two"))) for name in "abc"]
    assert [len(chat) for chat in sample_conversations(chats, 3)] == [2, 1]
    assert sample_conversations(chats, 0) == ()
    assert len(sample_conversations(chats, 99)) == 3
