"""transformers' Trainer, taught our steps, our validation and our checkpoints.

The Trainer keeps the loop, optimiser, schedule, random states and launchers. What differs:

- an item of the dataset is a whole optimiser step, so that a loss is normalised over all of it;
- validation is the recognition that users get;
- a checkpoint holds the trained tensors only, and is whole or not there.
"""

from __future__ import annotations

import contextlib
import functools
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from instructerc.backbones.adapters import load_trained, save_trained
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.exhaustion import naming_remedies, release
from instructerc.backbones.rows import to_device
from instructerc.errors import MemoryExhaustedError, NonFiniteLossError, TrainingError, UsageError
from instructerc.training.averaging import AsTheyAre, Averaging, WeightAverage
from instructerc.training.batches import MicroBatch, StepDataset
from instructerc.training.checkpoints import PREFIX, finish_checkpoint, saying_what_is_full
from instructerc.training.curves import Curves
from instructerc.training.objective import weighted_loss
from instructerc.training.ranks import Ranks, forces_cpu
from instructerc.training.settings import TrainingSettings

if TYPE_CHECKING:
    import torch
    from transformers import Trainer

Validate = Callable[[bool], Mapping[str, float]]
"""Evaluates the model as it is; the figures hold `weighted_f1`. Told whether all processes have to make the same
passes, because each holds a part of every weight."""

OnEpoch = Callable[[int, bool], None]
"""Told, after each epoch, its number (from 1) and whether it is the best so far."""

OnStep = Callable[[int, float | None], None]
"""Told, after each step, how many are done, and the loss where it was just logged."""

LOGGED_EVERY = 10
"""Optimiser steps between two points of the loss curve."""


def build_trainer(
    backbone: Backbone,
    dataset: StepDataset,
    settings: TrainingSettings,
    folder: Path,
    *,
    curves: Curves,
    validate: Validate | None,
    on_epoch: OnEpoch,
    on_step: OnStep,
    tell: Callable[[str], None] = lambda _: None,
) -> Trainer:
    """A Trainer for one stage.

    Args:
        backbone: The model, with what is to be trained made trainable.
        dataset: The optimiser steps of an epoch.
        settings: The numbers.
        folder: Checkpoints go to its subfolder `checkpoints`, TensorBoard's events to `tensorboard`.
        curves: Takes the course of the training.
        validate: Called after each epoch; None where there is nothing to validate on.
        on_epoch: Called after each validation, or epoch.
        on_step: Called after each optimiser step.
        tell: Told what is worth knowing, in a line.
    """
    from transformers.trainer_callback import PrinterCallback

    decay = settings.averaging
    average = AsTheyAre() if decay is None else WeightAverage.of(backbone.model, decay)
    course = Course(dataset, settings, curves, on_epoch, on_step, validates=validate is not None, average=average)
    _require_together(dataset.ranks, dataset.ranks.found())
    # Processes shall not drop the same units; the order of steps does not hang on this seed.
    own = replace(settings, seed=settings.seed + dataset.ranks.rank)
    trainer: Trainer = _trainer_class()(
        model=backbone.model,
        args=_arguments(
            own,
            folder / "checkpoints",
            steps=len(dataset) * settings.epochs,
            device=backbone.device,
            backend=dataset.ranks.backend(backbone.device),
        ),
        train_dataset=dataset,
        callbacks=[_callback_class()(course)],
    )
    _require_together(dataset.ranks, trainer.args.world_size)
    trainer.backbone, trainer.validate, trainer.ranks = backbone, validate, dataset.ranks  # type: ignore[attr-defined]
    trainer.focal_gamma = settings.focal_gamma  # type: ignore[attr-defined]
    trainer.auto_batch, trainer.tell = settings.auto_batch, tell  # type: ignore[attr-defined]
    trainer.average = average  # type: ignore[attr-defined]
    if decay is not None:
        _require_own_weights(trainer)
    trainer.remove_callback(PrinterCallback)
    if "tensorboard" in settings.tracking and dataset.ranks.first:
        _add_tensorboard(trainer, folder / "tensorboard")
    return trainer


