"""A recipe that runs whole in a second or two: the tiny Llama on the tiny corpus, written as files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from instructerc.conversation import Conversation, Corpus
from instructerc.experiments.resolve import Resolved, resolve
from instructerc.experiments.watching import Silent
from instructerc.testing import TINY_LABELS, tiny_corpus


def write_conversations(path: Path, conversations: Iterable[Conversation]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(chat.to_json()) + "\n" for chat in conversations), encoding="utf-8")
    return path


def write_corpus(folder: Path, corpus: Corpus | None = None) -> Path:
    for split, conversations in (corpus or tiny_corpus()).splits():
        write_conversations(folder / f"{split}.jsonl", conversations)
    return folder


def values(corpus: Path, llama: Path) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"corpus": str(corpus), "labels": list(TINY_LABELS)},
        "backbone": {"name": str(llama), "dtype": "float32"},
        "adapter": {"method": "all"},
        "training": {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 0.01,
            "precision": "float32",
            "tracking": [],
        },
        "evaluation": {"bootstrap": 50},
    }


def recipe(folder: Path, given: dict[str, Any], *overrides: str) -> Resolved:
    """Resolves a recipe that is written into a folder as JSON, which is YAML; its run goes to `folder/run`."""
    file = folder / "tiny.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(given), encoding="utf-8")
    return resolve(str(file), [f"output.folder={json.dumps(str(folder / 'run'))}", *overrides])


class Log(Silent):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.start: tuple[int, int] | None = None
        self.steps: list[int] = []
        self.turns: int | None = None
        self.recognised = 0
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def started(self, *, steps: int, done: int) -> None:
        self.start = steps, done

    def step(self, done: int, loss: float | None) -> None:
        self.steps.append(done)

    def recognizing(self, *, turns: int) -> None:
        self.turns = turns

    def recognized(self, turns: int) -> None:
        self.recognised += turns
