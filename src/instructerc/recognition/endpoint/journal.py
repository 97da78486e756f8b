"""Every answer on disk as it comes: what was paid for is never asked again, whenever a run is killed."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from instructerc.errors import DataError
from instructerc.recognition.endpoint.usage import Usage

_KEYS = ("text", "reason", "structured", "dropped_turns", "dropped_demonstrations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of one question, after all that had to go from it.

    Attributes:
        text: The answer as it came.
        reason: Why there is none; empty where there is one.
        structured: Whether the server was told to admit nothing but the labels.
        dropped_turns: Turns of history that had to go because the server called the prompt too long.
        dropped_demonstrations: Demonstrations that had to go as well.
        usage: What it cost, with what was refused as too long.
    """

    text: str
    reason: str = ""
    structured: bool = False
    dropped_turns: int = 0
    dropped_demonstrations: int = 0
    usage: Usage = Usage()  # noqa: RUF009 — a frozen value

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        return {**{name: getattr(self, name) for name in _KEYS}, "usage": self.usage.to_json()}

    @classmethod
    def from_json(cls, record: Any) -> Answered:
        """Reads what `to_json` wrote.

        Raises:
            KeyError: A key is missing.
            TypeError: It is no such record.
        """
        return cls(**{name: record[name] for name in _KEYS}, usage=Usage(**record["usage"]))


@dataclass(slots=True)
class Tally:
    """What all answers came to.

    Attributes:
        usage: What they cost.
        answers: How many there are.
        free: How many of them the model wrote freely, which the server did not hold to the labels.
        unanswered: Questions without an answer, by the reason.
        dropped_demonstrations: Demonstrations that had to go because prompts were too long.
    """

    usage: Usage = Usage()  # noqa: RUF009 — a frozen value
    answers: int = 0
    free: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    dropped_demonstrations: int = 0

    def add(self, answered: Answered) -> None:
        """Counts one more."""
        self.usage += answered.usage
        self.answers += 1
        self.free += not answered.structured and not answered.reason
        self.dropped_demonstrations += answered.dropped_demonstrations
        if answered.reason:
            self.unanswered[answered.reason] += 1


class AnswerJournal:
    """Answers by a hash of their question; several threads may add at once.

    Args:
        path: The file, one JSON object a line; made where it is missing. None keeps nothing but the tally.

    Attributes:
        tally: What all answers came to, those of earlier runs among them.

    Raises:
        DataError: The file holds something else. A torn last line is cut: its question is asked again.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.tally = Tally()
        self._answers: dict[str, Answered] = {}
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            size = self._read(path) if path.exists() else 0
            self._file = path.open("ab")
            self._file.truncate(size)

    def get(self, question: str) -> Answered | None:
        """The answer to a question that was asked before."""
        return self._answers.get(question)

    def add(self, question: str, answered: Answered) -> None:
        """Writes an answer, and hands it to the operating system before it returns."""
        with self._lock:
            self.tally.add(answered)
            if self._file is None:
                return
            self._answers[question] = answered
            line = json.dumps({"question": question, **answered.to_json()})  # ASCII: texts may hold half a surrogate
            self._file.write(line.encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> AnswerJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, path: Path) -> int:
        """Takes in what stands, and returns how many bytes of the file are to stay."""
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                record = json.loads(line)
                answered = Answered.from_json(record)
                self._answers[record["question"]] = answered
            except (ValueError, KeyError, TypeError):
                raise DataError(
                    f"{path}:{number}: is no answer that a run has written: remove the line, and its question is asked "
                    "again"
                ) from None
            self.tally.add(answered)
        return whole
