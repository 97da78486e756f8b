"""Runs on several corpora, on a fraction of them, and with weights of labels."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.errors import LabelMappingError, RecipeError, UsageError
from instructerc.experiments.data import prepare_data
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import run_recipe
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import TINY_LABELS, tiny_corpus
from tests.experiments.recipes import recipe, values, write_corpus

OTHER = ("happy", "cross")
MAPPING = {
    "corpora": {
        "first": {"joy": "good", "anger": "bad", "neutral": "neutral"},
        "second": {"happy": "good", "cross": "bad"},
    }
}


def second(shared: str | None = None) -> Corpus:
    """A corpus with labels of its own; its first training conversation may say what another corpus is tested on."""

    def chats(split: str, count: int) -> tuple[Conversation, ...]:
        return tuple(
            Conversation(
                f"{split}-{number}",
                (
                    Utterance("Cy", f"The {split} number {number} is good news indeed.", "happy"),
                    Utterance("Di", f"The {split} number {number} makes me furious again.", "cross"),
                ),
            )
            for number in range(count)
        )

    train = chats("training", 6)
    if shared:
        leaking = replace(train[0].utterances[0], text=shared)
        train = (replace(train[0], utterances=(leaking, *train[0].utterances[1:])), *train[1:])
    return Corpus("second", OTHER, train=train, validation=chats("check", 2), test=chats("exam", 2))


@pytest.fixture
def mixed(tmp_path: Path, llama_folder: Path) -> dict[str, Any]:
    """Two corpora, a mapping of their labels, and a recipe that makes them one."""
    first = write_corpus(tmp_path / "first")
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps(MAPPING), encoding="utf-8")
    other = write_corpus(tmp_path / "second", second())
    given = values(first, llama_folder)
    given["data"] = {"corpus": [str(first), str(other)], "unify": str(mapping)}
    given["training"]["epochs"] = 1
    return given


def test_trained_once_and_measured_corpus_by_corpus(mixed: dict[str, Any], tmp_path: Path) -> None:
    result = run_recipe(recipe(tmp_path, mixed))
    report = result.report
    assert list(report.sources) == ["first", "second"]
    assert report.sources["first"].labels == ("good", "bad", "neutral")
    assert report.sources["second"].labels == ("good", "bad")
    assert report.main.support == sum(scores.support for scores in report.sources.values())
    assert result.to_json()["sources"].keys() == {"first", "second"}
    assert report.provenance["Data"]["mix"] == "ratio"
    recognizer = EmotionRecognizer.from_pretrained(result.folder)
    assert recognizer.labels == ("good", "bad", "neutral")


def test_what_leaks_is_left_out_unless_the_published_protocol_is_asked_for(
    mixed: dict[str, Any], tmp_path: Path
) -> None:
    leaking = tiny_corpus().test[0].utterances[0].text
    said = f"{leaking} I could not believe it at all."
    test = tuple(
        replace(chat, utterances=(replace(chat.utterances[0], text=said), *chat.utterances[1:])) if not number else chat
        for number, chat in enumerate(tiny_corpus().test)
    )
    write_corpus(tmp_path / "first", replace(tiny_corpus(), test=test))
    write_corpus(tmp_path / "second", second(said))
    guarded = prepare_data(recipe(tmp_path, mixed).recipe)
    published = prepare_data(recipe(tmp_path, mixed, "data.leaks=published").recipe)
    left_out = {item.id for item in published.conversations("train")} - {
        item.id for item in guarded.conversations("train")
    }
    assert {name for name in left_out if name.startswith("second:")} == {"second:training-0"}
    report = run_recipe(recipe(tmp_path, mixed, "data.leaks=published")).report
    assert any("published protocol" in mark for mark in report.marks)
    assert any("nothing left out" in notice for notice in report.notices)


def test_turns_that_a_fraction_left_out_are_learned_from_in_no_way(mixed: dict[str, Any], tmp_path: Path) -> None:
    stages = "stages=[{name: a, tasks: {recognition: 1, speaker_identification: 1, prediction: 1}}]"
    data = prepare_data(recipe(tmp_path, mixed, "data.fraction=0.5", "data.leaks=published", stages).recipe)
    tasks = {"recognition": 1.0, "speaker_identification": 1.0, "prediction": 1.0}
    places = [(example.conversation, example.turn) for example in data.examples("train", tasks)]  # type: ignore[arg-type]
    assert len(places) == 3 * len(set(places)) == 3 * (24 + 6)


def test_neutral_turns_may_be_thinned_out_in_training_alone(
    corpus_folder: Path, mixed: dict[str, Any], llama_folder: Path, tmp_path: Path
) -> None:
    def labels(given: dict[str, Any], *keys: str) -> Counter[str]:
        data = prepare_data(recipe(tmp_path, given, *keys).recipe)
        assert data.labelled("test") == sum(len(chat.utterances) for chat in data.conversations("test"))
        return Counter(example.target or "" for example in data.examples("train"))

    for given in (values(corpus_folder, llama_folder), mixed):
        whole, half = labels(given), labels(given, "data.neutral_fraction=0.5")
        fewer = labels(given, "data.neutral_fraction=0.5", "data.fraction=0.5")
        assert 0 < fewer["neutral"] < half["neutral"]
        assert half["neutral"] == whole.pop("neutral") // 2 > 0
        assert half - Counter(neutral=half["neutral"]) == whole


def test_a_fraction_of_one_corpus_is_nested(corpus_folder: Path, llama_folder: Path, tmp_path: Path) -> None:
    def turns(fraction: float) -> set[tuple[str, int]]:
        resolved = recipe(tmp_path, values(corpus_folder, llama_folder), f"data.fraction={fraction}")
        data = prepare_data(resolved.recipe)
        assert data.labelled("test") == 24
        return {(example.conversation, example.turn) for example in data.examples("train")}

    assert turns(0.25) < turns(0.5) < turns(1)
    assert len(turns(0.25)) == 12


@pytest.mark.slow
def test_rare_labels_count_more_where_the_recipe_says_so(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path
) -> None:
    given = values(corpus_folder, llama_folder)
    data = prepare_data(recipe(tmp_path, given, "training.class_weights=balanced").recipe)
    train = data.examples("train")
    sums = {label: sum(example.weight for example in train if example.target == label) for label in TINY_LABELS}
    assert sums == pytest.approx(dict.fromkeys(TINY_LABELS, 16))
    assert {example.weight for example in data.examples("validation")} == {1.0}
    run_recipe(recipe(tmp_path, given, "training.class_weights=balanced", "training.focal_gamma=2"))


def test_a_test_selected_epoch_carries_its_mark(corpus_folder: Path, llama_folder: Path, tmp_path: Path) -> None:
    resolved = recipe(tmp_path, values(corpus_folder, llama_folder), "checkpoints.select=test")
    report = run_recipe(resolved).report
    assert report.marks == ("test-selected epoch",)
    assert "chosen by test W-F1" in report.summary
    assert report.curves is not None
    assert dict(report.curves.validation)[report.curves.best_epoch or 0] == pytest.approx(report.main.weighted_f1)


@pytest.mark.parametrize(
    ("overrides", "kind", "message"),
    [
        (["data.corpus=[meld, meld]"], RecipeError, "names a corpus twice"),
        (["data.corpus=[meld, emorynlp]", "data.labels=[joy]"], RecipeError, "no effect beside several corpora"),
        (["data.mix=total"], RecipeError, "has an effect only where data.corpus is a list"),
        (["data.fraction=0"], RecipeError, "data.fraction"),
        (["data.corpus=[]"], RecipeError, "data.corpus"),
    ],
)
def test_keys_that_do_not_fit_are_named(overrides: list[str], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        resolve("quickstart", overrides)


def test_corpora_of_different_labels_need_a_mapping(mixed: dict[str, Any], tmp_path: Path) -> None:
    del mixed["data"]["unify"]
    with pytest.raises(UsageError, match="have different labels: name a mapping of labels"):
        prepare_data(recipe(tmp_path, mixed).recipe)


def test_labels_without_a_place_are_listed(mixed: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(LabelMappingError, match="first"):
        prepare_data(recipe(tmp_path, mixed, "data.unify=released").recipe)


def test_a_name_of_ones_own_for_files_that_are_called_alike(mixed: dict[str, Any], tmp_path: Path) -> None:
    first, other = mixed["data"]["corpus"]
    renamed = tmp_path / "else" / "first"
    renamed.parent.mkdir()
    Path(other).rename(renamed)
    mixed["data"]["corpus"] = [first, str(renamed)]
    with pytest.raises(UsageError, match=r"two corpora are called first: give each a name of its own \(NAME=PATH\)"):
        prepare_data(recipe(tmp_path, mixed).recipe)
    mixed["data"]["corpus"] = [first, f"second={renamed}"]
    data = prepare_data(recipe(tmp_path, mixed).recipe)
    assert data.mixture is not None
    assert data.mixture.sources == ("first", "second")


@pytest.mark.slow
def test_a_source_without_labels_to_measure_is_named(mixed: dict[str, Any], tmp_path: Path) -> None:
    bare = second()
    test = tuple(
        replace(chat, utterances=tuple(replace(turn, emotion=None) for turn in chat.utterances)) for chat in bare.test
    )
    write_corpus(tmp_path / "second", replace(bare, test=test))
    report = run_recipe(recipe(tmp_path, mixed)).report
    assert list(report.sources) == ["first"]
    assert any(notice.startswith("second: no labelled turn in the measured split") for notice in report.notices)


def test_files_of_ones_own_may_be_called_like_a_corpus(llama_folder: Path, tmp_path: Path) -> None:
    given = values(write_corpus(tmp_path / "meld"), llama_folder)
    report = run_recipe(recipe(tmp_path, given, "training.epochs=1")).report
    assert report.main.labels == TINY_LABELS


@pytest.mark.parametrize("measured", ["test", "validation"])
def test_who_chooses_the_epoch_on_test_is_marked_whatever_is_measured(
    corpus_folder: Path, llama_folder: Path, tmp_path: Path, measured: str
) -> None:
    overrides = ("checkpoints.select=test", f"evaluation.split={measured}", "training.epochs=1")
    report = run_recipe(recipe(tmp_path, values(corpus_folder, llama_folder), *overrides)).report
    assert report.marks == ("test-selected epoch",)


def test_zero_shot_needs_no_training_split(llama_folder: Path, tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", Corpus("tiny", TINY_LABELS, test=tiny_corpus().test))
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").unlink()
    report = run_recipe(recipe(tmp_path, values(folder, llama_folder), "adapter.method=none")).report
    assert report.baselines == {}
    assert any("no baselines" in notice for notice in report.notices)
