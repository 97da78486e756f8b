"""From the `stages` section of a recipe to trainings, one after the other.

```
run folder
├── stages/1-speakers/   model, curves and, once it is finished, stage.json; checkpoints while it is not
└── model, curves, …     those of the last stage, as of a run that has only one
```
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.assets import write_atomically
from instructerc.errors import TrainingError
from instructerc.experiments.arguments import training_settings
from instructerc.experiments.data import RECOGNITION, RunData
from instructerc.prompts.example import Example, Task
from instructerc.training.settings import TrainingSettings
from instructerc.training.stage import MODEL, StageResult

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe

FINISHED = "stage.json"
"""What a finished stage has to tell; a folder with it is not trained again."""

FOLDER = "stages"
"""Subfolder of the stages before the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a training.

    Attributes:
        name: What the recipe calls it; empty where it has but one.
        tasks: What is learned, and what an example of each counts.
        settings: Its numbers.
        folder: Where its model, curves and checkpoints go.
        start: Folder of the model that it begins with; None begins with the backbone as it came.
        last: Whether its model is that of the run.
    """

    name: str
    tasks: Mapping[Task, float]
    settings: TrainingSettings
    folder: Path
    start: Path | None
    last: bool

    @property
    def validated(self) -> Task:
        """The task that the epoch is chosen by: recognition where it is learned, else what counts most."""
        return "recognition" if "recognition" in self.tasks else max(self.tasks, key=lambda task: self.tasks[task])

    def finished(self) -> StageResult | None:
        """What a stage that was finished earlier came to; None where it was not.

        Raises:
            TrainingError: Its record is damaged.
        """
        path = self.folder / FINISHED
        if self.last or not path.is_file():
            return None
        try:
            return StageResult.from_json(json.loads(path.read_text(encoding="utf-8")), self.folder)
        except (ValueError, TypeError, KeyError) as error:
            raise TrainingError(f"{path}: is damaged ({error}): remove the folder and start anew") from None

    def finish(self, result: StageResult) -> None:
        """Keeps what an earlier stage came to, and lets go of what it takes to go on with it."""
        if self.last:
            return
        write_atomically(self.folder / FINISHED, json.dumps(result.to_json(), indent=2) + "\n")
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)


def plan_stages(recipe: Recipe, folder: Path, *, start: Path | None = None) -> list[Stage]:
    """The stages of a recipe in a run folder, in their order; none where nothing is trained.

    Args:
        recipe: The recipe.
        folder: The run folder.
        start: Folder of the model that the first one begins with; None begins with the backbone as it came.
    """
    if recipe.adapter.method == "none":
        return []
    return list(_planned(recipe, folder, start))


def _planned(recipe: Recipe, folder: Path, start: Path | None) -> Iterator[Stage]:
    stages = recipe.stages or (None,)
    for number, stage in enumerate(stages, start=1):
        last = number == len(stages)
        name = stage.name if stage else ""
        own = folder if last else folder / FOLDER / f"{number}-{name}"
        yield Stage(
            name=name,
            tasks=stage.tasks if stage else RECOGNITION,
            settings=training_settings(recipe, stage),
            folder=own,
            start=start,
            last=last,
        )
        start = own / MODEL


def stage_examples(stage: Stage, data: RunData) -> tuple[list[Example], TrainingSettings]:
    """The training examples of a stage, and its numbers with the batch size that they take.

    Predictions beside recognition are a second term of the same turns' loss (method §6): they ride along, and change
    neither the number of steps nor how many turns a step recognises.
    """
    examples = data.examples("train", stage.tasks)
    if "recognition" not in stage.tasks or "prediction" not in stage.tasks:
        return examples, stage.settings
    riding = sum(example.task == "prediction" for example in examples)
    size = round(stage.settings.batch_size * len(examples) / max(len(examples) - riding, 1))
    return examples, replace(stage.settings, batch_size=size)
