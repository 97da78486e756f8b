"""A trained model without a training: its tensors are drawn, and far from what they started as."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.loading import load_backbone
from instructerc.prompts import PromptSpec
from instructerc.recognition.artefact import Artefact, save_artefact
from instructerc.testing import TINY_LABELS


def trained(checkpoint: Path, folder: Path, adapter: AdapterSpec | None = None, **changes: Any) -> Path:
    """Saves one in a folder, and returns that."""
    artefact = Artefact(
        backbone=str(checkpoint),
        revision=None,
        adapter=adapter or AdapterSpec(rank=4),
        prompt=PromptSpec(labels=TINY_LABELS, wording="compact"),
        corpus="tiny",
        dtype="float32",
        precision="float32",
        tasks=("recognition", "prediction"),
    )
    artefact = dataclasses.replace(artefact, **changes)
    backbone = load_backbone(
        artefact.backbone,
        dtype=artefact.training_dtype,
        precision="float32",
        device="cpu",
        quantization=artefact.quantization,
    )
    if artefact.adapter is not None:
        attach(backbone, artefact.adapter)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in backbone.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    save_artefact(artefact, backbone, folder)
    return folder
