"""The one renderer: from conversations to examples, by a spec that every artefact carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from instructerc.conversation import Conversation, Utterance
from instructerc.errors import ArtefactError, UsageError
from instructerc.prompts.example import Example, Task
from instructerc.prompts.speakers import Speakers, numbered, speaker_numbers
from instructerc.prompts.window import Window
from instructerc.prompts.wording import Scene, Turn, Wording, get_wording

PUBLISHED_SPEAKERS = 9
"""Speakers that the released speaker prompts list for MELD and EmoryNLP (method §3)."""


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who speaks in a conversation.

    Attributes:
        numbers: The number of each speaker.
        listed: The speakers that a question about the speaker lists.
    """

    numbers: Mapping[str, int]
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSpec:
    """All that decides what a prompt looks like.

    Attributes:
        labels: The closed label set, in the order in which prompts state it.
        wording: Name of the wording.
        window: Which turns are shown.
        speakers: Whether speakers are numbered or named.
        speaker_order: Speakers with a fixed number (IEMOCAP: M, F).

    Example:
        >>> spec = PromptSpec(labels=("joy", "anger"), wording="compact")
        >>> conversation = Conversation("c", (Utterance("Ada", "Done!"), Utterance("Bob", "Great.", "anger")))
        >>> print(spec.example(conversation, 1).prompt)
        Emotions: joy, anger.
        A: Done!
        B: Great.
        B feels:
    """

    labels: tuple[str, ...]
    wording: str = "released"
    window: Window = Window()  # noqa: RUF009 — a frozen value
    speakers: Speakers = "index"
    speaker_order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        get_wording(self.wording)
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "speaker_order", tuple(self.speaker_order))
        if self.speakers not in get_args(Speakers):
            raise UsageError(f"prompt.speakers is {self.speakers!r}: choose one of {', '.join(get_args(Speakers))}")
        if self.wording == "released" and self.speakers != "index":
            raise UsageError("wording 'released' numbers its speakers: set prompt.speakers to index, or choose 'paper'")

    def example(self, conversation: Conversation, turn: int, *, task: Task = "recognition") -> Example:
        """The example that asks about one turn.

        Raises:
            UsageError: The wording has no words for the task.
        """
        return self._example(conversation, turn, task, self._cast(conversation))

    def examples(self, conversation: Conversation, *, task: Task = "recognition") -> Iterator[Example]:
        """An example a turn, in order; lazily, since a long conversation has many long prompts."""
        cast = self._cast(conversation)  # once: it takes a look at every turn
        return (self._example(conversation, turn, task, cast) for turn in range(len(conversation)))

    def labelled_examples(self, conversation: Conversation, *, task: Task = "recognition") -> Iterator[Example]:
        """The examples whose turn carries a gold label: what can be learned from and evaluated on."""
        return (example for example in self.examples(conversation, task=task) if example.target is not None)

    def _cast(self, conversation: Conversation) -> _Cast:
        numbers = speaker_numbers(conversation.speakers, order=self.speaker_order)
        listed = max([len(self.speaker_order) or PUBLISHED_SPEAKERS, *(number + 1 for number in numbers.values())])
        return _Cast(numbers, tuple(numbered(number) for number in range(listed)))

    def _example(self, conversation: Conversation, turn: int, task: Task, cast: _Cast) -> Example:
        wording = get_wording(self.wording)
        scene = self._scene(conversation, turn, wording, cast)
        utterance = conversation.utterances[turn]
        who = task == "speaker_identification"
        return Example(
            conversation=conversation.id,
            turn=turn,
            task=task,
            segments=wording.segments(scene, task),
            candidates=scene.speakers if who else self.labels,
            target=numbered(cast.numbers[utterance.speaker]) if who else utterance.emotion,
        )

    def _scene(self, conversation: Conversation, target: int, wording: Wording, cast: _Cast) -> Scene:
        def see(index: int) -> Turn:
            utterance = conversation.utterances[index]
            number = cast.numbers[utterance.speaker]
            name = utterance.speaker if self.speakers == "name" else wording.number_style(number)
            return Turn(index=index, speaker=name, number=number, text=utterance.text)

        shown = tuple(see(index) for index in self.window.turns(target, len(conversation)))
        return Scene(turns=shown, target=see(target), labels=self.labels, speakers=cast.listed)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        return {
            "wording": self.wording,
            "window": self.window.to_json(),
            "speakers": self.speakers,
            "speaker_order": list(self.speaker_order),
            "labels": list(self.labels),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> PromptSpec:
        """Reads what `to_json` wrote.

        Raises:
            ArtefactError: A key is missing, unknown, or holds something else.
        """
        try:
            missing = [key for key in ("wording", "speakers", "speaker_order", "labels") if key not in record]
            if missing:  # a default would silently be another prompt than the one that was learned
                raise KeyError(*missing)
            if isinstance(record["labels"], str):
                raise TypeError("'labels' is one text")
            return cls(**{**record, "window": Window(**record["window"])})
        except (KeyError, TypeError, UsageError) as error:
            raise ArtefactError(
                f"this is no prompt spec of ours ({error}): train again, or use the older version"
            ) from None

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with the spec, and with the words of its wording."""
        probe = Conversation("probe", (Utterance("B", "first"), Utterance("A", "second"), Utterance("B", "third")))
        rendered = [example.prompt for example in self.examples(probe)]
        text = json.dumps([self.to_json(), rendered], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
