"""Partitions over a Ray cluster: recognisers as actors, one partition at a time each, whatever dies is done again.

Ray Data streams the list of partitions through a pool of actors. An actor holds one model; a partition is written as
a whole or not at all (`labelling`). An actor, a worker or a machine that dies costs the partition it was at, which
another one does anew, and a partition that is done twice is the same file.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from instructerc.corpora.columns import Columns
from instructerc.errors import UsageError
from instructerc.recognition.labelling import OutputFormat
from instructerc.scale.labelling import Done, find_done, label_partition
from instructerc.scale.partitions import Partition, partitions

MEGABYTE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSettings:
    """How a source is labelled.

    Attributes:
        model: What `EmotionRecognizer.from_pretrained` takes; every machine must be able to load it.
        output: Format of the output.
        format: Format of the input; None detects it, file by file.
        columns: Names of a table's columns.
        partition: Bytes of a partition of a JSON Lines file.
        workers: Actors at once; None is one for each GPU of the cluster, or one for each two cores.
        cores: Cores of an actor.
        gpus: GPUs of an actor; a fraction shares one.
        engine: What runs the model.
        batch_size: Prompts that go through a model at once.
        labels: Labels to choose from instead of the model's, with what they mean.
        threshold: A turn whose likeliest label has less probability is `uncertain`.
    """

    model: str
    output: OutputFormat = "jsonl"
    format: str | None = None
    columns: Columns | None = None
    partition: int = 64 * MEGABYTE
    workers: int | None = None
    cores: float = 1
    gpus: float = 0
    engine: Literal["transformers", "vllm"] = "transformers"
    batch_size: int = 16
    labels: Mapping[str, str] | None = None
    threshold: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSummary:
    """What became of a source.

    Attributes:
        partitions: Partitions in all.
        resumed: Those that were done before.
        conversations: Conversations whose rows are there.
        turns: Their turns.
        set_aside: What could not be recognised, a fault in each `NAME.errors.jsonl`.
        unreadable: Why files could not be read at all.
        seconds: Wall time of this call.
    """

    partitions: int
    resumed: int
    conversations: int
    turns: int
    set_aside: int
    unreadable: tuple[str, ...]
    seconds: float


def label_with_ray(
    source: str,
    out: str,
    settings: ScaleSettings,
    *,
    address: str | None = None,
    progress: Callable[[Done], None] | None = None,
) -> ScaleSummary:
    """Labels a source, partition by partition; called again, what is missing.

    Args:
        source: A file or folder, local or at any address that fsspec knows.
        out: Folder of the output; every machine must reach it.
        settings: How.
        address: Of a Ray cluster; None starts one on this machine, for this call.
        progress: Told of each partition that is done, those of before first.

    Raises:
        UnreadableFileError: There is nothing that can be read.
        UsageError: Ray is missing, or the folder holds what another model has made.
    """
    ray = _ray()
    began = time.monotonic()
    parts = partitions(source, size=settings.partition, format=settings.format)
    name = _model_hash(settings)
    found: list[Done] = []
    missing: list[Partition] = []
    for part in parts:
        done = find_done(part, out, model=name, output=settings.output)
        if done is None:
            missing.append(part)
        else:
            found.append(done)
            if progress:
                progress(done)
    resumed = len(found)
    if missing:
        with _cluster(ray, address):
            for done in _labelled(ray, missing, out, settings):
                found.append(done)
                if progress:
                    progress(done)
    return ScaleSummary(
        partitions=len(parts),
        resumed=resumed,
        conversations=sum(done.conversations for done in found),
        turns=sum(done.turns for done in found),
        set_aside=sum(done.set_aside for done in found),
        unreadable=tuple(done.fault for done in found if done.fault),
        seconds=time.monotonic() - began,
    )


class Labeller:
    """An actor: loads the model once, labels the partitions that it is given."""

    def __init__(self, settings: ScaleSettings, out: str) -> None:
        from instructerc.backbones.loading import quiet_transformers

        quiet_transformers()
        self._recognizer = _recognizer(settings)
        self._settings, self._out = settings, out

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Labels the partitions of a batch, which is one."""
        settings = self._settings
        answers = []
        for text in batch["partition"]:
            done = label_partition(
                self._recognizer,
                Partition.from_json(json.loads(str(text))),
                self._out,
                format=settings.format,
                columns=settings.columns,
                output=settings.output,
            )
            answers.append(json.dumps(done.to_json()))
        return {"done": answers}


def _labelled(ray: Any, missing: Sequence[Partition], out: str, settings: ScaleSettings) -> Iterator[Done]:
    workers = min(settings.workers or _workers(ray, settings), len(missing))
    # The largest first: no worker begins one when all others are done.
    records = [{"partition": json.dumps(part.to_json())} for part in sorted(missing, key=lambda part: -part.size)]
    data = ray.data.from_items(records, override_num_blocks=len(records)).map_batches(
        Labeller,
        fn_constructor_kwargs={"settings": settings, "out": out},
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=settings.cores,
        num_gpus=settings.gpus,
    )
    for row in data.iter_rows():
        yield Done.from_json(json.loads(row["done"]))


def _recognizer(settings: ScaleSettings) -> Any:
    from instructerc.recognition.recognizer import EmotionRecognizer

    return EmotionRecognizer.from_pretrained(
        settings.model,
        batch_size=settings.batch_size,
        engine=settings.engine,
        labels=settings.labels,
        threshold=settings.threshold,
        device=None if settings.gpus or settings.engine == "vllm" else "cpu",
    )


def _model_hash(settings: ScaleSettings) -> str:
    """What rows will name, without loading a model on this machine."""
    from instructerc.recognition.artefact import model_hash, read_artefact
    from instructerc.recognition.asking import asked_hash, with_labels
    from instructerc.recognition.publishing import find_model

    artefact, place = read_artefact(find_model(settings.model))
    name = model_hash(artefact, place)
    prompt = artefact.prompt if settings.labels is None else with_labels(artefact.prompt, settings.labels)
    if prompt == artefact.prompt and not settings.threshold:
        return name
    return asked_hash(name, prompt, settings.threshold)


def _workers(ray: Any, settings: ScaleSettings) -> int:
    there = ray.cluster_resources()
    if settings.gpus:
        return max(1, int(there.get("GPU", 0) // settings.gpus))
    return max(1, int(there.get("CPU", 1) // max(settings.cores, 2)))


@contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    """A cluster for as long as it is needed: somebody's, or one on this machine that ends with it."""
    if ray.is_initialized():
        yield
        return
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if address is None:
        settings |= {"include_dashboard": False}
    ray.init(address=address, **settings)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _ray() -> Any:
    # No telemetry, and no lines about itself.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise UsageError(
            f"labelling on a cluster needs the library {error.name}: pip install 'instructerc[scale]'"
        ) from None
    return ray
