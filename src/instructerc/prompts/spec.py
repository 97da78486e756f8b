"""The one renderer: from conversations to examples, by a spec that every artefact carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.mixing import SEPARATOR
from instructerc.errors import ArtefactError, UsageError
from instructerc.prompts.demonstration import (
    ChosenDemonstrations,
    Demonstration,
    DemonstrationSpec,
    demonstrations_by_turn,
    shown_demonstrations,
)
from instructerc.prompts.example import Example, Task
from instructerc.prompts.segments import Mapped
from instructerc.prompts.speakers import Speakers, numbered, speaker_numbers
from instructerc.prompts.window import Window
from instructerc.prompts.wording import Scene, Turn, get_wording

PUBLISHED_SPEAKERS = 9
"""Speakers that the released speaker prompts list for MELD and EmoryNLP (method §3)."""


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who speaks in a conversation.

    Attributes:
        numbers: The number of each speaker.
        names: How the wording writes each number.
        listed: The speakers that a question about the speaker lists.
    """

    numbers: Mapping[str, int]
    names: Mapping[int, str]
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
        speaker_offsets: For each corpus of a mixture, the number its speakers are counted from (`speaker_offsets`);
            conversations of other corpora, and of none, are counted from 0.
        demonstrations: How many labelled utterances are shown, and where; None shows none.

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
    speaker_offsets: Mapping[str, int] = field(default_factory=dict, hash=False)
    demonstrations: DemonstrationSpec | None = None

    def __post_init__(self) -> None:
        get_wording(self.wording)
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "speaker_order", tuple(self.speaker_order))
        object.__setattr__(self, "speaker_offsets", dict(self.speaker_offsets))
        if self.speakers not in get_args(Speakers):
            raise UsageError(f"prompt.speakers is {self.speakers!r}: choose one of {', '.join(get_args(Speakers))}")
        if self.wording == "released" and self.speakers != "index":
            raise UsageError("wording 'released' numbers its speakers: set prompt.speakers to index, or choose 'paper'")

    def example(
        self,
        conversation: Conversation,
        turn: int,
        *,
        task: Task = "recognition",
        demonstrations: Sequence[Demonstration] | None = None,
    ) -> Example:
        """The example that asks about one turn.

        Args:
            conversation: Where the turn stands.
            turn: Its number, from 0.
            task: What is asked.
            demonstrations: What to show, nearest first; a spec with `demonstrations` needs them for recognition.

        Raises:
            UsageError: The wording has no words for the task, or the demonstrations do not fit the spec.
        """
        return self._example(conversation, turn, task, self._cast(conversation), demonstrations)

    def examples(
        self,
        conversation: Conversation,
        *,
        task: Task = "recognition",
        demonstrations: ChosenDemonstrations | None = None,
    ) -> Iterator[Example]:
        """An example a turn, in order; lazily, and rendered when looked at: a long conversation has long prompts.

        Args:
            conversation: What is asked about.
            task: What is asked.
            demonstrations: What to show at each turn, or a function that chooses it.

        Raises:
            UsageError: As for `example`, or there are not demonstrations for each turn.
        """
        cast = self._cast(conversation)  # once: it takes a look at every turn
        chosen = None if demonstrations is None else demonstrations_by_turn(conversation, demonstrations)
        return (
            self._example(conversation, turn, task, cast, None if chosen is None else chosen[turn])
            for turn in range(len(conversation))
        )

    def labelled_examples(
        self,
        conversation: Conversation,
        *,
        task: Task = "recognition",
        demonstrations: ChosenDemonstrations | None = None,
    ) -> Iterator[Example]:
        """The examples whose turn carries a gold label: what can be learned from and evaluated on."""
        found = self.examples(conversation, task=task, demonstrations=demonstrations)
        return (example for example in found if example.target is not None)

    def _cast(self, conversation: Conversation) -> _Cast:
        speakers = conversation.speakers
        first = self.speaker_offsets.get(conversation.id.partition(SEPARATOR)[0], 0)
        # In a mixture only IEMOCAP's conversations have the speakers of the order.
        order = () if self.speaker_offsets and not set(self.speaker_order) & set(speakers) else self.speaker_order
        numbers = speaker_numbers(speakers, order=order, first=first)
        last = max([first + (len(order) or PUBLISHED_SPEAKERS), *(number + 1 for number in numbers.values())])
        names = {number: get_wording(self.wording).number_style(number) for number in numbers.values()}
        return _Cast(numbers, names, tuple(numbered(number) for number in range(first, last)))

    def _example(
        self,
        conversation: Conversation,
        turn: int,
        task: Task,
        cast: _Cast,
        demonstrations: Sequence[Demonstration] | None,
    ) -> Example:
        wording = get_wording(self.wording)
        scene = self._scene(conversation, turn, cast)
        if shown := shown_demonstrations(self.demonstrations, task, demonstrations):
            assert self.demonstrations is not None
            scene = replace(scene, demonstrations=shown, placement=self.demonstrations.placement)
        utterance = conversation.utterances[turn]
        who = task == "speaker_identification"
        return Example(
            conversation=conversation.id,
            turn=turn,
            task=task,
            segments=wording.segments(scene, task),
            candidates=scene.speakers if who else self.labels,
            target=numbered(cast.numbers[utterance.speaker]) if who else utterance.emotion,
            demonstrations=shown,
        )

    def _scene(self, conversation: Conversation, target: int, cast: _Cast) -> Scene:
        def see(index: int) -> Turn:
            utterance = conversation.utterances[index]
            number = cast.numbers[utterance.speaker]
            name = utterance.speaker if self.speakers == "name" else cast.names[number]
            return Turn(index=index, speaker=name, number=number, text=utterance.text)

        # A view: of a history without end, encoding looks at no more than the model can read.
        shown = Mapped(see, self.window.turns(target, len(conversation)))
        return Scene(turns=shown, target=see(target), labels=self.labels, speakers=cast.listed)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        record: dict[str, Any] = {
            "wording": self.wording,
            "window": self.window.to_json(),
            "speakers": self.speakers,
            "speaker_order": list(self.speaker_order),
            "labels": list(self.labels),
        }
        # Left out where there are none: the hash of a spec without them is what it was before there were any.
        if self.speaker_offsets:
            record["speaker_offsets"] = dict(self.speaker_offsets)
        if self.demonstrations is not None:
            record["demonstrations"] = self.demonstrations.to_json()
        return record

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
            shown = record.get("demonstrations")
            demonstrations = None if shown is None else DemonstrationSpec(**shown)
            return cls(**{**record, "window": Window(**record["window"]), "demonstrations": demonstrations})
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise ArtefactError(
                f"this is no prompt spec of ours ({error}): train again, or use the older version"
            ) from None

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with the spec, and with the words of its wording."""
        probe = Conversation("probe", (Utterance("B", "first"), Utterance("A", "second"), Utterance("B", "third")))
        shown = None if self.demonstrations is None else ((Demonstration("shown", "label"),),) * len(probe)
        rendered = [example.prompt for example in self.examples(probe, demonstrations=shown)]
        text = json.dumps([self.to_json(), rendered], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
