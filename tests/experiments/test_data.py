"""What a recipe's data section becomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from instructerc.conversation import SPLITS, Conversation, Corpus, Utterance
from instructerc.corpora import load_corpus
from instructerc.errors import DataError, RecipeError, UsageError
from instructerc.experiments.data import RunData, prepare_data
from instructerc.experiments.schema import Recipe
from instructerc.prompts import PromptSpec
from instructerc.prompts.files import export_prompts
from instructerc.testing import TINY_LABELS, tiny_corpus
from tests.experiments.recipes import write_corpus


def data_of(section: dict[str, Any], **sections: Any) -> RunData:
    return prepare_data(Recipe.model_validate({"data": section, **sections}))


def test_a_named_corpus_brings_its_labels_and_the_window_of_the_recipe() -> None:
    data = data_of({"corpus": "sample"}, window={"size": 3, "stride": 2}, prompt={"wording": "paper"})
    assert data.corpus == load_corpus("sample")
    assert (data.labels.name, data.labels.neutral) == ("ekman", "neutral")
    assert (data.spec.window.size, data.spec.window.stride, data.spec.wording) == (3, 2, "paper")
    assert data.spec.labels == data.labels.labels


def test_labels_can_be_given_in_an_order_of_ones_own(corpus_folder: Path) -> None:
    data = data_of({"corpus": str(corpus_folder), "labels": ["anger", "joy", "neutral"]})
    assert data.spec.labels == data.labels.labels == ("anger", "joy", "neutral")


def test_counts_are_those_of_the_examples(tmp_path: Path) -> None:
    corpus = tiny_corpus()
    half = Conversation("half", (Utterance("Ada", "Well?"), Utterance("Bob", "Well.", "neutral")))
    data = data_of({"corpus": str(write_corpus(tmp_path, replace(corpus, test=(*corpus.test, half))))})
    for split in SPLITS:
        assert data.labelled(split) == len(data.examples(split))
        assert len(list(data.asked(split))) == sum(map(len, data.conversations(split)))
    assert data.labelled("test") == len(list(data.asked("test"))) - 1


def test_a_limit_takes_the_first_of_every_split(corpus_folder: Path) -> None:
    data = data_of({"corpus": str(corpus_folder), "limit": 2})
    assert [len(data.conversations(split)) for split in SPLITS] == [2, 2, 2]
    assert data.hash != data_of({"corpus": str(corpus_folder)}).hash


def test_only_iemocap_numbers_its_speakers_by_sex(corpus_folder: Path) -> None:
    assert data_of({"corpus": str(corpus_folder)}).spec.speaker_order == ()


@pytest.mark.parametrize(("wording", "damaged"), [("released", True), ("plain", True), ("compact", False)])
def test_the_released_wordings_keep_melds_damaged_characters(shared: Path, wording: str, damaged: bool) -> None:
    section = {"corpus": "meld-cosmic", "folder": str(shared / "data/cosmic")}
    data = data_of(section, prompt={"wording": wording})
    texts = "".join(turn.text for chat in data.conversations("test") for turn in chat.utterances)
    assert ("\x92" in texts) is damaged


def prompts_of(folder: Path) -> dict[str, str]:
    paths = export_prompts(tiny_corpus(), PromptSpec(labels=TINY_LABELS, wording="compact"), folder)
    return {split: str(path) for split, path in paths.items()}


def test_prompt_files_are_taken_as_they_are(tmp_path: Path) -> None:
    data = data_of({"prompts": prompts_of(tmp_path)})
    spec = PromptSpec(labels=TINY_LABELS, wording="compact")
    for split in SPLITS:
        written = [example for chat in tiny_corpus().split(split) for example in spec.examples(chat)]
        assert [example.prompt for example in data.examples(split)] == [example.prompt for example in written]
        assert data.labelled(split) == len(written)
        assert list(data.asked(split)) == data.examples(split)
    assert data.conversations("train") == ()
    assert {example.candidates for example in data.asked("test")} == {data.labels.labels}


def test_targets_that_are_none_of_the_labels_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"data\.labels.*the targets neutral, anger, which are none of the labels"):
        data_of({"prompts": prompts_of(tmp_path), "labels": ["joy", "sad"]})


def test_nothing_to_learn_from_is_an_error(tmp_path: Path) -> None:
    corpus = tiny_corpus()
    unlabelled = tuple(
        Conversation(chat.id, tuple(Utterance(turn.speaker, turn.text) for turn in chat.utterances))
        for chat in corpus.train
    )
    write_corpus(tmp_path, replace(corpus, train=unlabelled))
    with pytest.raises(DataError, match="has no labelled turn in its train split, so nothing to learn from"):
        data_of({"corpus": str(tmp_path)})


def test_a_decision_without_neutral_needs_a_neutral_label(tmp_path: Path) -> None:
    chats = (Conversation("a", (Utterance("Ada", "Hm.", "calm"), Utterance("Bo", "Yes!", "joy"))),)
    folder = write_corpus(tmp_path, Corpus("moods", ("joy", "calm"), chats, chats, chats))
    with pytest.raises(UsageError, match="none of the labels calm, joy means neutral: choose weighted-f1"):
        data_of({"corpus": str(folder)}, recognition={"decision": "micro-f1-without-neutral"})
