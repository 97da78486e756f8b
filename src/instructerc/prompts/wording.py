"""Wordings: how a window of turns and a question about one of them are put into words (method §3 and §4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from instructerc.errors import UnknownNameError, UsageError
from instructerc.prompts.example import Segment, Task
from instructerc.prompts.speakers import NumberStyle, lettered, numbered

EXPERT = "Now you are expert of sentiment and emotional analysis."
"""The sentence that opens the published prompts."""


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
        turns: The turns of the window, oldest first, the target among them.
        target: The turn that is asked about.
        labels: The emotions to choose from.
        speakers: The speakers to choose from when who speaks is asked.
    """

    turns: tuple[Turn, ...]
    target: Turn
    labels: tuple[str, ...]
    speakers: tuple[str, ...] = ()

    @property
    def label_list(self) -> str:
        """The labels as prompts list them."""
        return ", ".join(self.labels)


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

    def segments(self, scene: Scene, task: Task) -> tuple[Segment, ...]:
        """The prompt that asks for `task`.

        Raises:
            UsageError: This wording has no words for the task.
        """
        if task not in self.tasks:
            raise UsageError(f"wording {self.name!r} has no words for task {task!r}; it has: {', '.join(self.tasks)}")
        return self._write(scene, task)

    def _write(self, scene: Scene, task: Task) -> tuple[Segment, ...]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedWording(Wording):
    r"""The released code's prompts, byte for byte (method §3).

    ```
    instruction  Now you are expert of … involves several speakers. ###␣
    turn         \t Speaker_0:"…"
    turn         \t Speaker_1:"…"
    statement    ␣### Please select the emotional label of < Speaker_1:"…"> from <happy, sad>:
    ```
    """

    tasks: ClassVar[tuple[Task, ...]] = ("recognition", "speaker_identification", "prediction")

    def _write(self, scene: Scene, task: Task) -> tuple[Segment, ...]:
        if task == "speaker_identification":
            return (Segment("statement", self._who(scene)),)
        history = tuple(turn for turn in scene.turns if turn.index < scene.target.index)
        if task == "recognition" or not history:  # at the first turn the released code predicts with the main prompt
            question = (
                f" ### Please select the emotional label of <{self._say(scene.target)}> from <{scene.label_list}>:"
            )
            return (*self._show(scene.turns), Segment("statement", question))
        number = scene.target.number
        question = (
            "###Based on the above historical utterances, next utterance is spoken by "
            f"<{number}>, please predict the emotion states of <{number}> from <{scene.label_list}>:"
        )
        return (*self._show(history), Segment("statement", question))

    def _show(self, turns: tuple[Turn, ...]) -> tuple[Segment, ...]:
        opening = f"{EXPERT} The following conversation noted between '### ###' involves several speakers. ### "
        shown = tuple(Segment("turn", f"\t{self._say(turn)}", turn.index) for turn in turns)
        return (Segment("instruction", opening), *shown)

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

    def _write(self, scene: Scene, task: Task) -> tuple[Segment, ...]:  # noqa: ARG002 — recognition is the only task
        question = f"Please select the emotional label of <{scene.target.text}> from <{scene.label_list}>:"
        return (Segment("statement", question),)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperWording(Wording):
    """The template of the paper's Figure 2 (method §4), a line a turn."""

    def _write(self, scene: Scene, task: Task) -> tuple[Segment, ...]:  # noqa: ARG002 — recognition is the only task
        shown = tuple(Segment("turn", f'{turn.speaker}:"{turn.text}"\n', turn.index) for turn in scene.turns)
        question = (
            f'Please select the emotional label of < {scene.target.speaker}:"{scene.target.text}" > '
            f"from < {scene.label_list} >."
        )
        return (Segment("instruction", f"{EXPERT}\nHere is a conversation :\n"), *shown, Segment("statement", question))


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
    """

    number_style: NumberStyle = lettered

    def _write(self, scene: Scene, task: Task) -> tuple[Segment, ...]:  # noqa: ARG002 — recognition is the only task
        shown = tuple(Segment("turn", f"{turn.speaker}: {turn.text}\n", turn.index) for turn in scene.turns)
        return (
            Segment("instruction", f"Emotions: {scene.label_list}.\n"),
            *shown,
            Segment("statement", self._question(scene.target)),
        )

    def _question(self, target: Turn) -> str:
        return f"{target.speaker} feels:"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRepeatedWording(CompactWording):
    """The compact wording with the target turn read once more after all of the history.

    ```
    statement    Emotion of B: … =
    ```

    A causal model reads a turn before it has read what the question is; small ones gain from a second look.
    """

    def _question(self, target: Turn) -> str:
        return f"Emotion of {target.speaker}: {target.text} ="


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
