"""What of a backbone is trained, and how that is saved: LoRA, or all parameters (method §7)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.split_weights import put_whole, whole
from instructerc.errors import ArtefactError, UsageError

if TYPE_CHECKING:
    import torch

Method = Literal["lora", "all"]
"""`lora` trains low-rank updates of the attention projections, `all` every parameter."""

ALL_LINEAR = "all-linear"
"""As the only target: every linear layer but the output."""

PARAMETERS = "parameters.safetensors"
"""File of the tensors that were trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """What is trained (method §7).

    Attributes:
        method: `lora` or `all`.
        rank: Rank of the updates.
        alpha: Their scale; the updates count alpha / rank.
        dropout: Dropout in front of them.
        targets: Modules that are adapted; None takes the backbone's own, `(ALL_LINEAR,)` every linear layer.
        dora: Whether the length of each row is learned apart from its direction (Liu et al. 2024).

    Raises:
        UsageError: There is no such method, or `ALL_LINEAR` stands beside names.
    """

    method: Method = "lora"
    rank: int = 16
    alpha: int = 16
    dropout: float = 0.05
    targets: tuple[str, ...] | None = None
    dora: bool = False

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise UsageError(f"adapter.method is {self.method!r}: choose one of {', '.join(get_args(Method))}")
        if self.targets is not None and ALL_LINEAR in self.targets and len(self.targets) > 1:
            raise UsageError(f"adapter.targets: {ALL_LINEAR} stands for all layers: give it alone, or leave it out")

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        targets = None if self.targets is None else list(self.targets)
        record = {
            "method": self.method,
            "rank": self.rank,
            "alpha": self.alpha,
            "dropout": self.dropout,
            "targets": targets,
        }
        # Left out where it says nothing new: the hash of a model is what it was before this key was there.
        return {**record, "dora": True} if self.dora else record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> AdapterSpec:
        """Reads what `to_json` wrote."""
        targets = record["targets"]
        return cls(**{**record, "targets": None if targets is None else tuple(targets)})


def attach(backbone: Backbone, spec: AdapterSpec) -> None:
    """Makes trainable what the spec says, and nothing else.

    Args:
        backbone: Changed in place: its model is wrapped for LoRA.
        spec: What to train. The backbone's `head` is trained with either method, its `frozen` parameters never.

    Raises:
        UsageError: The targets name no module of the model, or what is trained does not go with quantised weights.
    """
    if spec.method == "all" and backbone.quantization != "none":
        raise UsageError(
            f"{backbone.name}: {backbone.quantization} weights cannot be trained: set backbone.quantization to none, "
            "or adapter.method to lora"
        )
    if spec.dora and backbone.quantization == "8bit":  # their second pass fails in bitsandbytes 0.50 with peft 0.21
        raise UsageError(
            f"{backbone.name}: 8bit weights do not go together with DoRA: set backbone.quantization to 4bit or none, "
            "or adapter.dora to false"
        )
    if spec.method == "lora":
        targets = spec.targets if spec.targets is not None else backbone.targets
        backbone.model = _with_lora(backbone, spec, targets)
    trained = set(backbone.head)
    for name, parameter in backbone.model.named_parameters():
        plain = _plain_name(name)
        if spec.method == "all":
            parameter.requires_grad_(plain not in backbone.frozen)
        elif plain in trained:
            parameter.requires_grad_(True)


def _with_lora(backbone: Backbone, spec: AdapterSpec, targets: tuple[str, ...]) -> Any:
    from peft import LoraConfig, TaskType, get_peft_model

    model = backbone.model
    everything = targets == (ALL_LINEAR,)
    # What is trained as a whole anyway gets no update beside it.
    heads = sorted({name.rpartition(".")[0] for name in backbone.head}) if everything else []
    if not targets:
        raise UsageError(f"{backbone.name}: which modules LoRA should adapt is not known for it: set adapter.targets")
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules=ALL_LINEAR if everything else list(targets),
        exclude_modules=heads or None,
        use_dora=spec.dora,
        bias="none",
    )
    try:
        with warnings.catch_warnings():  # peft 0.21 asks transformers 5 by an old name: nothing that a user could mend
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            return get_peft_model(model, config)
    except ValueError as error:
        names = sorted(
            {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if not list(module.children())}
        )
        raise UsageError(f"adapter.targets {', '.join(targets)} name no module; it has: {', '.join(names)}") from error


def _plain_name(name: str) -> str:
    return name.removeprefix("base_model.model.")


def trained_parameters(backbone: Backbone) -> dict[str, torch.Tensor]:
    """The tensors that training changes, by name, on the CPU; what a checkpoint has to hold.

    Where several processes hold a part of every tensor, all of them have to come here, and all get the whole.
    """
    return {
        name: whole(parameter).to("cpu").contiguous()
        for name, parameter in backbone.model.named_parameters()
        if parameter.requires_grad
    }


def save_trained(backbone: Backbone, folder: Path, *, write: bool = True) -> Path:
    """Writes the trained tensors, and nothing that the base model already has.

    Args:
        backbone: The model.
        folder: Where the file goes.
        write: Whether this process writes it; the others only hand over their parts.

    Returns:
        The file.
    """
    from safetensors.torch import save_file

    path = folder / PARAMETERS
    tensors = trained_parameters(backbone)
    if write:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata={"format": "pt"})
    return path


def load_trained(backbone: Backbone, folder: Path) -> None:
    """Puts tensors that `save_trained` wrote back into a backbone to which the same spec was attached.

    Raises:
        ArtefactError: The file is missing or torn, or its tensors do not fit the model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / PARAMETERS
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise ArtefactError(f"{path}: no such file: give a folder that a training has written") from None
    except SafetensorError as error:
        raise ArtefactError(f"{path}: is damaged ({error}): copy it again, or train again") from None
    expected = trained_parameters(backbone)
    faults = [f"lacks {name}" for name in expected if name not in tensors]
    faults += [f"has {name}, which the model has not" for name in tensors if name not in expected]
    faults += [
        f"{name} is {tuple(tensors[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ArtefactError(
            f"{path}: does not fit the backbone: {'; '.join(faults[:3])}{more}: use the one it was made with"
        )
    put_whole(backbone.model, tensors)
