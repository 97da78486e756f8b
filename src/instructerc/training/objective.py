"""The loss: weighted log-likelihood of the answers' tokens, over the sum of the weights of the whole step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import row_logits
from instructerc.training.batches import MicroBatch

if TYPE_CHECKING:
    import torch


_SURE = 1e-12
"""Least (1 - p) of the focal loss: the slope of a power below 1 is infinite at 0, and times a loss of 0 no number."""


def weighted_loss(backbone: Backbone, model: Any, batch: MicroBatch, *, focal_gamma: float = 0.0) -> torch.Tensor:
    """The sum over the batch's answer tokens of weight times negative log-likelihood, a scalar.

    With γ > 0 a token of probability p counts (1 - p)^γ of that (focal loss, Lin et al., ICCV 2017).

    Divide by the weights of the whole step (not of this batch) and add up: the gradient is then the same however
    the step was cut.

    Args:
        backbone: Says what the forward pass takes, and how precisely to compute.
        model: The model itself, or what a launcher wrapped around it.
        batch: On the model's device. Shapes as in `MicroBatch`; V words.
        focal_gamma: γ of the focal loss; 0 is the plain one.
    """
    import torch

    with backbone.computing():
        logits = _row_logits(backbone, model, batch) if batch.positions is not None else _last(backbone, model, batch)
    losses = torch.nn.functional.cross_entropy(logits.float(), batch.targets.flatten(), reduction="none")
    if focal_gamma:
        # -expm1(-x) is 1 - p without the rounding that makes a sure token's power less than nothing.
        losses = losses * (-torch.expm1(-losses)).clamp_min(_SURE) ** focal_gamma
    return (losses * batch.weights.flatten()).sum()


def _row_logits(backbone: Backbone, model: Any, batch: MicroBatch) -> torch.Tensor:
    """Logits [P, V] of a row of trees; a node that predicts several targets is computed once."""
    import torch

    nodes, place = torch.unique(batch.positions, return_inverse=True)
    return row_logits(backbone, model, batch.inputs, nodes).float()[place]


def _last(backbone: Backbone, model: Any, batch: MicroBatch) -> torch.Tensor:
    """Logits [B * A, V] at the last A positions of padded sequences."""
    arguments: dict[str, Any] = {**batch.inputs, "use_cache": False}
    if not backbone.accepts("position_ids"):
        arguments.pop("position_ids", None)
    answers = batch.targets.shape[1]
    if backbone.accepts("logits_to_keep"):
        # The head of a large vocabulary costs more than the rest of a small model.
        arguments["logits_to_keep"] = answers
    logits: torch.Tensor = model(**arguments).logits[:, -answers:]
    return logits.flatten(0, 1)
