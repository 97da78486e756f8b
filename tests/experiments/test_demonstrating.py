"""Runs whose prompts show demonstrations, and what their models carry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from instructerc.demonstrations import load_pool
from instructerc.errors import ArtefactError, DataError, RecipeError, TrainingError, UsageError
from instructerc.experiments.data import prepare_data
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import RunResult, run_recipe
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_conversation
from tests.experiments.recipes import Log, recipe, values, write_corpus

pytest.importorskip("sentence_transformers", reason="demonstrations need sentence-transformers")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTRUCTERC_HOME", str(tmp_path / "cache"))


def showing(folder: Path, corpus: Path, llama: Path, pairing: str = "nearest", **more: Any) -> Any:
    demonstrations = {"pairing": pairing, **more.pop("demonstrations", {})}
    return recipe(folder, {**values(corpus, llama), "demonstrations": demonstrations, **more}, "training.epochs=1")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, llama_folder: Path) -> RunResult:
    """A finished run with demonstrations, to be read only."""
    folder = tmp_path_factory.mktemp("shown")
    return run_recipe(showing(folder, write_corpus(folder / "corpus"), llama_folder))


def test_the_report_says_what_was_shown_and_how_often_it_was_copied(shown: RunResult) -> None:
    table = shown.report.provenance["Demonstrations"]
    assert table["pairing"] == "nearest"
    assert (table["count"], table["placement"], table["turns"]) == (1, "after", 24)
    assert table["encoder"].startswith("all-MiniLM-L6-v2@")
    for name in ("agreement", "first agreement", "copy rate"):
        assert 0 <= table[name] <= 1


def test_the_model_carries_its_pool(shown: RunResult, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(shown.folder / "model", model)
    recognizer = EmotionRecognizer.from_pretrained(model)
    assert recognizer.demonstrator is not None
    assert len(recognizer.demonstrator.pool) == 48
    chat = tiny_conversation()
    whole = recognizer.recognize(chat)
    session = recognizer.session()
    live = [session.add(turn.speaker, turn.text) for turn in chat.utterances]
    assert [row.emotion for row in live] == [row.emotion for row in whole]


def test_a_model_without_its_pool_is_refused(shown: RunResult, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(shown.folder / "model", model)
    shutil.rmtree(model / "pool")
    with pytest.raises(ArtefactError, match="its folder 'pool' is missing: copy the whole folder of the model"):
        EmotionRecognizer.from_pretrained(model)


def test_another_pool_is_refused(shown: RunResult, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(shown.folder / "model", model)
    record = json.loads((model / "artefact.json").read_text(encoding="utf-8"))
    record["demonstrations"]["pool"] = "another"
    (model / "artefact.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ArtefactError, match="the model was made with another"):
        EmotionRecognizer.from_pretrained(model)


def test_a_pool_holds_training_turns_only(shown: RunResult) -> None:
    pool = load_pool(shown.folder / "model" / "pool")
    assert {(entry.conversation or "").partition("-")[0] for entry in pool.entries} == {"train"}


def test_an_oracle_is_measured_with_a_mark_and_never_used(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path
) -> None:
    result = run_recipe(showing(tmp_path, corpus_folder, llama_folder, "oracle"))
    assert any("oracle" in mark for mark in result.report.marks)
    assert result.report.provenance["Demonstrations"]["agreement"] == 1
    with pytest.raises(UsageError, match="'oracle', which chooses demonstrations by the right answers"):
        EmotionRecognizer.from_pretrained(result.folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "demonstrations",
    [
        {"pairing": "same-label", "count": 2, "placement": "before"},
        {"pairing": "one-per-label", "count": 3},
        {"pairing": "random", "per_label": "smallest"},
    ],
    ids=lambda value: value["pairing"],
)
def test_every_pairing_runs(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path, demonstrations: dict[str, Any]
) -> None:
    result = run_recipe(showing(tmp_path, corpus_folder, llama_folder, demonstrations=demonstrations))
    assert result.report.provenance["Demonstrations"]["pairing"] == demonstrations["pairing"]
    assert result.report.marks == ()


def test_a_pool_of_ones_own(corpus_folder: Path, llama_folder: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool.csv"
    pool.write_text("text,label\nHooray!,joy\nGo away!,anger\n", encoding="utf-8")
    resolved = showing(tmp_path, corpus_folder, llama_folder, demonstrations={"pool": str(pool)})
    prompts = [example.prompt for example in prepare_data(resolved.recipe).examples("train")]
    assert all(("Hooray!" in prompt) != ("Go away!" in prompt) for prompt in prompts)
    with pytest.raises(Killed):
        run_recipe(resolved, watcher=KillAtTraining())
    pool.write_text("text,label\nHooray!,joy\nGet out!,anger\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="the data changed"):
        run_recipe(resolved, resume=True)


class Killed(BaseException):
    """Ends a run as a kill would."""


class KillAtTraining(Log):
    """Kills at the first step."""

    def step(self, done: int, loss: float | None) -> None:
        raise Killed


def test_no_training_with_demonstrations_is_few_shot(corpus_folder: Path, llama_folder: Path, tmp_path: Path) -> None:
    given = values(corpus_folder, llama_folder)
    del given["training"]
    given |= {"adapter": {"method": "none"}, "demonstrations": {"pairing": "nearest"}}
    result = run_recipe(recipe(tmp_path, given))
    assert "few-shot, not trained" in result.report.summary
    assert result.report.curves is None
    assert not (result.folder / "model" / "parameters.safetensors").exists()
    assert len(EmotionRecognizer.from_pretrained(result.folder).recognize(tiny_conversation())) == 4


@pytest.mark.parametrize("mode", ["score", "generate"])
def test_no_training_is_zero_shot(corpus_folder: Path, llama_folder: Path, tmp_path: Path, mode: str) -> None:
    given = values(corpus_folder, llama_folder)
    overrides = ("adapter.method=none", f"recognition.mode={mode}")  # the recipe's keys of training step back
    result = run_recipe(recipe(tmp_path, given, *overrides))
    assert "zero-shot, not trained" in result.report.summary
    assert result.report.provenance["Method"]["stages"] == "none: not trained"
    assert result.report.main.support == 24
    again = run_recipe(recipe(tmp_path, given, *overrides), resume=True)
    assert again.report.main == result.report.main


def test_a_corpus_without_training_turns_has_nothing_to_show(llama_folder: Path, tmp_path: Path) -> None:
    from instructerc.conversation import Corpus
    from instructerc.testing import TINY_LABELS, tiny_corpus

    whole = tiny_corpus()
    folder = write_corpus(tmp_path / "corpus", Corpus("tiny", TINY_LABELS, test=whole.test))
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").unlink()
    given = {**values(folder, llama_folder), "demonstrations": {"pairing": "nearest"}}
    with pytest.raises(DataError, match="no labelled training turn that could be shown: set"):
        prepare_data(recipe(tmp_path, given, "adapter.method=none").recipe)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["demonstrations.count=2"], "has an effect only where demonstrations.pairing names one"),
        (["demonstrations.pairing=nearst"], "did you mean 'nearest'"),
        (
            ["demonstrations.pairing=nearest", "demonstrations.encoder_revision=main"],
            "has no effect on the default encoder",
        ),
        (
            ["demonstrations.pairing=nearest", "demonstrations.pool=a.csv", "demonstrations.per_label=3"],
            "has no effect beside demonstrations.pool",
        ),
    ],
)
def test_keys_without_effect_are_named(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        resolve("quickstart", overrides)


def test_a_missing_library_is_told_before_anything_is_begun(
    shown: RunResult, corpus_folder: Path, llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from instructerc.demonstrations import encoder

    monkeypatch.setattr(encoder.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'instructerc\[demonstrations\]'"):
        EmotionRecognizer.from_pretrained(shown.folder)
    with pytest.raises(UsageError, match="sentence-transformers, which is not installed"):
        prepare_data(showing(tmp_path, corpus_folder, llama_folder).recipe)


def test_a_count_that_does_not_fit_is_told_before_encoding(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path
) -> None:
    resolved = showing(tmp_path, corpus_folder, llama_folder, "one-per-label")
    with pytest.raises(UsageError, match="shows one demonstration of each of the 3 labels, and the count is 1"):
        prepare_data(resolved.recipe, progress=lambda done, total: pytest.fail("encoded"))
