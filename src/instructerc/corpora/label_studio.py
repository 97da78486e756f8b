"""Exports of Label Studio: conversations whose turns people labelled, or corrected.

```
[
    {
        "data": {"id": "c", "dialogue": [{"speaker": "Ann", "text": "Done!"}]},
        "annotations": [{"result": [{"from_name": "emotion", "value": {"start": "0", "paragraphlabels": ["joy"]}}]}],
    }
]
```

The export is the one called JSON, of a project whose interface `label_studio_config` wrote. The latest annotation of a
task counts; those that were cancelled do not. A turn that nobody labelled carries no emotion, and one that carries
several labels is a fault. Tasks that nobody has annotated yet are read without emotions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.jsonl import parse_json
from instructerc.corpora.reading import Place, PlacedConversation, Source, character_fault, decode
from instructerc.errors import DataError, Problem

CONTROL = "emotion"
"""Name of the labels in the labelling interface."""

DIALOGUE = "dialogue"
"""Key of a task's turns."""


def is_label_studio(document: Any) -> bool:
    """Whether a JSON document is an export of Label Studio.

    Example:
        >>> is_label_studio([{"data": {"dialogue": []}, "annotations": []}]), is_label_studio([{"role": "user"}])
        (True, False)
    """
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and isinstance(first.get("data"), dict) and DIALOGUE in first["data"]


def iterate_label_studio(source: Source, problems: list[Problem]) -> Iterator[PlacedConversation]:
    """The conversations of an export; faults go to `problems`."""
    try:
        document = parse_json(decode(source, problems))
    except DataError as error:
        problems.append(Problem(source.path, None, None, str(error)))
        return
    if not is_label_studio(document):
        reason = f"is no export of Label Studio: its tasks have data.{DIALOGUE}; export it as JSON"
        problems.append(Problem(source.path, None, None, reason))
        return
    seen: set[str] = set()
    for number, task in enumerate(document):
        reader = _Task(source, f"[{number}]", problems)
        placed = reader.read(task)
        if placed is None:
            continue
        if placed.conversation.id in seen:
            reader.fault("data.id", f"{placed.conversation.id!r} names two tasks: ids are unique in a file")
            continue
        seen.add(placed.conversation.id)
        yield placed


class _Task:
    def __init__(self, source: Source, prefix: str, problems: list[Problem]) -> None:
        self._source, self._prefix, self._problems = source, prefix, problems

    def fault(self, key: str, reason: str) -> None:
        self._problems.append(Problem(self._source.path, None, f"{self._prefix}.{key}", reason))

    def read(self, task: Any) -> PlacedConversation | None:
        before = len(self._problems)
        data = task.get("data") if isinstance(task, dict) else None
        turns = data.get(DIALOGUE) if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(turns, list) or not turns:
            self.fault(f"data.{DIALOGUE}", "is no list of turns: write the task's turns there")
            return None
        name = data.get("id", task.get("id"))
        if not isinstance(name, str | int) or isinstance(name, bool):
            self.fault("data.id", f"{name!r} is no name: write a JSON string")
        emotions = self._emotions(task, len(turns))
        utterances = [self._utterance(item, place, emotions.get(place)) for place, item in enumerate(turns)]
        if len(self._problems) > before:
            return None
        places = tuple(
            Place(None, f"{self._prefix}.data.{DIALOGUE}[{place}].text", f"{self._prefix}.annotations")
            for place in range(len(turns))
        )
        return PlacedConversation(Conversation(str(name), tuple(turn for turn in utterances if turn)), places)

    def _utterance(self, item: Any, place: int, emotion: str | None) -> Utterance | None:
        values = (item.get("speaker"), item.get("text")) if isinstance(item, dict) else (None, None)
        speaker, text = values
        if not isinstance(speaker, str) or not isinstance(text, str):
            self.fault(f"data.{DIALOGUE}[{place}]", "is no turn: write an object with the texts speaker and text")
            return None
        for value in (speaker, text):
            if fault := character_fault(value):
                self.fault(f"data.{DIALOGUE}[{place}]", fault)
        return Utterance(speaker, text, emotion)

    def _emotions(self, task: dict[str, Any], turns: int) -> dict[int, str]:
        """The labels of the latest annotation, by turn."""
        done = [
            item for item in task.get("annotations") or () if isinstance(item, dict) and not item.get("was_cancelled")
        ]
        if not done:
            return {}
        latest = max(done, key=lambda item: str(item.get("updated_at") or item.get("created_at") or ""))
        found: dict[int, str] = {}
        for region in latest.get("result") or ():
            if not isinstance(region, dict) or region.get("from_name") != CONTROL:
                continue
            self._take(region.get("value"), turns, found)
        return found

    def _take(self, value: Any, turns: int, found: dict[int, str]) -> None:
        labels = value.get("paragraphlabels") if isinstance(value, dict) else None
        start = str(value.get("start")) if isinstance(value, dict) else ""
        if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
            self.fault("annotations", f"{labels!r} is not one label: give a turn one emotion")
        elif not start.isdecimal() or int(start) >= turns:
            self.fault("annotations", f"{start!r} is no turn of the task, which has {turns}: export it again")
        elif found.setdefault(int(start), labels[0]) != labels[0]:
            self.fault("annotations", f"turn {start} is both {found[int(start)]!r} and {labels[0]!r}: keep one")
