"""A recipe as the plain arguments of the rooms below, which know nothing of recipes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.backbones.adapters import AdapterSpec
from instructerc.backbones.presets import PRESETS
from instructerc.experiments.data import RunData
from instructerc.recognition.artefact import Artefact
from instructerc.training.settings import TrainingSettings

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe


def training_settings(recipe: Recipe) -> TrainingSettings:
    """The numbers of a resolved recipe as `training` takes them."""
    values = recipe.training
    assert values.learning_rate is not None
    return TrainingSettings(
        epochs=values.epochs,
        learning_rate=values.learning_rate,
        schedule=values.schedule,
        warmup=values.warmup,
        batch_size=values.batch_size,
        batching=values.batching,
        row_tokens=values.row_tokens,
        grouping=values.grouping,
        part_size=values.part_size,
        micro_batch=values.micro_batch,
        weight_decay=values.weight_decay,
        betas=values.betas,
        gradient_clip=values.gradient_clip,
        early_stopping=values.early_stopping,
        gradient_checkpointing=values.gradient_checkpointing,
        loss_weighting=values.loss_weighting,
        save_every=values.save_every,
        tracking=values.tracking,
        keep=recipe.checkpoints.keep,
        seed=recipe.seed,
    )


def adapter_spec(recipe: Recipe) -> AdapterSpec:
    """What a recipe trains."""
    values = recipe.adapter
    return AdapterSpec(
        method=values.method, rank=values.rank, alpha=values.alpha, dropout=values.dropout, targets=values.targets
    )


def artefact_of(recipe: Recipe, data: RunData) -> Artefact:
    """What a run saves beside the trained tensors."""
    return Artefact(
        backbone=_place_of(recipe.backbone.name),
        revision=recipe.backbone.revision,
        adapter=adapter_spec(recipe),
        prompt=data.spec,
        max_length=recipe.prompt.max_length,
        mode=recipe.recognition.mode,
        corpus=data.name,
        dtype=recipe.backbone.dtype,
        precision=recipe.training.precision,
    )


def _place_of(backbone: str) -> str:
    """A local folder's whole path: the model has to be found from any working directory."""
    is_folder = backbone not in PRESETS and Path(backbone).is_dir()
    return str(Path(backbone).resolve()) if is_folder else backbone
