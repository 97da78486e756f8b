"""What can be said of a backbone before its weights are read: what it is, whether it fits, and what will happen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from instructerc.backbones.abilities import tree_ability
from instructerc.backbones.backbone import Backbone, Style
from instructerc.backbones.loading import best_device, computes_bfloat16, count_parameters, load_skeleton
from instructerc.backbones.memory import PROGRAM, Memory, Use, memory_of, size_text, sizes_of
from instructerc.backbones.presets import PRESETS, Preset
from instructerc.backbones.weights import check_weights, in_folder, weight_files
from instructerc.errors import BackboneError

LORA, LORA_4BIT, ALL, RECOGNITION = "LoRA", "LoRA in 4 bits", "all parameters", "recognition"
"""What may be done with a backbone, in the order of tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weight files of a backbone.

    Attributes:
        files: Where they are; empty where they are not on this machine.
        size: Bytes of all of them.
        text: For people.
    """

    files: tuple[Path, ...]
    size: int
    text: str

    @property
    def pickled(self) -> bool:
        """They are pickles, and not safetensors."""
        return any(path.suffix != ".safetensors" for path in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found.

    Attributes:
        name: What the recipe calls the backbone.
        source: Where its weights come from.
        revision: Commit of the hub repository; None where there is none.
        family: Model type.
        architecture: Class of the model.
        parameters: How many it has.
        context: Longest sequence, in tokens.
        targets: Modules that LoRA adapts.
        style: How prompts are put to it.
        style_reason: Why.
        trees: Whether it takes token trees.
        trees_reason: Why it does not.
        weights: Its weight files.
        device: Where it would compute.
        room: Memory that is free there, in bytes; None where nobody knows.
        memory: What each use takes.
    """

    name: str
    source: str
    revision: str | None
    family: str
    architecture: str
    parameters: int
    context: int
    targets: tuple[str, ...]
    style: Style
    style_reason: str
    trees: bool
    trees_reason: str
    weights: Weights
    device: str
    room: int | None
    memory: Mapping[str, Memory]

    def needed(self, use: str) -> int:
        """Bytes that a use takes; on a CPU those of the program are taken from the same memory."""
        return self.memory[use].total + (PROGRAM if self.device == "cpu" else 0)

    def fits(self, use: str) -> bool:
        """Whether there is room for a use, as far as anybody knows."""
        return self.room is None or self.needed(use) <= self.room

    def consequences(self) -> list[str]:
        """What will happen, a line each."""
        trees = "reads token trees" if self.trees else f"reads padded batches: {self.trees_reason}"
        asked = "in its chat template" if self.style == "chat" else "as they are"
        lines = [trees, f"puts prompts {asked}: {self.style_reason}"]
        if self.weights.pickled:
            lines.append("weights are pickles: read by a loader that takes nothing but tensors")
        return lines + [self._fit(use) for use in self.memory]

    def _fit(self, use: str) -> str:
        needed = size_text(self.needed(use))
        if self.room is None:
            return f"{use}: takes about {needed}"
        if self.fits(use):
            return f"{use}: fits, takes about {needed} of {size_text(self.room)}"
        return f"{use}: does not fit, takes about {needed} of {size_text(self.room)}: {self._remedy(use)}"

    def _remedy(self, use: str) -> str:
        if use == ALL and self.fits(LORA):
            return "set adapter.method to lora"
        if use in (LORA, ALL) and LORA_4BIT in self.memory and self.fits(LORA_4BIT):
            return "set backbone.quantization to 4bit" + (" and adapter.method to lora" if use == ALL else "")
        if use in (LORA, LORA_4BIT):
            return (
                "set training.gradient_checkpointing to true and training.row_tokens lower, or take a smaller backbone"
            )
        return "take a smaller backbone"

    def to_json(self) -> dict[str, Any]:
        """Plain values; sizes in bytes."""
        return {
            "name": self.name,
            "source": self.source,
            "revision": self.revision,
            "family": self.family,
            "architecture": self.architecture,
            "parameters": self.parameters,
            "context": self.context,
            "targets": list(self.targets),
            "style": self.style,
            "style_reason": self.style_reason,
            "trees": self.trees,
            "trees_reason": self.trees_reason,
            "weights": {"files": [str(path) for path in self.weights.files], "bytes": self.weights.size},
            "device": self.device,
            "room": self.room,
            "memory": {use: {**memory.to_json(), "fits": self.fits(use)} for use, memory in self.memory.items()},
            "consequences": self.consequences(),
        }


