"""From a name to a loaded backbone."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from instructerc.assets import offline, offline_switch
from instructerc.assets.embedded import embedded_model_directory
from instructerc.backbones.backbone import Backbone, Quantization
from instructerc.backbones.chat import StyleSetting, choose_style
from instructerc.backbones.chatglm.checkpoint import find_checkpoint
from instructerc.backbones.embedded import (
    FROZEN,
    HEAD,
    READINGS,
    load_embedded,
    load_embedded_tokenizer,
    set_reading,
)
from instructerc.backbones.presets import FUSED_TARGETS, LLAMA_TARGETS, PRESETS, Preset
from instructerc.backbones.quantization import check_quantization, keep_trainable, quantized_arguments
from instructerc.backbones.weights import check_weights, commit_of, in_folder, weight_files
from instructerc.errors import BackboneError, UnknownNameError, UsageError

if TYPE_CHECKING:
    import torch

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
"""`auto` is bfloat16 where the hardware computes with it, float32 elsewhere."""

Precision = Literal["auto", "bf16", "float32"]
"""What is computed in: `auto` is bfloat16 where the hardware has it. Weights stay in their own type."""

Attention = Literal["auto", "sdpa", "eager", "flex"]
"""How attention is computed: `auto` is what the model's own library takes, `flex` skips what no token may see."""

LARGEST_CONTEXT = 1_000_000
"""Tokenizers write absurd lengths where they know no limit."""


def load_backbone(
    name: str,
    *,
    revision: str | None = None,
    dtype: Dtype = "auto",
    precision: Precision = "auto",
    device: str | None = None,
    attention: Attention = "auto",
    quantization: Quantization = "none",
    style: StyleSetting = "auto",
) -> Backbone:
    """Loads a language model and its tokenizer.

    Args:
        name: A preset, a local folder, or a hub id.
        revision: Commit, tag or branch of a hub repository; by default the commit that its preset pins, else `main`.
        dtype: What weights are held in. Those of the embedded backbone are always float32.
        precision: What is computed in.
        device: "cpu", "cuda", "cuda:1" …; by default the first accelerator, else the CPU.
        attention: How attention is computed; `flex` needs a GPU.
        quantization: Whether linear layers are held in 8 or 4 bits; needs bitsandbytes.
        style: How prompts are put to it; `auto` is what `choose_style` finds.

    Raises:
        UnknownNameError: It names neither a preset, nor a folder, nor a hub repository.
        BackboneError: The folder or repository holds no causal language model that can be loaded, or one without the
            attention that was asked for, or its chat template is missing or cannot be used.
        AssetError: The weights could not be had.
    """
    if dtype not in get_args(Dtype):
        raise UsageError(f"backbone.dtype is {dtype!r}: choose one of {', '.join(get_args(Dtype))}")
    if precision not in get_args(Precision):
        raise UsageError(f"training.precision is {precision!r}: choose one of {', '.join(get_args(Precision))}")
    import torch
    from transformers import GenerationConfig

    preset = PRESETS.get(name)
    target = device or best_device()
    _check_attention(attention, target)
    source = preset.source if preset else name
    check_quantization(quantization, name=name, source=source, device=target)
    if preset is not None and preset.source == "package":
        model, tokenizer = load_embedded(READINGS[name])
        backbone = Backbone(name, "package", None, model, tokenizer, preset.context, preset.targets)
        backbone.head, backbone.frozen = HEAD, FROZEN
    else:
        compute = _compute_dtype(dtype, precision, target)
        quantized = quantized_arguments(quantization, compute=compute, device=target)
        backbone = _load_pretrained(name, preset, revision=revision, dtype=dtype, device=target, quantized=quantized)
        backbone.quantization = quantization
        keep_trainable(backbone.model)
    wanted = precision == "bf16" or (precision == "auto" and computes_bfloat16(target))
    backbone.autocast = wanted and next(backbone.model.parameters()).dtype == torch.float32
    if quantization == "none":  # else it was quantised on the way there
        backbone.model.to(target)
    config = backbone.model.config
    if attention == "auto" and config._attn_implementation == "sdpa" and _caps_scores(config):
        attention = "eager"
    if attention != "auto":
        _set_attention(backbone, attention)
    # What a generation leaves unset is taken from here: a checkpoint's own settings must not steer it (method §7).
    backbone.model.generation_config = GenerationConfig()
    prepare_tokenizer(backbone.tokenizer)
    _set_style(backbone, style, preset)
    return backbone


