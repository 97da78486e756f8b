"""What programs of others are built on: a change here is a change for them, and belongs into the changelog."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

import instructerc
from instructerc import EmotionRecognizer, RecognitionSession, TurnPrediction

NAMES = {
    "Conversation",
    "Corpus",
    "EmotionRecognizer",
    "RecognitionSession",
    "TurnPrediction",
    "Utterance",
    "__version__",
    "load_conversations",
    "load_corpus",
}

SIGNATURES = {
    EmotionRecognizer.from_pretrained: (
        *("folder", "mode", "batch_size", "batching", "device", "attention", "precision", "allow_oracle"),
        *("engine", "revision", "labels", "threshold"),
    ),
    EmotionRecognizer.asking: ("self", "labels", "threshold"),
    EmotionRecognizer.recognize: ("self", "conversation"),
    EmotionRecognizer.recognize_all: ("self", "conversations", "progress"),
    EmotionRecognizer.predict_next: ("self", "conversation", "speaker"),
    EmotionRecognizer.session: ("self", "id", "conversation"),
    RecognitionSession.add: ("self", "speaker", "text"),
    RecognitionSession.predict_next: ("self", "speaker"),
    RecognitionSession.release: ("self",),
    instructerc.load_corpus: ("source", "folder", "labels", "columns", "format", "allow_empty", "repair"),
    instructerc.load_conversations: ("path", "format", "columns", "labels"),
}

PREDICTION = (
    *("conversation", "turn", "emotion", "speaker", "text", "gold", "probabilities", "answer", "out_of_label"),
    *("dropped_turns", "model", "prompt"),
)


def test_the_front_door_has_these_names_and_no_others() -> None:
    assert set(instructerc.__all__) == NAMES
    assert all(getattr(instructerc, name) is not None for name in NAMES)
    with pytest.raises(AttributeError, match="has no attribute 'EmotionRecogniser'"):
        _ = instructerc.EmotionRecogniser


@pytest.mark.parametrize(
    ("function", "names"), SIGNATURES.items(), ids=lambda value: getattr(value, "__qualname__", "")
)
def test_these_are_called_with_these_names(function: Any, names: tuple[str, ...]) -> None:
    assert tuple(inspect.signature(function).parameters) == tuple(name for name in names if name != "cls")


def test_a_prediction_has_these_fields() -> None:
    assert {field.name for field in fields(TurnPrediction)} == set(PREDICTION)
    assert isinstance(inspect.getattr_static(TurnPrediction, "entropy"), property)