def _require_together(ranks: Ranks, found: int) -> None:
    """Processes that stay apart would each train on its share alone, and nobody would see it.

    Raises:
        TrainingError: Fewer were found than were started.
    """
    if found != ranks.count:
        raise TrainingError(
            f"{ranks.count} processes were started, but {found} train together: start them with torchrun, accelerate "
            "launch or instructerc run --launch"
        )


def _require_own_weights(trainer: Any) -> None:
    """An average is taken of whole weights, which launchers that split or copy them keep elsewhere.

    Raises:
        UsageError: Weights are not this process's own.
    """
    if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
        raise UsageError(
            "training.averaging: goes with one process, or with several by data parallel alone: leave it out, or leave "
            "--strategy out"
        )


def _arguments(
    settings: TrainingSettings, folder: Path, *, steps: int, device: torch.device, backend: str | None = None
) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,  # an item is a whole optimiser step
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule if settings.schedule != "constant" else "constant_with_warmup",
        warmup_steps=math.ceil(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        adam_beta1=settings.betas[0],
        adam_beta2=settings.betas[1],
        max_grad_norm=settings.gradient_clip,
        seed=settings.seed,
        use_cpu=forces_cpu(device),
        ddp_backend=backend,
        dataloader_pin_memory=False,
        save_strategy="no",
        eval_strategy="no",
        logging_steps=LOGGED_EVERY,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        **_checkpointing(settings),
    )


def _checkpointing(settings: TrainingSettings) -> dict[str, Any]:
    """The argument that saves memory, by the name that this release of transformers gives it."""
    from transformers import TrainingArguments

    if not settings.gradient_checkpointing:
        return {}
    known = TrainingArguments.__dataclass_fields__
    return {"activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing": True}


@functools.cache
def _trainer_class() -> Any:
    import torch
    from transformers import Trainer

    class StageTrainer(Trainer):
        """The Trainer of one stage; see `build_trainer`."""

        backbone: Backbone
        validate: Validate | None
        ranks: Ranks
        focal_gamma: float
        average: Averaging

        def get_train_dataloader(self) -> torch.utils.data.DataLoader[Any]:
            """The steps in the dataset's own order."""
            loader: torch.utils.data.DataLoader[Any] = torch.utils.data.DataLoader(
                cast("Any", self.train_dataset), batch_size=1, shuffle=False, collate_fn=_only_item
            )
            return loader

        def training_step(
            self,
            model: Any,
            inputs: dict[str, Any],
            num_items_in_batch: Any = None,  # noqa: ARG002 — we count weights
        ) -> torch.Tensor:
            """Forward and backward through all micro-batches of a step; returns the loss of the step."""
            model.train()
            total = _within_memory(self, model, inputs)
            if not torch.isfinite(total):
                raise NonFiniteLossError(
                    f"the loss became {total.item()} at step {self.state.global_step + 1}: lower "
                    "training.learning_rate, or set backbone.dtype to float32, and start again"
                )
            return total

        def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
            """Validates by the recognition that users get."""
            assert self.validate is not None
            self.backbone.model.eval()
            with self.average.in_place():  # the epoch's model is kept in here as well
                metrics = {f"eval_{name}": value for name, value in self.validate(_splits_weights(self)).items()}
                self.log(dict(metrics))
                self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

        def floating_point_ops(self, inputs: Any) -> int:  # noqa: ARG002 — not estimated
            """Not estimated."""
            return 0

        def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
            """Writes the trained tensors only; all processes come here, since each may hold a part of every tensor."""
            save_trained(self.backbone, Path(output_dir or self.args.output_dir or "."), write=self.ranks.first)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            folder = Path(self.args.output_dir or ".") / f"{PREFIX}{self.state.global_step}"
            with _whole(folder, self.ranks):
                super()._save_checkpoint(model, trial)
                if self.ranks.first:
                    self.average.save(folder)

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
            load_trained(self.backbone, Path(resume_from_checkpoint))
            self.average.load(Path(resume_from_checkpoint))

    return StageTrainer


