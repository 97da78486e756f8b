"""What training examples teach beside their labels: some of every label, and what other models believe.

Trained models that read the training conversations (`training.teachers`) say how likely each label is; one small model
learns from all of them what one label a turn does not tell. They are asked before the backbone is loaded, one by one;
what they said stays in the run folder, for a resume.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.assets import write_atomically
from instructerc.backbones.exhaustion import release
from instructerc.conversation import Conversation
from instructerc.errors import TrainingError, UsageError
from instructerc.experiments.starting import TrainedModel
from instructerc.prompts.example import Example
from instructerc.recognition.artefact import read_artefact
from instructerc.recognition.publishing import find_model
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.training.targets import soft_target

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe

Turn = tuple[str, int]
"""Id of a conversation, and number of a turn of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """What each answer of a training example counts.

    Attributes:
        smoothing: Share that all labels have alike.
        teachers: Models that are asked.
        weight: Share of what they believe; the rest is the label's.
        beliefs: What they believe of each turn, by label; empty until they were asked.
    """

    smoothing: float = 0.0
    teachers: tuple[TrainedModel, ...] = ()
    weight: float = 0.0
    beliefs: Mapping[Turn, Mapping[str, float]] = field(default_factory=dict, repr=False)

    @property
    def notice(self) -> str:
        """What a report has to say of the teachers; empty where there are none."""
        if not self.teachers:
            return ""
        told = "; ".join(f"model {teacher.hash}, of {teacher.corpus or 'unnamed data'}" for teacher in self.teachers)
        return f"Teachers: {told}. What they have read and the measured split shares was not looked for here."

    def of(self, example: Example) -> Example:
        """A training example with what each of its answers counts; as it is where its label is all that it teaches."""
        if example.task != "recognition" or example.target not in example.candidates:
            return example
        believed = self.beliefs.get((example.conversation, example.turn), {})
        if not believed and not self.smoothing:
            return example
        shares = soft_target(
            example.candidates.index(example.target),
            len(example.candidates),
            smoothing=self.smoothing,
            taught=[believed[label] for label in example.candidates] if believed else (),
            weight=self.weight,
        )
        return replace(example, shares=shares)

    def asked(
        self,
        conversations: Sequence[Conversation],
        *,
        batch_size: int,
        told: Callable[[str], None],
        progress: Callable[[int], None] | None = None,
    ) -> Teaching:
        """The same with what the teachers believe of these conversations: the mean of their probabilities.

        Args:
            conversations: Those that are learned from. Their labels are not shown.
            batch_size: Prompts that go through a teacher at once.
            told: Is told which teacher is asked.
            progress: Told how many more turns are done.
        """
        sums: dict[Turn, dict[str, float]] = {}
        for number, teacher in enumerate(self.teachers, start=1):
            told(f"asking teacher {number} of {len(self.teachers)}")
            recognizer = EmotionRecognizer.from_pretrained(teacher.folder, mode="score", batch_size=batch_size)
            recognizer.warns = False
            for rows in recognizer.recognize_all(conversations, progress=progress):
                for row in rows:
                    found = sums.setdefault((row.conversation, row.turn), {})
                    for label, probability in (row.probabilities or {}).items():
                        found[label] = found.get(label, 0.0) + probability / len(self.teachers)
            del recognizer
            release()
        return replace(self, beliefs=sums)

    def write(self, path: Path) -> None:
        """Keeps what the teachers believe."""
        rows = [[*turn, believed] for turn, believed in self.beliefs.items()]
        write_atomically(path, json.dumps(rows) + "\n")

    def read(self, path: Path) -> Teaching | None:
        """The same with what the teachers said earlier; None where they were not asked yet.

        Raises:
            TrainingError: The file is damaged.
        """
        if not path.is_file():
            return None
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            beliefs = {(str(name), int(turn)): {**believed} for name, turn, believed in rows}
        except (ValueError, TypeError) as error:
            raise TrainingError(f"{path}: is damaged ({error}): remove it, and the teachers are asked anew") from None
        return replace(self, beliefs=beliefs)


def find_teaching(recipe: Recipe, labels: Sequence[str]) -> Teaching:
    """What a recipe's examples teach; its teachers are found, and not asked yet.

    Raises:
        ArtefactError: A teacher is no trained model, or damaged.
        AssetError: A hub has none of that name, or may not be asked.
        UsageError: It has other labels, is asked through a server, or is shown demonstrations.
    """
    values = recipe.training
    teachers = []
    for name in values.teachers or ():
        artefact, place = read_artefact(find_model(name))
        fault = None
        if set(artefact.prompt.labels) != set(labels):
            fault = f"its labels are {', '.join(artefact.prompt.labels)}, not {', '.join(labels)}"
        elif artefact.endpoint is not None:
            fault = "it is asked through a server, which tells no probability of each label"
        elif artefact.demonstrations is not None:
            fault = "its prompts show labelled utterances, here the very turns that it is asked about"
        if fault:
            raise UsageError(f"training.teachers {name}: {fault}: name another model, or leave it out")
        teachers.append(TrainedModel.of(artefact, place))
    weight = values.teacher_weight if teachers else 0.0
    return Teaching(smoothing=values.label_smoothing, teachers=tuple(teachers), weight=weight)