def _set_style(backbone: Backbone, style: StyleSetting, preset: Preset | None) -> None:
    choice = choose_style(style, backbone.name, backbone.tokenizer, preset.style if preset else None)
    backbone.style, backbone.style_reason = choice.style, choice.reason


def _check_attention(attention: Attention, device: str) -> None:
    if attention not in get_args(Attention):
        raise UsageError(f"backbone.attention is {attention!r}: choose one of {', '.join(get_args(Attention))}")
    if attention == "flex" and not device.startswith("cuda"):
        # Without a GPU it has no backward pass, needs a C++ compiler at run time, and gains nothing over SDPA.
        raise UsageError(f"backbone.attention is 'flex' on {device}: it needs an NVIDIA or AMD GPU: set it to auto")


def _caps_scores(config: Any) -> bool:
    """Whether attention caps its scores (Gemma 2). SDPA cannot; some releases of the library take it all the same."""
    return getattr(config, "attn_logit_softcapping", None) is not None


def _set_attention(backbone: Backbone, attention: Attention) -> None:
    config = backbone.model.config
    wanted = "flex_attention" if attention == "flex" else attention
    has = wanted != "sdpa" or not _caps_scores(config)
    if has:
        # The library's own text proposes arguments that nobody here can give.
        with contextlib.suppress(ValueError, ImportError):
            backbone.model.set_attn_implementation(wanted)
    if not has or config._attn_implementation != wanted:
        raise BackboneError(
            f"{backbone.name}: models of type {config.model_type!r} have no {attention} attention: "
            "set backbone.attention to auto"
        )


def _load_pretrained(
    name: str,
    preset: Preset | None,
    *,
    revision: str | None,
    dtype: Dtype,
    device: str,
    quantized: Mapping[str, Any],
) -> Backbone:
    from transformers import AutoModelForCausalLM

    revision = _pinned(revision, preset)
    config, tokenizer, _ = load_config(name, revision)
    source = _source_of(name, preset)
    if Path(source).is_dir():
        check_weights(name, weight_files(name, in_folder(Path(source))))
    where: dict[str, Any] = {"local_files_only": offline(), "trust_remote_code": False}
    # Weights-only: a pickle inside a checkpoint may hold nothing but tensors.
    how: dict[str, Any] = {"dtype": _torch_dtype(dtype, device), "weights_only": True, **quantized}
    how["ignore_mismatched_sizes"] = True  # they are refused below, in our words: the library's name no tensor
    try:
        chatglm = find_checkpoint(name, source, revision, **where)
        pair: Any = (
            chatglm.load_model(config, **where, **how)
            if chatglm is not None
            else AutoModelForCausalLM.from_pretrained(
                source, config=config, revision=revision or "main", output_loading_info=True, **where, **how
            )
        )
    except BackboneError:
        raise
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, RuntimeError and the hub's own
        raise BackboneError(_why(name, source, error)) from error
    model, loaded = pair
    _refuse_other_sizes(name, loaded["mismatched_keys"])
    _refuse_random_weights(name, loaded["missing_keys"])
    targets = preset.targets if preset else _targets_of(model)
    commit = getattr(config, "_commit_hash", None) or commit_of(source, revision)
    context = _context_of(config, tokenizer, preset)
    return Backbone(name, source, commit, model.eval(), tokenizer, context, targets)


def load_tokenizer(name: str, *, revision: str | None = None) -> tuple[Any, int]:
    """The tokenizer of a backbone, prepared, and the backbone's context in tokens; no weights are loaded.

    Raises:
        As `load_backbone`.
    """
    config, tokenizer, preset = load_config(name, revision)
    prepare_tokenizer(tokenizer)
    return tokenizer, _context_of(config, tokenizer, preset)