def _within_memory(trainer: Any, model: Any, inputs: Mapping[str, Any]) -> torch.Tensor:
    """`_through_step`, again with passes of half the size where memory ran out and the settings allow it.

    Raises:
        MemoryExhaustedError: It ran out, and passes may not get smaller, or cannot.
    """
    largest = _largest(inputs)
    key = "row_tokens" if trainer.train_dataset.batching.trees else "micro_batch"
    remedies = (
        f"lower training.{key} or set training.auto_batch (--auto-batch), which changes no result; "
        "training.gradient_checkpointing, adapter.method lora and backbone.quantization take less as well"
    )
    try:
        with naming_remedies(f"{largest:,} tokens went through the model at once", remedies):
            return _through_step(trainer, model, inputs)
    except MemoryExhaustedError:
        again = _smaller_step(trainer, largest) if trainer.auto_batch else None
        if again is None:
            raise
    trainer.tell(f"memory ran out at {largest:,} tokens at once; on with {_largest(again):,} at most")
    model.zero_grad()
    release()
    return _within_memory(trainer, model, again)


def _smaller_step(trainer: Any, largest: int) -> dict[str, Any] | None:
    """The same step in passes of fewer tokens, which later steps keep to; None where there are none smaller."""
    dataset: StepDataset = trainer.train_dataset
    if not dataset.ranks.alone:  # the other processes wait in the middle of the step
        return None
    smaller = dataset.batching.halved()
    while smaller is not None:
        dataset.batching = smaller
        again = dataset[trainer.state.global_step % len(dataset)]
        if _largest(again) < largest:
            return again
        smaller = smaller.halved()
    return None


def _largest(inputs: Mapping[str, Any]) -> int:
    sizes: list[int] = [batch.size for batch in inputs["micro_batches"]]
    return max(sizes)


def _through_step(trainer: Any, model: Any, inputs: Mapping[str, Any]) -> torch.Tensor:
    """Forward and backward through this process's micro-batches; the loss of the whole step, a scalar.

    Launchers average gradients over processes; our loss is a sum, so each process counts as often as there are some.
    """
    import torch

    backbone, ranks = trainer.backbone, trainer.ranks
    total = torch.zeros((), device=backbone.device)
    passes = _keeping_step(inputs["micro_batches"], ranks)
    for number, batch in enumerate(passes, start=1):
        with _accumulating(trainer.accelerator, model, ranks, last=number == len(passes)):
            on_device = _to(batch, backbone.device)
            summed = weighted_loss(backbone, model, on_device, focal_gamma=trainer.focal_gamma)
            loss = summed / inputs["weight"] * ranks.count
            trainer.accelerator.backward(loss)
        total += loss.detach()
    return total if ranks.alone else cast("torch.Tensor", trainer.accelerator.reduce(total, reduction="mean"))


def _keeping_step(micro_batches: Sequence[MicroBatch], ranks: Ranks) -> list[MicroBatch]:
    """As many passes as the process with most of them makes: gathering split weights takes everybody."""
    most = max(part[0] for part in ranks.gather([len(micro_batches)]))
    return [*micro_batches, *[micro_batches[-1].silenced()] * (most - len(micro_batches))]


@contextlib.contextmanager
def _whole(folder: Path, ranks: Ranks) -> Iterator[None]:
    """A checkpoint that is whole once this ends: every process adds its random state to it."""
    if ranks.first:
        shutil.rmtree(folder, ignore_errors=True)  # one that an earlier kill has torn
    ranks.wait()
    with saying_what_is_full(folder):
        yield
        ranks.wait()
        if ranks.first:
            finish_checkpoint(folder)


