"""Wordings: how a window of turns and a question about one of them are put into words (method §3 and §4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from instructerc.errors import UnknownNameError, UsageError
from instructerc.prompts.demonstration import Demonstration, Placement
from instructerc.prompts.example import Task
from instructerc.prompts.segments import Mapped, Segment, Segments
from instructerc.prompts.speakers import NumberStyle, lettered, numbered

EXPERT = "Now you are expert of sentiment and emotional analysis."
"""The sentence that opens the published prompts."""

DEMONSTRATION = "Demonstration:"
"""The line above the demonstrations of the paper's Figure 2."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as a wording sees it.

    Attributes:
        index: Number of the turn in its conversation.
        speaker: What the speaker is called in the prompt.
        number: Number of the speaker in the conversation.
        text: What is said.
    """

    index: int
    speaker: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a wording may use.

    Attributes:
        turns: The turns of the window, oldest first, the target among them; wordings need not look at them all.
        target: The turn that is asked about.
        labels: The emotions to choose from.
        speakers: The speakers to choose from when who speaks is asked.
        demonstrations: Labelled utterances to show, nearest first.
        placement: Where they stand.
    """

    turns: Sequence[Turn]
    target: Turn
    labels: tuple[str, ...]
    speakers: tuple[str, ...] = ()
    demonstrations: tuple[Demonstration, ...] = ()
    placement: Placement = "after"

    @property
    def label_list(self) -> str:
        """The labels as prompts list them."""
        return ", ".join(self.labels)

    @property
    def history(self) -> Sequence[Turn]:
        """The turns before the target."""
        return self.turns[: bisect_left(self.turns, self.target.index, key=lambda turn: turn.index)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Turns a scene into the segments of a prompt. Subclasses write the tasks that they know.

    Attributes:
        name: What recipes call it.
        number_style: How it writes a numbered speaker.
        tasks: The tasks that it has words for.
    """

    name: str
    number_style: NumberStyle = numbered
    tasks: ClassVar[tuple[Task, ...]] = ("recognition",)

    def segments(self, scene: Scene, task: Task) -> Segments:
        """The prompt that asks for `task`; its turns are rendered when they are looked at.

        Raises:
            UsageError: This wording has no words for the task.
        """
        if task not in self.tasks:
            raise UsageError(f"wording {self.name!r} has no words for task {task!r}; it has: {', '.join(self.tasks)}")
        parts = self._write(scene, task)
        return self._demonstrating(parts, scene) if scene.demonstrations else parts

    def _write(self, scene: Scene, task: Task) -> Segments:
        raise NotImplementedError

    def _line(self, turn: Turn) -> str:
        """A turn as it stands among the others."""
        raise NotImplementedError

    def _demonstrating(self, parts: Segments, scene: Scene) -> Segments:
        """The prompt with the scene's demonstrations: behind its first sentence, or behind its question."""
        lines = [self._demonstration(item, scene) for item in scene.demonstrations]
        if scene.placement == "before":
            texts = [f"{DEMONSTRATION}\n{lines[0]}\n", *(f"{line}\n" for line in lines[1:])]
            return replace(parts, before=(*parts.before[:1], *_demonstrations(texts), *parts.before[1:]))
        texts = [f"\n{DEMONSTRATION}\n{lines[0]}", *(f"\n{line}" for line in lines[1:])]
        return replace(parts, after=(*parts.after, *_demonstrations(texts)))

    def _demonstration(self, shown: Demonstration, scene: Scene) -> str:  # noqa: ARG002 — others name a speaker
        """A demonstration as one line, in the words that nobody published for this wording."""
        return f'<"{shown.text}">: {shown.label}'

    def _prompt(self, instruction: Sequence[str], turns: Sequence[Turn], statement: str) -> Segments:
        opening = tuple(Segment("instruction", text) for text in instruction)
        shown = Mapped(lambda turn: Segment("turn", self._line(turn), turn.index), turns)
        return Segments(opening, shown, (Segment("statement", statement),))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedWording(Wording):
    r"""The released code's prompts, byte for byte (method §3).

    ```
    instruction  Now you are expert of …␣
    instruction  The following conversation … involves several speakers. ###␣
    turn         \t Speaker_0:"…"
    turn         \t Speaker_1:"…"
    statement    ␣### Please select the emotional label of < Speaker_1:"…"> from <happy, sad>:
    ```
    """

    tasks: ClassVar[tuple[Task, ...]] = ("recognition", "speaker_identification", "prediction")

    def _write(self, scene: Scene, task: Task) -> Segments:
        if task == "speaker_identification":
            return _question(self._who(scene))
        opening = (f"{EXPERT} ", "The following conversation noted between '### ###' involves several speakers. ### ")
        history = scene.history
        if task == "recognition" or not history:  # at the first turn the released code predicts with the main prompt
            question = (
                f" ### Please select the emotional label of <{self._say(scene.target)}> from <{scene.label_list}>:"
            )
            return self._prompt(opening, scene.turns, question)
        number = scene.target.number
        question = (
            "###Based on the above historical utterances, next utterance is spoken by "
            f"<{number}>, please predict the emotion states of <{number}> from <{scene.label_list}>:"
        )
        return self._prompt(opening, history, question)

    def _line(self, turn: Turn) -> str:
        return f"\t{self._say(turn)}"

    @staticmethod
    def _say(turn: Turn) -> str:
        return f' {turn.speaker}:"{turn.text}"'

    @staticmethod
    def _who(scene: Scene) -> str:
        speakers = ", ".join(scene.speakers)
        return (
            f"{EXPERT} Please select the Speaker label of the utterance "
            f"<Speaker: {scene.target.text}> from <{speakers}>:"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainWording(Wording):
    """The published baseline: the target turn alone, without history and speaker (method §3)."""

    def _write(self, scene: Scene, task: Task) -> Segments:  # noqa: ARG002 — recognition is the only task
        return _question(f"Please select the emotional label of <{scene.target.text}> from <{scene.label_list}>:")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperWording(Wording):
    r"""The template of the paper's Figure 2 (method §4), a line a turn and a line a demonstration.

    ```
    instruction    Now you are expert of …\n
    instruction    Here is a conversation :\n
    turn           Speaker_1:"…"\n
    statement      Please select the emotional label of < Speaker_1:"…" > from < happy, sad >.
    demonstration  \nDemonstration:\n<Speaker_1: “…” >: sad
    ```
    """

    def _write(self, scene: Scene, task: Task) -> Segments:  # noqa: ARG002 — recognition is the only task
        question = (
            f'Please select the emotional label of < {scene.target.speaker}:"{scene.target.text}" > '
            f"from < {scene.label_list} >."
        )
        return self._prompt((f"{EXPERT}\n", "Here is a conversation :\n"), scene.turns, question)

    def _line(self, turn: Turn) -> str:
        return f'{turn.speaker}:"{turn.text}"\n'

    def _demonstration(self, shown: Demonstration, scene: Scene) -> str:
        # The figure names a speaker, the retrieval has none: the one that is asked about stands in.
        return f"<{scene.target.speaker}: “{shown.text}” >: {shown.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactWording(Wording):
    r"""Ours: the labels stand once, in the instruction, and a short suffix asks for the target turn.

    ```
    instruction  Emotions: happy, sad.\n
    turn         A: …\n
    turn         B: …\n
    statement    B feels:
    ```

    About half as many tokens as the released wording, and all of a conversation's prompts share their history.
    A demonstration looks like a turn with its answer, and never stands behind the words that the answer continues:

    ```
    demonstration  Example: …\nExample feels: sad\n
    statement      B feels:
    ```
    """

    number_style: NumberStyle = lettered

    def _write(self, scene: Scene, task: Task) -> Segments:  # noqa: ARG002 — recognition is the only task
        return self._prompt((f"Emotions: {scene.label_list}.\n",), scene.turns, self._question(scene.target))

    def _line(self, turn: Turn) -> str:
        return f"{turn.speaker}: {turn.text}\n"

    def _question(self, target: Turn) -> str:
        return f"{target.speaker} feels:"

    def _demonstrating(self, parts: Segments, scene: Scene) -> Segments:
        shown = _demonstrations([self._demonstration(item, scene) for item in scene.demonstrations])
        if scene.placement == "before":
            return replace(parts, before=(*parts.before, *shown))
        return replace(parts, after=(*shown, *parts.after))

    def _demonstration(self, shown: Demonstration, scene: Scene) -> str:  # noqa: ARG002 — says nothing of the target
        turn = _as_turn(shown)
        return f"{self._line(turn)}{self._question(turn)} {shown.label}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRepeatedWording(CompactWording):
    r"""The compact wording with the target turn read once more after all of the history.

    ```
    demonstration  Emotion of Example: … = sad\n
    statement      Emotion of B: … =
    ```

    A causal model reads a turn before it has read what the question is; small ones gain from a second look.
    """

    def _question(self, target: Turn) -> str:
        return f"Emotion of {target.speaker}: {target.text} ="

    def _demonstration(self, shown: Demonstration, scene: Scene) -> str:  # noqa: ARG002 — says nothing of the target
        return f"{self._question(_as_turn(shown))} {shown.label}\n"


def _question(text: str) -> Segments:
    """A prompt without turns around it."""
    return Segments((), (), (Segment("statement", text),))


def _demonstrations(texts: Sequence[str]) -> tuple[Segment, ...]:
    return tuple(Segment("demonstration", text) for text in texts)


def _as_turn(shown: Demonstration) -> Turn:
    """A demonstration as if a speaker called "Example" had said it."""
    return Turn(index=-1, speaker="Example", number=-1, text=shown.text)


RELEASED = ReleasedWording(name="released")
PLAIN = PlainWording(name="plain")
PAPER = PaperWording(name="paper")
COMPACT = CompactWording(name="compact")
COMPACT_REPEATED = CompactRepeatedWording(name="compact-repeated")

WORDINGS: Mapping[str, Wording] = {
    wording.name: wording for wording in (RELEASED, PAPER, COMPACT, COMPACT_REPEATED, PLAIN)
}
"""Every wording that has a name."""


def get_wording(name: str) -> Wording:
    """The wording of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in WORDINGS:
        raise UnknownNameError("wording", name, WORDINGS)
    return WORDINGS[name]
