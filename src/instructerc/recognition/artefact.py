"""What a training leaves behind: the trained tensors, and all it takes to ask the same question again.

```
model/
├── artefact.json            backbone, adapter, prompt spec, demonstrations, recognition settings, corpus
├── parameters.safetensors   the trained tensors; never a copy of the base model; only where something was trained
└── pool/                    the labelled utterances that prompts show; only where they show some
```

A merged model has no `parameters.safetensors`: a whole checkpoint lies in the same folder, and is its backbone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from instructerc.assets import sha256_of, write_atomically
from instructerc.backbones.adapters import PARAMETERS, AdapterSpec, attach, load_trained, save_trained
from instructerc.backbones.backbone import Backbone, Quantization, Style
from instructerc.backbones.loading import Attention, Dtype, Precision, load_backbone
from instructerc.demonstrations.demonstrator import Demonstrator
from instructerc.demonstrations.encoder import SentenceEncoder, require_library
from instructerc.demonstrations.pairing import get_pairing
from instructerc.demonstrations.pool_files import load_pool, save_pool
from instructerc.errors import ArtefactError, UsageError
from instructerc.prompts.example import Task
from instructerc.prompts.spec import PromptSpec
from instructerc.recognition.endpoint.settings import EndpointSettings

Mode = Literal["score", "generate"]
"""`score` compares all labels and gives probabilities; `generate` is the published greedy generation."""

FILE = "artefact.json"
POOL = "pool"
HERE = "."
"""The backbone of a merged model: the folder of the artefact, wherever that is."""

FORMAT = 1
"""Raised when an older version of the package could no longer read the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemonstrationSource:
    """How demonstrations are found; how many are shown, and where, stands in the prompt's spec.

    Attributes:
        pairing: Name of the pairing.
        seed: Of pairings that draw.
        encoder: Name of the sentence encoder.
        encoder_revision: Its commit on the hub; None where there is none.
        pool: Hash of the pool, whose folder lies beside the artefact.
    """

    pairing: str
    seed: int
    encoder: str
    encoder_revision: str | None
    pool: str

    def to_json(self) -> dict[str, Any]:
        """A dictionary of the five."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Where the weights of a merged model come from.

    Attributes:
        backbone: Name of the backbone that was trained; of a local folder, its last part.
        revision: Its commit on the hub; None where there is none.
        adapter: What was trained of it.
        quantization: How its linear layers were held in training.
        model: Hash of the trained model.
    """

    backbone: str
    revision: str | None
    adapter: AdapterSpec
    quantization: Quantization
    model: str

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**record, "adapter": self.adapter.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Merged:
        """Reads what `to_json` wrote."""
        return cls(**{**record, "adapter": AdapterSpec.from_json(record["adapter"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """The part of a trained model that is no tensor.

    Attributes:
        backbone: Name of the backbone, as `load_backbone` takes it; `HERE` where its weights lie beside the artefact.
        revision: Commit of its hub repository; None where there is none.
        adapter: What was trained; None for a backbone as it came.
        prompt: What it was asked with.
        max_length: Longest sequence that it was trained on, in tokens; None is all that the backbone can take.
        mode: `score` or `generate`.
        corpus: Name of the corpus that it was trained on.
        dtype: What its weights are held in, as `load_backbone` takes it.
        precision: What it computes in, as `load_backbone` takes it.
        tasks: What it learned; nothing for a backbone as it came.
        demonstrations: How the demonstrations of its prompts are found; None where they show none.
        quantization: How its linear layers are held, as `load_backbone` takes it.
        merged: What was merged into its weights; None where they are a backbone's own.
        endpoint: The server that runs the model, and how it is asked; None where it runs here.
        style: How prompts are put to it.
        temperature: What log-likelihoods are divided by, so that probabilities can be believed; 1 leaves them.
        offsets: What is added to the log-probability of a label before one is decided on; nothing leaves them.
    """

    backbone: str
    revision: str | None
    adapter: AdapterSpec | None
    prompt: PromptSpec
    max_length: int | None = None
    mode: Mode = "score"
    corpus: str = ""
    dtype: Dtype = "auto"
    precision: Precision = "auto"
    tasks: tuple[Task, ...] = ("recognition",)
    demonstrations: DemonstrationSource | None = None
    quantization: Quantization = "none"
    merged: Merged | None = None
    endpoint: EndpointSettings | None = None
    style: Style = "plain"
    temperature: float = 1.0
    offsets: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def trained(self) -> bool:
        """Whether its weights are no longer those of a backbone as it came."""
        return self.adapter is not None or self.merged is not None

    @property
    def training_dtype(self) -> Dtype:
        """What to hold the weights in for training: bfloat16 is too coarse for the steps of an optimiser."""
        trains_all = self.adapter is not None and self.adapter.method == "all"
        return "float32" if self.dtype == "auto" and trains_all else self.dtype

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        record: dict[str, Any] = {
            "format": FORMAT,
            "backbone": {"name": self.backbone, "revision": self.revision},
            "adapter": None if self.adapter is None else self.adapter.to_json(),
            "prompt": self.prompt.to_json(),
            "max_length": self.max_length,
            "mode": self.mode,
            "corpus": self.corpus,
            "dtype": self.dtype,
            "precision": self.precision,
        }
        # Left out where they say nothing new: the hash of a model is what it was before these keys were there.
        if self.tasks != ("recognition",):
            record["tasks"] = list(self.tasks)
        if self.demonstrations is not None:
            record["demonstrations"] = self.demonstrations.to_json()
        if self.quantization != "none":
            record["quantization"] = self.quantization
        if self.merged is not None:
            record["merged"] = self.merged.to_json()
        if self.endpoint is not None:
            record["endpoint"] = self.endpoint.to_json()
        if self.style != "plain":
            record["style"] = self.style
        if self.temperature != 1.0:
            record["temperature"] = self.temperature
        if self.offsets:
            record["offsets"] = dict(self.offsets)
        return record

    @classmethod
    def from_json(cls, record: Any) -> Artefact:
        """Reads what `to_json` wrote.

        Raises:
            ArtefactError: The record is of a newer version, or lacks something.
        """
        if not isinstance(record, Mapping):
            raise ArtefactError(f"expected a JSON object, got {type(record).__name__}: copy it again, or train again")
        if record.get("format") != FORMAT:
            raise ArtefactError(
                f"artefact format {record.get('format')!r} is not {FORMAT}: use the instructerc that wrote it"
            )
        shown, merged = record.get("demonstrations"), record.get("merged")
        endpoint = record.get("endpoint")
        try:
            return cls(
                backbone=record["backbone"]["name"],
                revision=record["backbone"]["revision"],
                adapter=None if record["adapter"] is None else AdapterSpec.from_json(record["adapter"]),
                prompt=PromptSpec.from_json(record["prompt"]),
                max_length=record["max_length"],
                mode=record["mode"],
                corpus=record["corpus"],
                dtype=record["dtype"],
                precision=record["precision"],
                tasks=tuple(record.get("tasks", ("recognition",))),
                demonstrations=None if shown is None else DemonstrationSource(**shown),
                quantization=record.get("quantization", "none"),
                merged=None if merged is None else Merged.from_json(merged),
                endpoint=None if endpoint is None else EndpointSettings.from_json(endpoint),
                style=record.get("style", "plain"),
                temperature=_temperature(record.get("temperature", 1.0)),
                offsets=_offsets(record.get("offsets", {}), record["prompt"]),
            )
        except (KeyError, TypeError, AttributeError, UsageError) as error:
            raise ArtefactError(f"is incomplete ({error}): copy it again, or train again") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")


def _offsets(value: Any, prompt: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or not all(label in prompt["labels"] for label in value):
        raise TypeError("its offsets are none of its labels")
    for label, offset in value.items():
        if not _is_number(offset):
            raise TypeError(f"its offset of {label} is {offset!r}, no number")
    return {label: float(offset) for label, offset in value.items()}


def _temperature(value: Any) -> float:
    if not _is_number(value) or value <= 0:
        raise TypeError(f"its temperature is {value!r}, no number above 0")
    return float(value)


def save_artefact(
    artefact: Artefact,
    backbone: Backbone | None,
    folder: Path,
    *,
    demonstrator: Demonstrator | None = None,
    write: bool = True,
) -> None:
    """Writes a trained model. `artefact.json` comes last: a folder that has it is whole.

    Where several processes hold a part of every weight, all of them call this, and one writes.
    """
    if write:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).unlink(missing_ok=True)
    if artefact.adapter is not None:
        assert backbone is not None
        save_trained(backbone, folder, write=write)
    if not write:
        return
    if demonstrator is not None:
        save_pool(demonstrator.pool, folder / POOL)
    text = json.dumps(artefact.to_json(), ensure_ascii=False, indent=2)
    write_atomically(folder / FILE, text + "\n")


def read_artefact(folder: Path) -> tuple[Artefact, Path]:
    """The artefact in a folder, which may be the folder of a whole run.

    Returns:
        The artefact, and the folder that it lies in.

    Raises:
        ArtefactError: There is none, or it is damaged.
    """
    for place in (folder, folder / "model"):
        if (place / FILE).is_file():
            try:
                record = json.loads((place / FILE).read_text(encoding="utf-8"))
            except (ValueError, RecursionError) as error:
                raise ArtefactError(f"{place / FILE}: is damaged ({error}): copy it again, or train again") from None
            try:
                return Artefact.from_json(record), place
            except ArtefactError as error:
                raise ArtefactError(f"{place / FILE}: {error}") from None
    raise ArtefactError(f"{folder}: holds no {FILE}: give the folder of a finished run, or of a trained model")


def load_artefact(
    folder: Path,
    *,
    device: str | None = None,
    attention: Attention = "auto",
    precision: Precision | None = None,
) -> tuple[Artefact, Backbone, str]:
    """The artefact in a folder, its backbone with the trained tensors in place, and the model's hash.

    Args:
        folder: Where it lies, or the run folder around it.
        device: Where to compute; by default the first accelerator, else the CPU.
        attention: How attention is computed.
        precision: What is computed in; by default what the training computed in.

    Raises:
        ArtefactError: There is none, or it is damaged.
        BackboneError: The backbone that it was trained on cannot be loaded.
        UsageError: A server elsewhere runs the model.
    """
    artefact, place = read_artefact(folder)
    require_own(artefact, folder)
    backbone = load_backbone(
        str(place) if artefact.backbone == HERE else artefact.backbone,
        revision=artefact.revision,
        dtype=artefact.training_dtype,
        precision=precision or artefact.precision,
        device=device,
        attention=attention,
        quantization=artefact.quantization,
        style=artefact.style,
    )
    if artefact.adapter is not None:
        attach(backbone, artefact.adapter)
        load_trained(backbone, place)
        if artefact.quantization == "none":  # quantised layers stay where they are, and adapters are put beside them
            backbone.model.to(backbone.device)
        backbone.model.eval()
    return artefact, backbone, model_hash(artefact, place)


def require_own(artefact: Artefact, folder: Path) -> None:
    """Sees to it that a model runs here.

    Raises:
        UsageError: A server runs it.
    """
    if artefact.endpoint is not None:
        raise UsageError(
            f"{folder}: asked model {artefact.endpoint.model!r} of a server and holds none itself: use "
            "EndpointRecognizer.from_pretrained (docs/endpoints.md)"
        )


def load_demonstrator(artefact: Artefact, folder: Path, *, allow_oracle: bool = False) -> Demonstrator | None:
    """What finds the demonstrations of a model's prompts; None where they show none.

    No vector of a conversation is kept on disk: what users recognise is theirs.

    Args:
        artefact: The model's.
        folder: The folder that it lies in.
        allow_oracle: Whether demonstrations may be chosen by the right answers, as an upper bound is measured.

    Raises:
        UsageError: They are chosen by the right answers, which nobody has in use, or sentence-transformers is missing.
        ArtefactError: The pool is missing or another one, or was encoded by another encoder.
    """
    source, shown = artefact.demonstrations, artefact.prompt.demonstrations
    if source is None or shown is None:
        return None
    require_library()
    pairing = get_pairing(source.pairing, seed=source.seed)
    if pairing.leaks_gold and not allow_oracle:
        raise UsageError(
            f"{folder}: this model was measured with pairing {pairing.name!r}, which chooses demonstrations by the "
            "right answers; in use there are none: train with demonstrations.pairing nearest"
        )
    if not (folder / POOL).is_dir():
        raise ArtefactError(
            f"{folder}: the prompts of this model show demonstrations, and its folder {POOL!r} is missing: copy the "
            "whole folder of the model"
        )
    pool = load_pool(folder / POOL)
    if pool.hash != source.pool:
        raise ArtefactError(
            f"{folder / POOL}: is pool {pool.hash}, the model was made with {source.pool}: copy the whole folder again"
        )
    encoder = SentenceEncoder(name=source.encoder, revision=source.encoder_revision)
    try:
        return Demonstrator(pool=pool, encoder=encoder, pairing=pairing, count=shown.count)
    except UsageError as error:
        raise ArtefactError(f"{folder / POOL}: {error}") from None


def model_hash(artefact: Artefact, folder: Path) -> str:
    """Twelve hexadecimal digits that change with the backbone, the trained tensors and the prompt spec."""
    parameters = folder / PARAMETERS
    trained = sha256_of(parameters) if artefact.adapter is not None else ""
    text = json.dumps([artefact.to_json(), trained], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
