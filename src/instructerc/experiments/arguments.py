"""A recipe as the plain arguments of the rooms below, which know nothing of recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from instructerc.experiments.adapting import adapter_spec, place_of
from instructerc.experiments.data import RunData
from instructerc.experiments.demonstrating import recipe_encoder
from instructerc.prompts.example import Task
from instructerc.recognition.artefact import Artefact, DemonstrationSource
from instructerc.recognition.endpoint.settings import EndpointSettings
from instructerc.training.settings import TrainingSettings

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe
    from instructerc.experiments.training_schema import StageSettings


def training_settings(recipe: Recipe, stage: StageSettings | None = None) -> TrainingSettings:
    """The numbers of a resolved recipe as `training` takes them; a stage may have its own."""
    values = recipe.training
    rate = (stage.learning_rate if stage else None) or values.learning_rate
    assert rate is not None
    return TrainingSettings(
        epochs=(stage.epochs if stage else None) or values.epochs,
        learning_rate=rate,
        schedule=values.schedule,
        warmup=values.warmup,
        batch_size=(stage.batch_size if stage else None) or values.batch_size,
        batching=values.batching,
        row_tokens=values.row_tokens,
        auto_batch=values.auto_batch,
        grouping=values.grouping,
        part_size=values.part_size,
        micro_batch=values.micro_batch,
        weight_decay=values.weight_decay,
        betas=values.betas,
        gradient_clip=values.gradient_clip,
        early_stopping=values.early_stopping,
        gradient_checkpointing=values.gradient_checkpointing,
        loss_weighting=values.loss_weighting,
        averaging=values.averaging,
        focal_gamma=values.focal_gamma,
        save_every=values.save_every,
        tracking=values.tracking,
        keep=recipe.checkpoints.keep,
        seed=recipe.seed,
    )


def endpoint_settings(recipe: Recipe) -> EndpointSettings | None:
    """Which server a recipe asks, and how; None where the model runs here."""
    values = recipe.endpoint
    if recipe.recognition.engine != "endpoint" or values.model is None:
        return None
    return EndpointSettings(
        model=values.model,
        url=values.url,
        key_variable=values.key_variable,
        answers=values.answers,
        temperature=values.temperature,
        max_tokens=values.max_tokens,
        concurrency=values.concurrency,
        timeout=values.timeout,
        retries=values.retries,
        price_input=values.price_input,
        price_output=values.price_output,
    )


def artefact_of(recipe: Recipe, data: RunData) -> Artefact:
    """What a run saves beside the trained tensors."""
    endpoint = endpoint_settings(recipe)
    return Artefact(
        backbone=place_of(recipe.backbone.name) if endpoint is None else endpoint.model,
        revision=recipe.backbone.revision,
        adapter=adapter_spec(recipe),
        prompt=data.spec,
        max_length=recipe.prompt.max_length,
        mode=recipe.recognition.mode if endpoint is None else "generate",
        corpus=data.name,
        dtype=recipe.backbone.dtype,
        precision=recipe.training.precision,
        tasks=tasks_of(recipe),
        demonstrations=_demonstration_source(recipe, data),
        quantization=recipe.backbone.quantization,
        endpoint=endpoint,
    )


def tasks_of(recipe: Recipe) -> tuple[Task, ...]:
    """What the model of a recipe learns, over all stages, in the order of the tasks."""
    if recipe.adapter.method == "none":
        return ()
    if recipe.stages is None:
        return ("recognition",)
    learned = {task for stage in recipe.stages for task in stage.tasks}
    return tuple(task for task in get_args(Task) if task in learned)


def _demonstration_source(recipe: Recipe, data: RunData) -> DemonstrationSource | None:
    if data.demonstrator is None:
        return None
    # Pinned: a branch may move on, and the vectors of the pool would no longer fit.
    encoder = recipe_encoder(recipe).pinned()
    return DemonstrationSource(
        pairing=data.demonstrator.pairing.name,
        seed=recipe.seed,
        encoder=encoder.name,
        encoder_revision=encoder.revision,
        pool=data.demonstrator.pool.hash,
    )
