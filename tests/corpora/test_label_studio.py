"""Emotions that people corrected come back; what went out comes back unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.paths import load_path_corpus
from instructerc.corpora.streaming import load_conversations
from instructerc.errors import InvalidRowsError
from instructerc.recognition.predictions import TurnPrediction
from instructerc.reporting.label_studio import label_studio_config, label_studio_tasks

ROWS = [
    TurnPrediction(conversation="c", turn=turn, emotion=emotion, speaker="Ann", text=text, model="m")
    for turn, (emotion, text) in enumerate([("joy", "Done! 😀"), ("anger", ""), ("joy", "<b>")])
]


def annotated(task: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The task as Label Studio exports it when somebody accepted all predictions."""
    result = task["predictions"][0]["result"]
    return {"id": 7, "data": task["data"], "annotations": [{"result": result, **changes}], "predictions": []}


def export(path: Path, *tasks: dict[str, Any]) -> Path:
    path.write_text(json.dumps(list(tasks)), encoding="utf-8")
    return path


def test_what_goes_out_comes_back(tmp_path: Path) -> None:
    (task,) = label_studio_tasks(ROWS)
    found = list(load_conversations(export(tmp_path / "export.json", annotated(task))))
    turns = (Utterance("Ann", "Done! 😀", "joy"), Utterance("Ann", "", "anger"), Utterance("Ann", "<b>", "joy"))
    assert found == [Conversation("c", turns)]


def test_tasks_are_as_the_interface_names_them() -> None:
    (task,) = label_studio_tasks(ROWS)
    view = ET.fromstring(label_studio_config(["joy", '"<&']))
    labels, dialogue = view
    assert [label.get("value") for label in labels] == ["joy", '"<&']
    assert dialogue.get("value", "").removeprefix("$") in task["data"]
    for region in task["predictions"][0]["result"]:
        assert (region["from_name"], region["to_name"]) == (labels.get("name"), dialogue.get("name"))
    assert all(dialogue.get(key) in turn for turn in task["data"]["dialogue"] for key in ("nameKey", "textKey"))


def test_the_latest_annotation_counts_unless_it_was_cancelled(tmp_path: Path) -> None:
    (task,) = label_studio_tasks(ROWS[:1])
    record = annotated(task, updated_at="2026-01-02T00:00:00Z")
    older = json.loads(json.dumps(record["annotations"][0]))
    older["updated_at"] = "2026-01-01T00:00:00Z"
    older["result"][0]["value"]["paragraphlabels"] = ["anger"]
    cancelled = {**older, "updated_at": "2026-01-03T00:00:00Z", "was_cancelled": True}
    record["annotations"] += [older, cancelled]
    (found,) = load_conversations(export(tmp_path / "export.json", record))
    assert found.utterances[0].emotion == "joy"


def test_it_is_a_corpus_to_learn_from(tmp_path: Path) -> None:
    tasks = [
        annotated(task)
        for number in range(30)
        for task in label_studio_tasks(
            [TurnPrediction(conversation=f"c{number}", turn=0, emotion="joy", speaker="A", text=f"Hi {number}")]
        )
    ]
    corpus = load_path_corpus(export(tmp_path / "export.json", *tasks))
    assert corpus.labels == ("joy",)
    assert sum(len(part) for _, part in corpus.splits()) == 30


def test_a_task_that_nobody_labelled_carries_no_emotion(tmp_path: Path) -> None:
    (task,) = label_studio_tasks(ROWS)
    (found,) = load_conversations(export(tmp_path / "export.json", {**task, "annotations": []}))
    assert {utterance.emotion for utterance in found.utterances} == {None}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"start": "0", "paragraphlabels": ["joy", "anger"]}, "is not one label"),
        ({"start": "9", "paragraphlabels": ["joy"]}, "is no turn of the task, which has 3"),
        ({"start": "1", "paragraphlabels": ["joy"]}, "turn 1 is both"),
        (None, "is not one label"),
    ],
)
def test_what_is_wrong_with_a_label_is_said(tmp_path: Path, value: Any, reason: str) -> None:
    (task,) = label_studio_tasks(ROWS)
    record = annotated(task)
    record["annotations"][0]["result"].append({"from_name": "emotion", "value": value})
    with pytest.raises(InvalidRowsError, match=reason):
        list(load_conversations(export(tmp_path / "export.json", record)))


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"data": {"dialogue": "Hi"}}, "is no list of turns"),
        ({"data": {"id": "c", "dialogue": [{"speaker": "A"}]}}, "is no turn"),
        ("nonsense", "is no list of turns"),
        ({"data": {"id": "c", "dialogue": [{"speaker": "Ann", "text": "Hi"}]}}, "names two tasks"),
    ],
)
def test_what_is_wrong_with_a_task_is_said(tmp_path: Path, task: Any, reason: str) -> None:
    (whole,) = label_studio_tasks(ROWS)
    with pytest.raises(InvalidRowsError, match=reason):
        list(load_conversations(export(tmp_path / "export.json", annotated(whole), task)))