def load_skeleton(
    name: str, *, revision: str | None = None, attention: Attention = "auto", style: StyleSetting = "auto"
) -> Backbone:
    """A backbone without weights: its tokenizer, its configuration, and the shapes of its parameters.

    Its device is the one that `load_backbone` would take.

    Raises:
        As `load_backbone`.
    """
    import torch
    from transformers import AutoModelForCausalLM

    _check_attention(attention, best_device())
    config, tokenizer, preset = load_config(name, revision)
    embedded = preset is not None and preset.source == "package"
    if embedded:
        config.is_decoder = True
    source = _source_of(name, preset)
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except ValueError as error:  # no causal language model
        raise BackboneError(_why(name, source, error)) from error
    targets = preset.targets if preset else _targets_of(model)
    skeleton = _Skeleton(name, source, None, model, tokenizer, _context_of(config, tokenizer, preset), targets)
    if embedded:
        skeleton.head, skeleton.frozen = HEAD, FROZEN
    if attention != "auto":
        _set_attention(skeleton, attention)
    prepare_tokenizer(tokenizer)
    _set_style(skeleton, style, preset)
    return skeleton


class _Skeleton(Backbone):
    """Its parameters are nowhere."""

    @property
    def device(self) -> torch.device:
        import torch

        return torch.device(best_device())


def count_parameters(backbone: Backbone) -> tuple[int, int]:
    """All parameters of a backbone, and those that `adapter.method: all` trains."""
    total = sum(parameter.numel() for parameter in backbone.model.parameters())
    return total, total - sum(backbone.model.get_parameter(name).numel() for name in backbone.frozen)


def load_config(name: str, revision: str | None) -> tuple[Any, Any, Preset | None]:
    """Configuration, tokenizer as it came, and preset of a backbone; no weights are loaded.

    Raises:
        As `load_backbone`.
    """
    from transformers import AutoConfig, AutoTokenizer

    preset = PRESETS.get(name)
    revision = _pinned(revision, preset)
    if preset is not None and preset.source == "package":
        folder = embedded_model_directory()
        config = AutoConfig.from_pretrained(folder)
        set_reading(config, READINGS[name])
        return config, load_embedded_tokenizer(folder), preset
    source = _source_of(name, preset)
    # Code that a checkpoint brings along is never run; without this the library would ask the terminal for leave.
    arguments: dict[str, Any] = {"local_files_only": offline(), "trust_remote_code": False}
    try:
        chatglm = find_checkpoint(name, source, revision, **arguments)
        if chatglm is not None:
            config = chatglm.config()
            return config, chatglm.tokenizer(config), preset
        arguments["revision"] = revision or "main"
        config = AutoConfig.from_pretrained(source, **arguments)
        _refuse_other_kinds(name, config)
        tokenizer = AutoTokenizer.from_pretrained(source, **arguments)
    except BackboneError:
        raise
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, RuntimeError and the hub's own
        raise BackboneError(_why(name, source, error)) from error
    return config, tokenizer, preset


OTHER_HEADS = ("SequenceClassification", "TokenClassification", "QuestionAnswering", "MultipleChoice", "MaskedLM")
"""Ends of the names of architectures whose checkpoints have no head that writes text, or one that looks ahead."""