def inspect_backbone(name: str, *, revision: str | None = None) -> Inspection:
    """Reads configuration and tokenizer of a backbone, and looks for its weights on this machine.

    Args:
        name: A preset, a local folder, or a hub id.
        revision: Commit, tag or branch of a hub repository.

    Raises:
        UnknownNameError: It names neither a preset, nor a folder, nor a hub repository.
        BackboneError: There is no causal language model, its files are not whole, or the hub could not be reached.
    """
    skeleton = load_skeleton(name, revision=revision)
    preset = PRESETS.get(name)
    pinned = revision or (preset.revision if preset else None)
    commit = getattr(skeleton.model.config, "_commit_hash", None) or pinned
    ability = tree_ability(skeleton)
    device = best_device()
    config = skeleton.model.config
    return Inspection(
        name=name,
        source=skeleton.source,
        revision=commit,
        family=config.model_type,
        architecture=type(skeleton.model).__name__,
        parameters=count_parameters(skeleton)[0],
        context=skeleton.context,
        targets=skeleton.targets,
        style=skeleton.style,
        style_reason=skeleton.style_reason,
        trees=ability.able,
        trees_reason=ability.reason,
        weights=_weights(name, skeleton, pinned),
        device=device,
        room=free_memory(device),
        memory=_memory(skeleton, device, trees=ability.able),
    )


def _memory(skeleton: Backbone, device: str, *, trees: bool) -> Mapping[str, Memory]:
    total, all_trained = count_parameters(skeleton)
    sizes = sizes_of(skeleton.model.config)
    embedded = skeleton.source == "package"
    narrow = computes_bfloat16(device)
    found = {}
    for use, settings in _uses(device, skeleton.targets, narrow=narrow, trees=trees).items():
        if embedded and settings.quantization != "none":
            continue
        given = replace(settings, width=4) if embedded else settings
        trained = all_trained if settings.method == "all" else None
        found[use] = memory_of(sizes, total, given, trained=trained)
    return found


def preset_memory(preset: Preset) -> Mapping[str, Memory]:
    """What each use of a preset takes on a GPU that computes in bfloat16, from the table alone.

    Rows of trees, or padded batches, are those of a recipe's defaults.
    """
    embedded = preset.source == "package"
    return {
        use: memory_of(preset.sizes, preset.parameters, replace(settings, width=4) if embedded else settings)
        for use, settings in _uses("cuda", preset.targets, narrow=True, trees=preset.trees).items()
        if not (embedded and settings.quantization != "none")
    }


def _uses(device: str, targets: tuple[str, ...], *, narrow: bool, trees: bool) -> dict[str, Use]:
    def use(**settings: Any) -> Use:
        return Use.on(device, targets=targets, narrow=narrow, trees=trees, **settings)

    return {
        LORA: use(method="lora"),
        LORA_4BIT: use(method="lora", quantization="4bit"),
        ALL: use(method="all"),
        RECOGNITION: use(method="none"),
    }


def _weights(name: str, skeleton: Backbone, revision: str | None) -> Weights:
    source = skeleton.source
    if source == "package":
        from instructerc.assets.embedded import WEIGHTS, embedded_model_directory

        return _found([embedded_model_directory() / WEIGHTS])
    folder = Path(source)
    if folder.is_dir():
        files = weight_files(name, in_folder(folder))
    else:
        try:
            files = weight_files(name, _in_cache(source, revision or "main"))
        except BackboneError:
            return Weights(files=(), size=0, text="not on this machine: downloaded when they are first needed")
    check_weights(name, files)
    return _found(files)


def _found(files: list[Path]) -> Weights:
    size = sum(path.stat().st_size for path in files)
    kind = "safetensors" if files[0].suffix == ".safetensors" else "pickles"
    many = f"{len(files)} files, all there" if len(files) > 1 else files[0].name
    return Weights(files=tuple(files), size=size, text=f"on this machine: {kind}, {many}, {size_text(size)}")


def _in_cache(source: str, revision: str) -> Any:
    """Finds files of a hub repository that were downloaded before; the hub is not asked."""
    from huggingface_hub import try_to_load_from_cache

    def find(file: str) -> Path | None:
        found = try_to_load_from_cache(source, file, revision=revision)
        return Path(found) if isinstance(found, str) else None

    return find


def free_memory(device: str) -> int | None:
    """Memory that a program could still take on a device, in bytes; None where nobody knows."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    if device != "cpu":
        return None
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def parameters_text(count: int) -> str:
    """A number of parameters as people say it.

    Example:
        >>> parameters_text(6_738_415_616), parameters_text(134_515_008)
        ('6.7 B', '135 M')
    """
    return f"{count / 1e9:.1f} B" if count >= 999.5e6 else f"{count / 1e6:.0f} M"
