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
from instructerc.prompts.speakers import Speakers, speaker_numbers
from instructerc.prompts.window import Window
from instructerc.prompts.wording import WORDINGS, Scene, Turn, get_wording

PUBLISHED_SPEAKERS = 9
"""Speakers that the released speaker prompts list for MELD and EmoryNLP (method §3)."""


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who speaks in a conversation.

    Attributes:
        numbers: The number of each speaker.
        names: What prompts call each speaker.
        candidates: The answers to the question who speaks, in the words of `names`.
    """

    numbers: Mapping[str, int]
    names: Mapping[str, str]
    candidates: tuple[str, ...]


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
        descriptions: What some of the labels mean, stated behind them where prompts list the labels.

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
    descriptions: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        get_wording(self.wording)
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "speaker_order", tuple(self.speaker_order))
        object.__setattr__(self, "speaker_offsets", dict(self.speaker_offsets))
        object.__setattr__(self, "descriptions", dict(self.descriptions))
        if stray := [label for label in self.descriptions if label not in self.labels]:
            raise UsageError(f"{stray[0]!r} is described and no label: the labels are {', '.join(self.labels)}")
        if self.speakers not in get_args(Speakers):
            raise UsageError(f"prompt.speakers is {self.speakers!r}: choose one of {', '.join(get_args(Speakers))}")
        if self.wording == "released" and self.speakers != "index":
            raise UsageError("wording 'released' numbers its speakers: set prompt.speakers to index, or choose 'paper'")

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that the wording has words for, recognition first.

        Example:
            >>> PromptSpec(labels=("joy",), wording="compact").tasks
            ('recognition', 'speaker_identification', 'prediction')
        """
        return get_wording(self.wording).tasks

    def example(
        self,
        conversation: Conversation,
        turn: int,
        *,
        task: Task = "recognition",
        demonstrations: Sequence[Demonstration] | None = None,
    ) -> Example:
        """The example that asks about one turn.

        Prompts of speaker identification and prediction show no turn but those before the target. Who speaks is
        asked of the speakers that the prompt lists, in the released numbers 9 or more; where the wording lists none,
        of those that the conversation has, in the order of their first turn.

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
        """The examples whose right answer is known: what can be learned from and evaluated on.

        Who speaks is known of every turn, what is felt only of those with a gold label.
        """
        found = self.examples(conversation, task=task, demonstrations=demonstrations)
        return (example for example in found if example.target is not None)

    def next_example(self, conversation: Conversation, speaker: str) -> Example:
        """The example that asks what somebody will feel in the turn that comes next, which nobody has said yet.

        ```
        turn      0     1     2     3
        speaker   Ada   Bob   Ada   Bob      a conversation of 3 turns: asks about turn 3, shows turns 0 to 2
        ```

        Args:
            conversation: What was said so far.
            speaker: Who speaks next; may be somebody who has not spoken yet.

        Returns:
            An example of task "prediction" whose turn is the conversation's length and whose target is None.

        Raises:
            UsageError: Nothing was said so far, nobody is named, or the wording has no words for prediction.

        Example:
            >>> spec = PromptSpec(labels=("joy", "anger"), wording="compact")
            >>> print(spec.next_example(Conversation("c", (Utterance("Ada", "Done!"),)), "Bob").prompt)
            Emotions: joy, anger.
            A: Done!
            B will feel:
        """
        if "prediction" not in self.tasks:
            able = ", ".join(name for name, wording in WORDINGS.items() if "prediction" in wording.tasks)
            raise UsageError(f"wording {self.wording!r} has no words for task 'prediction': choose one of {able}")
        if not conversation.utterances:
            raise UsageError(
                f"conversation {conversation.id!r} has no turns to predict from: give one with at least one utterance"
            )
        if not speaker.strip():
            raise UsageError(f"the next speaker is {speaker!r}: give the name of whoever speaks next")
        unsaid = Utterance(speaker, "")
        extended = Conversation(conversation.id, (*conversation.utterances, unsaid))
        return self.example(extended, len(conversation), task="prediction")

    def _cast(self, conversation: Conversation) -> _Cast:
        speakers = conversation.speakers
        first = self.speaker_offsets.get(conversation.id.partition(SEPARATOR)[0], 0)
        # In a mixture only IEMOCAP's conversations have the speakers of the order, and no others.
        order = () if self.speaker_offsets and not set(speakers) <= set(self.speaker_order) else self.speaker_order
        numbers = speaker_numbers(speakers, order=order, first=first)
        wording = get_wording(self.wording)
        if self.speakers == "name":
            # A list in the order of first turns would tell who speaks in the first one.
            listed = sorted(speakers) if wording.lists_speakers else speakers
            return _Cast(numbers, {speaker: speaker for speaker in speakers}, tuple(listed))
        names = {speaker: wording.number_style(numbers[speaker]) for speaker in speakers}
        if not wording.lists_speakers:
            return _Cast(numbers, names, tuple(names.values()))
        last = max([first + (len(order) or PUBLISHED_SPEAKERS), *(number + 1 for number in numbers.values())])
        return _Cast(numbers, names, tuple(map(wording.number_style, range(first, last))))

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
            target=cast.names[utterance.speaker] if who else utterance.emotion,
            demonstrations=shown,
        )

    def _scene(self, conversation: Conversation, target: int, cast: _Cast) -> Scene:
        def see(index: int) -> Turn:
            utterance = conversation.utterances[index]
            speaker = utterance.speaker
            return Turn(index=index, speaker=cast.names[speaker], number=cast.numbers[speaker], text=utterance.text)

        # A view: of a history without end, encoding looks at no more than the model can read.
        shown = Mapped(see, self.window.turns(target, len(conversation)))
        return Scene(turns=shown, target=see(target), labels=self._stated, speakers=cast.candidates)

    @property
    def _stated(self) -> tuple[str, ...]:
        """The labels as prompts list them, with what they mean.

        Example:
            >>> PromptSpec(labels=("calm", "tense"), descriptions={"tense": "on edge"})._stated
            ('calm', 'tense (on edge)')
        """
        return tuple(
            f"{label} ({self.descriptions[label]})" if label in self.descriptions else label for label in self.labels
        )

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
        if self.descriptions:
            record["descriptions"] = dict(self.descriptions)
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
        """Twelve hexadecimal digits that change with the spec, and with its wording's words for recognition."""
        probe = Conversation("probe", (Utterance("B", "first"), Utterance("A", "second"), Utterance("B", "third")))
        shown = None if self.demonstrations is None else ((Demonstration("shown", "label"),),) * len(probe)
        rendered = [example.prompt for example in self.examples(probe, demonstrations=shown)]
        text = json.dumps([self.to_json(), rendered], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
