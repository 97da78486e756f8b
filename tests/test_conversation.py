"""Utterances, conversations and corpora: values that JSON can carry."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc import Conversation, Corpus, Utterance
from instructerc.errors import DataError

UTTERANCES = st.builds(Utterance, st.text(), st.text(), st.none() | st.text())
CONVERSATIONS = st.builds(Conversation, st.text(), st.lists(UTTERANCES, max_size=4).map(tuple))
PARTS = st.lists(CONVERSATIONS, max_size=2).map(tuple)
CORPORA = st.builds(Corpus, st.text(), st.lists(st.text(), max_size=3).map(tuple), PARTS, PARTS, PARTS)


@given(CORPORA)
def test_a_corpus_goes_through_json_and_comes_back_equal(corpus: Corpus) -> None:
    assert Corpus.from_json(json.loads(json.dumps(corpus.to_json()))) == corpus


def test_equal_values_are_equal_and_never_change() -> None:
    utterance = Utterance("Ada", "Great.", "joy")
    assert Conversation("a", [utterance]) == Conversation("a", (utterance,))  # type: ignore[arg-type]
    assert hash(Conversation("a", [utterance])) == hash(Conversation("a", (utterance,)))  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        utterance.text = "Awful."  # type: ignore[misc]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "conversation: expected a JSON object, got list"),
        ({"id": "a"}, "conversation: lacks 'utterances'; keys are: id, utterances"),
        ({"id": 7, "utterances": []}, "conversation: 'id' is 7, not text"),
        ({"id": "a", "utterances": "x"}, "conversation 'a': 'utterances' is not a list"),
        ({"id": "a", "utterances": [{"speaker": "A", "text": "Hi", "emotoin": "joy"}]}, "turn 0: .*key 'emotoin'"),
        ({"id": "a", "utterances": [{"speaker": None, "text": "Hi"}]}, "turn 0: utterance: 'speaker' is NoneType"),
    ],
)
def test_a_conversation_of_another_shape_is_an_error(record: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Conversation.from_json(record)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": 1}, "corpus: 'name' is 1, not text"),
        ({"labels": "joy"}, "corpus 'a': 'labels' is 'joy': write a list of JSON strings"),
        ({"labels": [1]}, r"corpus 'a': 'labels' is \[1\]"),
        ({"test": 5}, "corpus 'a': 'test' is not a list"),
        ({"dev": []}, "corpus: has an unknown key 'dev'"),
    ],
)
def test_a_corpus_of_another_shape_is_an_error(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Corpus.from_json({"name": "a", "labels": ["joy"], **changed})


def test_speakers_stand_in_the_order_of_their_first_turn() -> None:
    turns = tuple(Utterance(name, "Hi") for name in "BABC")
    assert Conversation("a", turns).speakers == ("B", "A", "C")
