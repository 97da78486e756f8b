"""A trained model as a whole checkpoint: what was trained, added to the weights that it was trained for.

```
merged/
├── config.json, model.safetensors, tokenizer.json, …   what transformers reads
├── artefact.json                                       prompt, labels, tasks; its backbone is the folder itself
└── pool/                                               the demonstrations, where prompts show some
```

A model that was trained beside quantised weights is merged into those very weights, unpacked: what was learned makes up
for their rounding, and figures that were measured stay what they are. The sum is not quantised again.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from instructerc.assets import offline
from instructerc.backbones.adapters import attach, load_trained
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import Dtype, best_device, computes_bfloat16, load_backbone, load_config
from instructerc.backbones.presets import PRESETS, packaged
from instructerc.backbones.quantization import unpack
from instructerc.errors import ArtefactError, BackboneError, UsageError
from instructerc.recognition.artefact import (
    HERE,
    POOL,
    Artefact,
    Merged,
    model_hash,
    read_artefact,
    save_artefact,
)

if TYPE_CHECKING:
    from instructerc.recognition.predictions import TurnPrediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far the answers of two models to the same turns lie apart.

    Attributes:
        turns: How many turns were compared.
        changed: How many of them got another label.
        probability: The largest difference of a label's probability; None where there are none.
    """

    turns: int
    changed: int
    probability: float | None

    @property
    def share(self) -> float:
        """The share of turns with another label."""
        return self.changed / self.turns if self.turns else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"turns": self.turns, "changed": self.changed, "share": self.share, "probability": self.probability}


def compare_answers(first: Sequence[TurnPrediction], second: Sequence[TurnPrediction]) -> Difference:
    """Compares what two models say about the same turns, in the same order.

    Example:
        >>> from instructerc.recognition.predictions import TurnPrediction
        >>> row = TurnPrediction(conversation="a", turn=0, emotion="joy", probabilities={"joy": 0.75, "fear": 0.25})
        >>> compare_answers([row], [replace(row, probabilities={"joy": 0.5, "fear": 0.5})])
        Difference(turns=1, changed=0, probability=0.25)
    """
    pairs = list(zip(first, second, strict=True))
    apart = [
        abs(share - other.probabilities[label])
        for one, other in pairs
        if one.probabilities is not None and other.probabilities is not None
        for label, share in one.probabilities.items()
    ]
    changed = sum(one.emotion != other.emotion for one, other in pairs)
    return Difference(turns=len(pairs), changed=changed, probability=max(apart, default=None))


def check_mergeable(artefact: Artefact, place: Path) -> None:
    """Refuses models that have nothing to merge, or nowhere to go.

    Raises:
        UsageError: Nothing was trained, it is merged already, or its backbone is an embedded one.
    """
    if artefact.merged is not None:
        raise UsageError(f"{place}: is merged already: use it as it is")
    if artefact.adapter is None:
        raise UsageError(f"{place}: nothing was trained, so there is nothing to merge: use the backbone as it is")
    if packaged(artefact.backbone):
        raise UsageError(
            f"{place}: the {artefact.backbone} backbone has a head that no checkpoint of transformers can hold, so "
            "that others would load it wrongly: pass on its folder as it is, whose weights come with a package"
        )


def write_merged(folder: Path, target: Path, *, dtype: Dtype = "auto") -> Artefact:
    """Writes a trained model as a whole checkpoint; `artefact.json` comes last.

    One copy of the model is in memory, on the CPU.

    Args:
        folder: A run folder, or the folder of a trained model.
        target: An empty folder.
        dtype: What to write the weights in; `auto` is what the trained model computes with on this machine.

    Returns:
        The artefact of the merged model.

    Raises:
        ArtefactError: The folder holds no trained model, or weights that are no numbers.
        UsageError: There is nothing to merge.
        BackboneError: Its backbone cannot be loaded, or is of a kind that cannot be saved.
    """
    if dtype not in get_args(Dtype):
        raise UsageError(f"dtype is {dtype!r}: choose one of {', '.join(get_args(Dtype))}")
    artefact, place = read_artefact(folder)
    check_mergeable(artefact, place)
    settled = _settled(artefact.training_dtype if dtype == "auto" else dtype)
    backbone = _merged_backbone(artefact, place, settled)
    merged = _described(artefact, place, settled)
    _save_checkpoint(backbone, artefact, target)
    if artefact.demonstrations is not None:
        _copy_pool(place, target)
    save_artefact(merged, backbone, target)
    return merged


def _settled(dtype: Dtype) -> Dtype:
    """What `auto` means on this machine: the same weights shall be read everywhere."""
    if dtype != "auto":
        return dtype
    return "bfloat16" if computes_bfloat16(best_device()) else "float32"


def _merged_backbone(artefact: Artefact, place: Path, dtype: Dtype) -> Backbone:
    assert artefact.adapter is not None
    backbone = load_backbone(
        artefact.backbone,
        revision=artefact.revision,
        dtype=dtype,
        precision="float32",
        device="cpu",
        quantization=artefact.quantization,
        style=artefact.style,
    )
    if backbone.quantization != "none":
        unpack(backbone)
    attach(backbone, artefact.adapter)
    load_trained(backbone, place)
    if artefact.adapter.method == "lora":
        try:
            backbone.model = backbone.model.merge_and_unload(safe_merge=True)
        except ValueError as error:  # a weight became NaN
            raise ArtefactError(f"{place}: cannot be merged ({error}): train again, with a lower rate") from None
    backbone.model.eval()
    return backbone


def _described(artefact: Artefact, place: Path, dtype: Dtype) -> Artefact:
    assert artefact.adapter is not None
    is_folder = artefact.backbone not in PRESETS and Path(artefact.backbone).is_dir()
    merged = Merged(
        # Where it lay on this machine is nobody else's business.
        backbone=Path(artefact.backbone).name if is_folder else artefact.backbone,
        revision=artefact.revision,
        adapter=artefact.adapter,
        quantization=artefact.quantization,
        model=model_hash(artefact, place),
    )
    return replace(
        artefact, backbone=HERE, revision=None, adapter=None, quantization="none", dtype=dtype, merged=merged
    )


def _save_checkpoint(backbone: Backbone, artefact: Artefact, target: Path) -> None:
    """Weights, configuration, and the tokenizer as it came: what we settle of it on loading is not for others."""
    settings = _generation_settings(backbone.source, artefact.revision)
    if settings is not None:
        backbone.model.generation_config = settings
    _, tokenizer, _ = load_config(artefact.backbone, artefact.revision)
    try:
        backbone.model.save_pretrained(target)
        tokenizer.save_pretrained(target)
    except (ValueError, NotImplementedError, AttributeError) as error:
        raise BackboneError(f"{backbone.name}: its checkpoint cannot be written ({error})") from error


def _generation_settings(source: str, revision: str | None) -> Any:
    """The base model's own, which `load_backbone` takes away; None where it has none that this release accepts."""
    from transformers import GenerationConfig

    with contextlib.suppress(OSError, ValueError):
        settings = GenerationConfig.from_pretrained(source, revision=revision or "main", local_files_only=offline())
        settings.validate(strict=True)
        return settings
    return None


def _copy_pool(place: Path, target: Path) -> None:
    if not (place / POOL).is_dir():
        raise ArtefactError(
            f"{place}: the prompts of this model show demonstrations, and its folder {POOL!r} is missing: copy the "
            "whole folder of the model"
        )
    shutil.copytree(place / POOL, target / POOL)
