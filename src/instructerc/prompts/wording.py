"""Wordings: how a window of turns and a question about one of them are put into words (method §3 and §4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, get_args

from instructerc.errors import UnknownNameError, UsageError
from instructerc.prompts.demonstration import Demonstration, Placement
from instructerc.prompts.example import Task
from instructerc.prompts.segments import Mapped, Segment, Segments
from instructerc.prompts.speakers import NumberStyle, lettered, numbered

EXPERT = "Now you are expert of sentiment and emotional analysis."
"""The sentence that opens the published prompts."""

DEMONSTRATION = "Demonstration:"
"""The line above the demonstrations of the paper's Figure 2."""

EVERY_TASK: tuple[Task, ...] = get_args(Task)
"""The tasks of the method, recognition first."""


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
        speakers: The speakers to choose from when who speaks is asked, as the prompt calls them.
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
        """The turns before the target: all that a prompt of the auxiliary tasks may show."""
        return self.turns[: bisect_left(self.turns, self.target.index, key=lambda turn: turn.index)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Turns a scene into the segments of a prompt. Subclasses write the tasks that they know.

    Attributes:
        name: What recipes call it.
        number_style: How it writes a numbered speaker.
        tasks: The tasks that it has words for.
        lists_speakers: Whether its question about the speaker lists those to choose from.
    """

    name: str
    number_style: NumberStyle = numbered
    tasks: ClassVar[tuple[Task, ...]] = ("recognition",)
    lists_speakers: ClassVar[bool] = False

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

    prediction   ###Based on the above historical utterances, next utterance is spoken by <1>, please predict …:
    speaker      Now you are expert of … Please select the Speaker label of the utterance <Speaker: …> from <…>:
    ```

    A prediction shows the turns before the target, and at the first turn of a conversation is the main prompt, the
    target with it; the question about the speaker is all of its prompt.
    """

    tasks: ClassVar[tuple[Task, ...]] = EVERY_TASK
    lists_speakers: ClassVar[bool] = True

    def _write(self, scene: Scene, task: Task) -> Segments:
        if task == "speaker_identification":
            return _question(self._who(scene))
        opening = (f"{EXPERT} ", "The following conversation noted between '### ###' involves several speakers. ### ")
        if task == "prediction" and scene.target.index:
            return self._prompt(opening, scene.history, self._next(scene))
        # At a conversation's first turn the released code predicts with the main prompt.
        turns = scene.turns if task == "recognition" else scene.turns[:1]
        question = f" ### Please select the emotional label of <{self._say(scene.target)}> from <{scene.label_list}>:"
        return self._prompt(opening, turns, question)

    def _line(self, turn: Turn) -> str:
        return f"\t{self._say(turn)}"

    @staticmethod
    def _say(turn: Turn) -> str:
        return f' {turn.speaker}:"{turn.text}"'

    @staticmethod
    def _next(scene: Scene) -> str:
        number = scene.target.number
        return (
            "###Based on the above historical utterances, next utterance is spoken by "
            f"<{number}>, please predict the emotion states of <{number}> from <{scene.label_list}>:"
        )

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

    The other tasks ask in the released sentences; a prediction shows the turns before the target, the question
    about the speaker none:

    ```
    prediction     Based on the above historical utterances, next utterance is spoken by < Speaker_1 >, please …
    speaker        Please select the Speaker label of the utterance < … > from < Speaker_0, Speaker_1 >.
    ```
    """

    tasks: ClassVar[tuple[Task, ...]] = EVERY_TASK
    lists_speakers: ClassVar[bool] = True

    def _write(self, scene: Scene, task: Task) -> Segments:
        expert, target = f"{EXPERT}\n", scene.target
        if task == "speaker_identification":
            speakers = ", ".join(scene.speakers)
            question = f"Please select the Speaker label of the utterance < {target.text} > from < {speakers} >."
            return self._prompt((expert,), (), question)
        opening = (expert, "Here is a conversation :\n")
        if task == "prediction":
            question = (
                f"Based on the above historical utterances, next utterance is spoken by < {target.speaker} >, "
                f"please predict the emotion states of < {target.speaker} > from < {scene.label_list} >."
            )
            return self._prompt(opening, scene.history, question)
        question = (
            f'Please select the emotional label of < {target.speaker}:"{target.text}" > from < {scene.label_list} >.'
        )
        return self._prompt(opening, scene.turns, question)

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

    The other tasks open with the same line and show the turns before the target, so that they share both with
    recognition; who may be speaking is not listed:

    ```
    prediction     B will feel:
    speaker        Who says: … =
    ```
    """

    tasks: ClassVar[tuple[Task, ...]] = EVERY_TASK
    number_style: NumberStyle = lettered

    def _write(self, scene: Scene, task: Task) -> Segments:
        questions: Mapping[Task, Callable[[Turn], str]] = {
            "recognition": self._question,
            "speaker_identification": self._who,
            "prediction": self._next,
        }
        turns = scene.turns if task == "recognition" else scene.history
        return self._prompt((f"Emotions: {scene.label_list}.\n",), turns, questions[task](scene.target))

    def _line(self, turn: Turn) -> str:
        return f"{turn.speaker}: {turn.text}\n"

    def _question(self, target: Turn) -> str:
        return f"{target.speaker} feels:"

    def _who(self, target: Turn) -> str:
        return f"Who says: {target.text} ="

    def _next(self, target: Turn) -> str:
        return f"{target.speaker} will feel:"

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

    prediction     Next emotion of B =
    speaker        Who says: … =
    ```

    A causal model reads a turn before it has read what the question is; small ones gain from a second look.
    """

    def _question(self, target: Turn) -> str:
        return f"Emotion of {target.speaker}: {target.text} ="

    def _next(self, target: Turn) -> str:
        return f"Next emotion of {target.speaker} ="

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
