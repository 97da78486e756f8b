from __future__ import annotations

import csv
from pathlib import Path

import pytest

from instructerc.baselines import BASELINES, TITLES, Majority, TfidfLogisticRegression, baseline, run_baselines
from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.errors import DataError, EvaluationError, UnknownNameError


def _conversation(name: str, *turns: tuple[str, str | None]) -> Conversation:
    return Conversation(name, tuple(Utterance("A", text, emotion) for text, emotion in turns))


TRAIN = (
    _conversation("a", ("what a lovely day", "joy"), ("it is Tuesday", "neutral"), ("the bus is at nine", "neutral")),
    _conversation("b", ("how lovely !", "joy"), ("leave me alone", "anger"), ("the bus", None), ("Tuesday", "neutral")),
)
TEST = (_conversation("c", ("lovely", "joy"), ("hm", None), ("leave me", "anger"), ("the Tuesday bus", "neutral")),)
CORPUS = Corpus("tiny", ("neutral", "joy", "anger"), TRAIN, (), TEST)


def test_majority_gives_every_turn_the_most_frequent_label() -> None:
    assert Majority().fit(TRAIN).predict(TEST) == (("neutral",) * 4,)


def test_majority_takes_the_first_of_two_equals() -> None:
    assert Majority().fit([_conversation("a", ("x", "joy"), ("y", "anger"))]).predict(TEST)[0][0] == "joy"


def test_tfidf_learns_words() -> None:
    labels = TfidfLogisticRegression().fit(TRAIN).predict(TEST)
    assert (labels[0][0], labels[0][2], labels[0][3]) == ("joy", "anger", "neutral")


def test_tfidf_sees_signs_and_emoji() -> None:
    train = [_conversation("a", ("🙂", "joy"), ("?", "surprise"), ("I", "neutral"))]
    assert TfidfLogisticRegression().fit(train).predict(train) == (("joy", "surprise", "neutral"),)


@pytest.mark.parametrize("turns", [(("hi", "joy"), ("you", "joy")), ((" ", "joy"), ("", "joy"), ("", "fear"))])
def test_where_nothing_can_be_regressed_tfidf_is_the_majority(turns: tuple[tuple[str, str], ...]) -> None:
    assert TfidfLogisticRegression().fit([_conversation("a", *turns)]).predict(TEST) == (("joy",) * 4,)


@pytest.mark.parametrize("name", ["majority", "tfidf"])
def test_every_baseline_is_deterministic_and_keeps_the_shape(name: str) -> None:
    conversations = (*TEST, Conversation("empty", ()), *TRAIN)
    first, second = (baseline(name).fit(TRAIN).predict(conversations) for _ in range(2))
    assert first == second
    assert [len(labels) for labels in first] == [len(conversation) for conversation in conversations]
    assert baseline(name).fit(TRAIN).predict([Conversation("empty", ())]) == ((),)


@pytest.mark.parametrize("name", ["majority", "tfidf"])
def test_no_labelled_turn_is_an_error(name: str) -> None:
    with pytest.raises(DataError, match="none of 1 training conversations has a labelled turn"):
        baseline(name).fit([_conversation("a", ("hi", None))])


def test_baselines_are_scored_on_the_labelled_turns_of_the_split() -> None:
    scores = run_baselines(CORPUS)
    assert list(scores) == ["majority", "tfidf"]
    assert scores["majority"].support == 3
    assert scores["majority"].accuracy == pytest.approx(1 / 3)
    assert scores["majority"].never_predicted == ("joy", "anger")
    assert scores["tfidf"].accuracy == 1
    assert scores["tfidf"].micro_f1_without_neutral == 1


def test_one_baseline_on_another_split() -> None:
    assert list(run_baselines(CORPUS, ["majority"], split="train")) == ["majority"]


def test_an_unknown_baseline_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown baseline 'tfdif': did you mean 'tfidf'"):
        run_baselines(CORPUS, ["tfdif"])


def test_a_split_without_labels_is_an_error() -> None:
    with pytest.raises(DataError, match="corpus 'tiny': no labelled turn in its validation split"):
        run_baselines(CORPUS, split="validation")


def test_a_label_outside_the_corpus_set_is_an_error() -> None:
    corpus = Corpus("odd", ("neutral", "joy"), TRAIN, (), TEST)
    with pytest.raises(EvaluationError, match="'anger'"):
        run_baselines(corpus)


def test_every_baseline_has_a_title() -> None:
    assert set(TITLES) == set(BASELINES)


def test_on_meld_tfidf_stands_where_such_models_stand(shared: Path) -> None:
    corpus = Corpus(
        "meld",
        ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
        **{split: _meld(shared, name) for split, name in (("train", "train"), ("test", "test"))},
    )
    scores = run_baselines(corpus)
    assert scores["majority"].weighted_f1 == pytest.approx(0.3127, abs=1e-4)
    assert scores["tfidf"].weighted_f1 == pytest.approx(0.566, abs=0.003)


def _meld(shared: Path, split: str) -> tuple[Conversation, ...]:
    path = next(shared.rglob(f"{split}_sent_emo.csv"))
    conversations: dict[str, list[Utterance]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            turn = Utterance(row["Speaker"], row["Utterance"], row["Emotion"])
            conversations.setdefault(row["Dialogue_ID"], []).append(turn)
    return tuple(Conversation(name, tuple(turns)) for name, turns in conversations.items())