@contextlib.contextmanager
def _accumulating(accelerator: Any, model: Any, ranks: Ranks, *, last: bool) -> Iterator[None]:
    """Gradients go to the other processes once a step, with its last pass."""
    if ranks.alone:
        yield
        return
    accelerator.sync_gradients = last  # where this is set, DeepSpeed takes the step
    with contextlib.nullcontext() if last else accelerator.no_sync(model):
        yield


def _splits_weights(trainer: Any) -> bool:
    """Whether each process holds a part of every weight, so that a pass takes all of them."""
    if trainer.is_deepspeed_enabled:
        return bool(trainer.accelerator.state.deepspeed_plugin.zero_stage == 3)
    return bool(trainer.is_fsdp_enabled)


def _only_item(items: list[dict[str, Any]]) -> dict[str, Any]:
    return items[0]


def _to(batch: MicroBatch, device: torch.device) -> MicroBatch:
    inputs = to_device(batch.inputs, device)
    positions = None if batch.positions is None else batch.positions.to(device)
    return MicroBatch(inputs, batch.targets.to(device), batch.weights.to(device), positions)


@dataclass(slots=True)
class Course:
    """Decides when to validate, save and stop, and writes the curves.

    Attributes:
        dataset: Told which epoch it is.
        settings: The numbers.
        curves: Takes losses and validations.
        on_epoch: Told of each epoch's end.
        on_step: Told of each step's end.
        validates: Whether there is something to validate on.
        average: Follows the weights.
    """

    dataset: StepDataset
    settings: TrainingSettings
    curves: Curves
    on_epoch: OnEpoch
    on_step: OnStep
    validates: bool
    average: Averaging

    def epoch_begins(self, state: Any) -> None:
        """Serves the order of the right epoch, also after a resume in the middle of one."""
        self.dataset.epoch = state.global_step // len(self.dataset)

    def step_ends(self, state: Any, control: Any) -> None:
        """Saves every so many steps, but never at an epoch's end before its validation: a resume would skip that."""
        self.average.step_done(state.global_step)
        self.on_step(state.global_step, None)
        every, done = self.settings.save_every, state.global_step
        if every and done % every == 0 and done % len(self.dataset):
            control.should_save = True

    def epoch_ends(self, state: Any, control: Any) -> None:
        """Validates, then saves: a checkpoint at an epoch's end knows how good the epoch was."""
        control.should_save = True
        control.should_evaluate = self.validates
        if not self.validates:
            with self.average.in_place():
                self.on_epoch(round(state.epoch), True)

    def logged(self, state: Any, logs: Mapping[str, Any]) -> None:
        """Adds a point to the loss curve."""
        if "loss" in logs:
            row = {"step": state.global_step, "epoch": round(state.epoch, 4), "loss": logs["loss"]}
            self.curves.add({**row, "learning_rate": logs["learning_rate"]})
            self.on_step(state.global_step, logs["loss"])

    def validated(self, state: Any, control: Any, metrics: Mapping[str, float]) -> None:
        """Adds a point to the validation curve; stops where no epoch has been better for too long."""
        figures = {name.removeprefix("eval_"): value for name, value in metrics.items()}
        epoch = round(state.epoch)
        self.curves.add({"step": state.global_step, "epoch": epoch, "validation": figures})
        best = self.curves.best
        self.on_epoch(epoch, best is not None and best["epoch"] == epoch)
        if self.curves.stalled(self.settings.early_stopping):
            control.should_training_stop = True


@functools.cache
def _callback_class() -> Any:
    from transformers import TrainerCallback

    class CourseCallback(TrainerCallback):
        """Hands the Trainer's events to a `Course`."""

        def __init__(self, course: Course) -> None:
            self.course = course

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            self.course.epoch_begins(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            self.course.step_ends(state, control)

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            self.course.epoch_ends(state, control)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
            self.course.logged(state, logs or {})

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:  # noqa: ARG002
            self.course.validated(state, control, metrics)

    return CourseCallback


def _add_tensorboard(trainer: Any, folder: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    trainer.add_callback(TensorBoardCallback(tb_writer=SummaryWriter(str(folder))))