def _refuse_other_kinds(name: str, config: Any) -> None:
    """The library takes some of these for causal language models, and reads part of them or with random weights."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    kind = f"models of type {config.model_type!r} are none"
    known = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    architectures = getattr(config, "architectures", None) or ("",)
    if getattr(config, "is_encoder_decoder", False):
        known, kind = False, "it is an encoder with a decoder"
    elif not getattr(config, "is_decoder", False) and architectures[0].endswith(OTHER_HEADS):
        known, kind = False, f"it was made as {architectures[0]}"
    if not known:
        raise BackboneError(
            f"{name}: cannot be loaded as a causal language model ({kind}): choose a checkpoint that was made as one"
        )


def _pinned(revision: str | None, preset: Preset | None) -> str | None:
    """What was asked for, else the commit of the preset: the model is then the same tomorrow."""
    return revision or (preset.revision if preset else None)


def _context_of(config: Any, tokenizer: Any, preset: Preset | None) -> int:
    stated = getattr(config.get_text_config(), "max_position_embeddings", None) or (preset and preset.context) or 2048
    limit = tokenizer.model_max_length if tokenizer.model_max_length < LARGEST_CONTEXT else stated
    return int(min(stated, limit))


def _refuse_other_sizes(name: str, mismatched: Iterable[tuple[Any, ...]]) -> None:
    """The library gives tensors of other sizes than the configuration makes them random numbers, too."""
    faults = sorted(
        f"{tensor} is {tuple(given)}, the sizes in config.json make it {tuple(wanted)}"
        for tensor, given, wanted in mismatched
    )
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise BackboneError(f"{name}: cannot be loaded: {faults[0]}{more}: take all files from one checkpoint")


def _refuse_random_weights(name: str, missing: Iterable[str]) -> None:
    """The library fills what a checkpoint lacks with random numbers, and only warns."""
    lacking = sorted(missing)
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise BackboneError(
            f"{name}: its weights lack {', '.join(lacking[:3])}{more}: copy the checkpoint again, or choose one "
            "that was made as a causal language model"
        )


def _source_of(name: str, preset: Preset | None) -> str:
    if preset is not None:
        return preset.source
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise BackboneError(f"{name}: has no config.json: give a folder that holds a transformers checkpoint")
        return name
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or os.sep * 2 in name:
        raise UnknownNameError("backbone (no preset, no folder, no hub id)", name, PRESETS)
    return name


def _why(name: str, source: str, error: Exception) -> str:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if "Weights only load failed" in str(error):  # the library's own text goes on to recommend loading it all the same
        return (
            f"{name}: its weights are a pickle that holds more than tensors, and could run code: refused; "
            "give a checkpoint with safetensors weights"
        )
    if Path(source).is_dir():
        return f"{name}: cannot be loaded as a causal language model ({reason}): check the files of the folder"
    switch = offline_switch()
    remedy = f"unset {switch}, or give a local folder" if switch else "check the id, the network and your login"
    return f"{name}: the hub did not deliver {source} ({reason}): {remedy}"


def _targets_of(model: Any) -> tuple[str, ...]:
    """Attention projections by the names that model families use; the first family that matches is taken."""
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    for family in (LLAMA_TARGETS, FUSED_TARGETS, ("qkv_proj",), ("c_attn",), ("query", "key", "value")):
        if names.issuperset(family):
            return family
    return ()


def prepare_tokenizer(tokenizer: Any) -> None:
    """Settles what the package relies on: text of users never becomes a control token, and there is a pad token.

    The released code pads with the unknown token where there is no pad token (method §7); where that is missing
    too, the end token serves: padding is masked by length, never by its id.
    """
    tokenizer.split_special_tokens = True
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    if tokenizer.eos_token_id is None:
        raise BackboneError("this tokenizer has no end token: an answer could not end; choose another backbone")


def best_device() -> str:
    """Where to compute where nobody says it: the first accelerator, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def computes_bfloat16(device: str) -> bool:
    """Whether bfloat16 pays on this device: on a GPU that has it, and on a CPU with instructions for it."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    if device != "cpu":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _torch_dtype(dtype: Dtype, device: str) -> Any:
    import torch

    if dtype == "auto":
        return torch.bfloat16 if computes_bfloat16(device) else torch.float32
    return getattr(torch, dtype)


def _compute_dtype(dtype: Dtype, precision: Precision, device: str) -> Any:
    """What quantised weights are unpacked to: what everything around them computes in."""
    import torch

    held = _torch_dtype(dtype, device)
    wanted = precision == "bf16" or (precision == "auto" and computes_bfloat16(device))
    return torch.bfloat16 if wanted and held == torch.float32 else held


def quiet_transformers() -> None:
    """Keeps the library's own progress bars and notices off the terminal; ours say what is going on."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
