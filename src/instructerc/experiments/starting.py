"""Models that were trained before, as a training needs them: to begin with one, or to be taught by them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.backbones.presets import packaged
from instructerc.errors import UsageError
from instructerc.experiments.adapting import adapter_spec, place_of
from instructerc.recognition.artefact import Artefact, model_hash, read_artefact
from instructerc.recognition.publishing import find_model

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that was trained before.

    Attributes:
        folder: Where its tensors lie.
        hash: Of the model: a resume has to meet the same.
        corpus: What it was trained on; empty where it does not say.
    """

    folder: Path
    hash: str
    corpus: str = ""

    @classmethod
    def of(cls, artefact: Artefact, place: Path) -> TrainedModel:
        """What `read_artefact` found."""
        return cls(place, model_hash(artefact, place), artefact.corpus)


def start_notice(start: TrainedModel) -> str:
    """What a report has to say of it: nobody looked for leaks between what it has read and what is measured."""
    return (
        f"Training began with model {start.hash}, trained on {start.corpus or 'what it does not name'}: what that "
        "shares with the measured split was not looked for here."
    )


def find_start(recipe: Recipe) -> TrainedModel | None:
    """What a recipe's training begins with; None where that is the backbone as it came.

    Raises:
        ArtefactError: There is no trained model, or it is damaged.
        AssetError: A hub has none of that name, or may not be asked.
        UsageError: It is of another backbone, or trained in another way.
    """
    name = recipe.training.start
    if name is None:
        return None
    artefact, place = read_artefact(find_model(name))
    faults = []
    backbone = place_of(recipe.backbone.name)
    # The embedded backbones are the same weights, read in other ways: what one has learned is a start for another.
    if artefact.backbone != backbone and not (packaged(artefact.backbone) and packaged(backbone)):
        faults.append(f"its backbone is {artefact.backbone}, not {backbone}: set backbone.name")
    if artefact.adapter is None:
        faults.append("nothing in it was trained: name another model, or leave the key out")
    elif (wanted := adapter_spec(recipe)) != artefact.adapter:
        faults.append(f"it was trained with {artefact.adapter}, not {wanted}: set the keys of adapter")
    if faults:
        raise UsageError(f"training.start {name}: {'; '.join(faults)}")
    return TrainedModel.of(artefact, place)
