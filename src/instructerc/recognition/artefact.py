"""What a training leaves behind: the trained tensors, and all it takes to ask the same question again.

```
model/
├── artefact.json            backbone, adapter, prompt spec, recognition settings, corpus
└── parameters.safetensors   the trained tensors; never a copy of the base model
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from instructerc.assets import sha256_of, write_atomically
from instructerc.backbones.adapters import PARAMETERS, AdapterSpec, attach, load_trained, save_trained
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import Attention, Dtype, Precision, load_backbone
from instructerc.errors import ArtefactError, UsageError
from instructerc.prompts.spec import PromptSpec

Mode = Literal["score", "generate"]
"""`score` compares all labels and gives probabilities; `generate` is the published greedy generation."""

FILE = "artefact.json"
FORMAT = 1
"""Raised when an older version of the package could no longer read the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """The part of a trained model that is no tensor.

    Attributes:
        backbone: Name of the backbone, as `load_backbone` takes it.
        revision: Commit of its hub repository; None where there is none.
        adapter: What was trained; None for a backbone as it came.
        prompt: What it was asked with.
        max_length: Longest sequence that it was trained on, in tokens; None is all that the backbone can take.
        mode: `score` or `generate`.
        corpus: Name of the corpus that it was trained on.
        dtype: What its weights are held in, as `load_backbone` takes it.
        precision: What it computes in, as `load_backbone` takes it.
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

    @property
    def training_dtype(self) -> Dtype:
        """What to hold the weights in for training: bfloat16 is too coarse for the steps of an optimiser."""
        trains_all = self.adapter is not None and self.adapter.method == "all"
        return "float32" if self.dtype == "auto" and trains_all else self.dtype

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        return {
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
            )
        except (KeyError, TypeError, UsageError) as error:
            raise ArtefactError(f"is incomplete ({error}): copy it again, or train again") from None


def save_artefact(artefact: Artefact, backbone: Backbone, folder: Path) -> None:
    """Writes a trained model. `artefact.json` comes last: a folder that has it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).unlink(missing_ok=True)
    if artefact.adapter is not None:
        save_trained(backbone, folder)
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
            except ValueError as error:
                raise ArtefactError(f"{place / FILE}: is damaged ({error}): copy it again, or train again") from None
            try:
                return Artefact.from_json(record), place
            except ArtefactError as error:
                raise ArtefactError(f"{place / FILE}: {error}") from None
    raise ArtefactError(f"{folder}: holds no {FILE}: give the folder of a finished run, or of a trained model")


def load_artefact(
    folder: Path, *, device: str | None = None, attention: Attention = "auto"
) -> tuple[Artefact, Backbone, str]:
    """The artefact in a folder, its backbone with the trained tensors in place, and the model's hash.

    Raises:
        ArtefactError: There is none, or it is damaged.
        BackboneError: The backbone that it was trained on cannot be loaded.
    """
    artefact, place = read_artefact(folder)
    backbone = load_backbone(
        artefact.backbone,
        revision=artefact.revision,
        dtype=artefact.training_dtype,
        precision=artefact.precision,
        device=device,
        attention=attention,
    )
    if artefact.adapter is not None:
        attach(backbone, artefact.adapter)
        load_trained(backbone, place)
        backbone.model.to(backbone.device).eval()
    return artefact, backbone, model_hash(artefact, place)


def model_hash(artefact: Artefact, folder: Path) -> str:
    """Twelve hexadecimal digits that change with the backbone, the trained tensors and the prompt spec."""
    parameters = folder / PARAMETERS
    trained = sha256_of(parameters) if artefact.adapter is not None else ""
    text = json.dumps([artefact.to_json(), trained], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
