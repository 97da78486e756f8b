"""Linear layers in 8 or 4 bits, through bitsandbytes (the extra `quantize`).

```
8bit   LLM.int8 (Dettmers et al. 2022): a byte a weight; inputs are quantised too, columns of large ones are not
4bit   NF4 with double quantisation, as in QLoRA (Dettmers et al. 2023): about 4.1 bits a weight
```

Embeddings, norms and the output layer stay in the backbone's number type. Quantised weights are never trained: LoRA
trains its updates beside them.
"""

from __future__ import annotations

import importlib.util
import logging
from typing import TYPE_CHECKING, Any, get_args

from instructerc.backbones.backbone import Backbone, Quantization
from instructerc.errors import BackboneError, UsageError

if TYPE_CHECKING:
    import torch

LIBRARY = "bitsandbytes"

INSTALL = "pip install 'instructerc[quantize]'"


def check_quantization(quantization: Quantization, *, name: str, source: str, device: str) -> None:
    """Refuses what cannot be loaded so, before any weights are read.

    Args:
        quantization: How linear layers are to be held.
        name: What the recipe calls the backbone.
        source: Where its weights come from; "package" is the embedded one.
        device: Where it shall compute.

    Raises:
        UsageError: There is no such quantisation, or this backbone or device has none.
        BackboneError: The library is missing.
    """
    if quantization not in get_args(Quantization):
        choices = ", ".join(get_args(Quantization))
        raise UsageError(f"backbone.quantization is {quantization!r}: choose one of {choices}")
    if quantization == "none":
        return
    if source == "package":
        raise UsageError(
            f"backbone.quantization is {quantization!r} on {name}, which is small and has float32 weights only: set it "
            "to none, or choose another backbone"
        )
    if device.startswith("mps"):
        raise UsageError(
            f"backbone.quantization is {quantization!r} on {device}, where this package does not support it: set it to "
            "none, or compute on the CPU or an NVIDIA GPU"
        )
    if importlib.util.find_spec(LIBRARY) is None:
        raise BackboneError(
            f"backbone.quantization is {quantization!r}, and {LIBRARY} is not installed: `{INSTALL}`, or set it to none"
        )


def quantized_arguments(quantization: Quantization, *, compute: torch.dtype, device: str) -> dict[str, Any]:
    """What `from_pretrained` takes to load a model so; nothing where nothing is quantised.

    Args:
        quantization: How linear layers are held.
        compute: What 4-bit weights are unpacked to; 8-bit ones always compute in integers and float16.
        device: Weights are quantised on the way there: such a model is moved nowhere later.
    """
    if quantization == "none":
        return {}
    from transformers import BitsAndBytesConfig

    # It tells of its casts at every layer of every pass; they are what the 8-bit method does.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    if quantization == "8bit":
        settings = BitsAndBytesConfig(load_in_8bit=True)
    else:
        settings = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
        )
    return {"quantization_config": settings, "device_map": {"": device}}


def unpack(backbone: Backbone) -> None:
    """Makes plain layers of quantised ones, which hold what those stood for, in the number type of the rest."""
    dtype = backbone.model.dtype
    backbone.model = backbone.model.dequantize().to(dtype)
    backbone.quantization = "none"


def keep_trainable(model: Any) -> None:
    """Keeps 4-bit layers from repacking themselves for a faster kernel once they were evaluated.

    On CPUs that compute in bfloat16 they do, and stay so: the kernel has no backward pass, so that a training that goes
    on after its validation would lose the gradients of every layer below without a word.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
