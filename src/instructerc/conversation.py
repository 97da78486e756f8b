"""The domain: utterances, conversations, corpora. Plain frozen values, no model, no file.

```
Corpus ── train, validation, test ── Conversation ── utterances ── Utterance(speaker, text, emotion)
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from instructerc.errors import DataError

Split = Literal["train", "validation", "test"]
"""Name of a part of a corpus."""

SPLITS: tuple[Split, ...] = get_args(Split)
"""The parts of a corpus, in the order in which they are used."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker says in one turn.

    Attributes:
        speaker: Name of the speaker, as the source writes it. Any text, `***` included.
        text: What is said. May be empty: a turn without words is still a turn.
        emotion: The gold label, or None where the turn carries none.

    Example:
        >>> Utterance("Ada", "We did it!", "joy")
        Utterance(speaker='Ada', text='We did it!', emotion='joy')
    """

    speaker: str
    text: str
    emotion: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back; `emotion` is left out where there is none."""
        record = {"speaker": self.speaker, "text": self.text}
        return record if self.emotion is None else {**record, "emotion": self.emotion}

    @classmethod
    def from_json(cls, record: Any) -> Utterance:
        """Reads what `to_json` wrote.

        Raises:
            DataError: `record` is no object with texts under `speaker` and `text`.
        """
        _require_object(record, "utterance", required=("speaker", "text"), optional=("emotion",))
        emotion = record.get("emotion")
        for key, value in (("speaker", record["speaker"]), ("text", record["text"]), ("emotion", emotion)):
            if not isinstance(value, str) and not (key == "emotion" and value is None):
                raise DataError(f"utterance: {key!r} is {type(value).__name__}, not text: write a JSON string")
        return cls(record["speaker"], record["text"], emotion)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in the order in which they were spoken.

    Attributes:
        id: Names the conversation inside its corpus.
        utterances: The turns; turn numbers count from 0.
    """

    id: str
    utterances: tuple[Utterance, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "utterances", tuple(self.utterances))

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers in the order of their first turn.

        Example:
            >>> Conversation("c", (Utterance("B", "Hi"), Utterance("A", "Hi"), Utterance("B", "So?"))).speakers
            ('B', 'A')
        """
        return tuple(dict.fromkeys(utterance.speaker for utterance in self.utterances))

    def to_json(self) -> dict[str, Any]:
        """One line of our JSONL schema, as a dictionary."""
        return {"id": self.id, "utterances": [utterance.to_json() for utterance in self.utterances]}

    @classmethod
    def from_json(cls, record: Any) -> Conversation:
        """Reads one line of our JSONL schema.

        Raises:
            DataError: A key is missing, unknown, or of the wrong type; names the turn.
        """
        _require_object(record, "conversation", required=("id", "utterances"))
        if not isinstance(record["id"], str):
            raise DataError(f"conversation: 'id' is {record['id']!r}, not text: write a JSON string")
        if not isinstance(record["utterances"], list):
            raise DataError(f"conversation {record['id']!r}: 'utterances' is not a list")
        utterances = []
        for turn, item in enumerate(record["utterances"]):
            try:
                utterances.append(Utterance.from_json(item))
            except DataError as error:
                raise DataError(f"conversation {record['id']!r}, turn {turn}: {error}") from None
        return cls(record["id"], tuple(utterances))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Conversations in three parts, with the closed set of their labels.

    Attributes:
        name: What the corpus is called, everywhere.
        labels: The closed label set, in the order in which prompts state it.
        train: What is learned from.
        validation: What an epoch is chosen by.
        test: What a figure is reported on.
    """

    name: str
    labels: tuple[str, ...]
    train: tuple[Conversation, ...] = field(default=(), repr=False)
    validation: tuple[Conversation, ...] = field(default=(), repr=False)
    test: tuple[Conversation, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for name in ("labels", *SPLITS):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def split(self, name: Split) -> tuple[Conversation, ...]:
        """The conversations of one part."""
        part: tuple[Conversation, ...] = getattr(self, name)
        return part

    def splits(self) -> Iterator[tuple[Split, tuple[Conversation, ...]]]:
        """Each part with its name, train first."""
        for name in SPLITS:
            yield name, self.split(name)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        record: dict[str, Any] = {"name": self.name, "labels": list(self.labels)}
        for name, part in self.splits():
            record[name] = [conversation.to_json() for conversation in part]
        return record

    @classmethod
    def from_json(cls, record: Any) -> Corpus:
        """Reads what `to_json` wrote.

        Raises:
            DataError: A key is missing, unknown, or of the wrong type.
        """
        _require_object(record, "corpus", required=("name", "labels"), optional=SPLITS)
        name, labels = record["name"], record["labels"]
        if not isinstance(name, str):
            raise DataError(f"corpus: 'name' is {name!r}, not text: write a JSON string")
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise DataError(f"corpus {name!r}: 'labels' is {labels!r}: write a list of JSON strings")
        parts = {split: record.get(split, []) for split in SPLITS}
        for split, items in parts.items():
            if not isinstance(items, list):
                raise DataError(f"corpus {name!r}: {split!r} is not a list")
        read = {split: tuple(Conversation.from_json(item) for item in items) for split, items in parts.items()}
        return cls(name, tuple(labels), **read)


def _require_object(record: Any, what: str, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    if not isinstance(record, Mapping):
        raise DataError(f"{what}: expected a JSON object, got {type(record).__name__}")
    missing = [key for key in required if key not in record]
    unknown = [key for key in record if key not in required and key not in optional]
    if missing or unknown:
        faults = [f"lacks {key!r}" for key in missing] + [f"has an unknown key {key!r}" for key in unknown]
        allowed = ", ".join((*required, *optional))
        raise DataError(f"{what}: {' and '.join(faults)}; keys are: {allowed}")
