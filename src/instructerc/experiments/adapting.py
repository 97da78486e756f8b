"""Which backbone a recipe takes, and what of it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.backbones.adapters import AdapterSpec
from instructerc.backbones.presets import PRESETS

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe


def adapter_spec(recipe: Recipe) -> AdapterSpec | None:
    """What a recipe trains; None where it trains nothing."""
    values = recipe.adapter
    if values.method == "none":
        return None
    return AdapterSpec(
        method=values.method,
        rank=values.rank,
        alpha=values.alpha,
        dropout=values.dropout,
        targets=values.targets,
        dora=values.dora,
    )


def place_of(backbone: str) -> str:
    """A local folder's whole path: the model has to be found from any working directory."""
    is_folder = backbone not in PRESETS and Path(backbone).is_dir()
    return str(Path(backbone).resolve()) if is_folder else backbone
