"""ChatGLM2 as the library's own GLM: the same numbers under other names.

```
query_key_value  [q + k + v, h]   q_proj [q, h], k_proj [k, h], v_proj [v, h]
dense_h_to_4h    [2 f, h]         gate_up_proj, unchanged: both have the gate first
dense            [h, q]           o_proj
```

Rotary positions need no change: both rotate the first half of each head, in pairs that lie side by side. The third
version has the same architecture, configuration keys and names, and is read the same way.

GLM computes angles in float32, and so gives what the original gives in float32; in float16 the original rounds
positions and angles, which deviates from its own float32 numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from instructerc.errors import BackboneError

if TYPE_CHECKING:
    import torch

NEEDED = ("hidden_size", "ffn_hidden_size", "num_layers", "num_attention_heads", "kv_channels", "padded_vocab_size")
"""Sizes that a configuration has to state."""

CONDITIONS: Mapping[str, tuple[Any, Any]] = {
    # key: (what GLM computes, what the original takes where the key is missing)
    "multi_query_attention": (True, False),
    "rmsnorm": (True, True),
    "post_layer_norm": (True, True),
    "add_bias_linear": (False, False),
    "apply_residual_connection_post_layernorm": (False, False),
    "fp32_residual_connection": (False, False),
    "original_rope": (True, True),
    "hidden_dropout": (0.0, 0.0),
    "rope_ratio": (1, 1),
    "quantization_bit": (0, 0),
    "pre_seq_len": (None, None),
}
"""Where a checkpoint says otherwise, GLM would compute something else."""

WHOLE: Mapping[str, str] = {
    "transformer.embedding.word_embeddings.weight": "model.embed_tokens.weight",
    "transformer.encoder.final_layernorm.weight": "model.norm.weight",
    "transformer.output_layer.weight": "lm_head.weight",
}
"""Tensors outside the layers: ChatGLM2's name, GLM's name."""

LAYER: Mapping[str, str] = {
    "input_layernorm.weight": "input_layernorm.weight",
    "self_attention.dense.weight": "self_attn.o_proj.weight",
    "post_attention_layernorm.weight": "post_attention_layernorm.weight",
    "mlp.dense_h_to_4h.weight": "mlp.gate_up_proj.weight",
    "mlp.dense_4h_to_h.weight": "mlp.down_proj.weight",
}
"""Tensors of a layer that are the same in both."""

FUSED = "self_attention.query_key_value."
SPLIT = ("self_attn.q_proj.", "self_attn.k_proj.", "self_attn.v_proj.")
OLD_LAYERS = "transformer.encoder.layers."
NEW_LAYERS = "model.layers."
COMPUTED = "transformer.rotary_pos_emb.inv_freq"


def glm_config(record: Mapping[str, Any], *, name: str) -> Any:
    """The configuration of GLM that computes what a ChatGLM2 configuration describes.

    Args:
        record: The checkpoint's config.json.
        name: Of the backbone, for messages.

    Returns:
        A `GlmConfig`.

    Raises:
        BackboneError: GLM computes something else, or a size is missing.
    """
    from transformers import GlmConfig

    _check(record, name)
    heads = record["multi_query_group_num"]
    return GlmConfig(
        vocab_size=record["padded_vocab_size"],
        hidden_size=record["hidden_size"],
        intermediate_size=record["ffn_hidden_size"],
        num_hidden_layers=record["num_layers"],
        num_attention_heads=record["num_attention_heads"],
        num_key_value_heads=heads,
        head_dim=record["kv_channels"],
        hidden_act="silu",
        attention_dropout=record.get("attention_dropout", 0.0),
        max_position_embeddings=record.get("seq_length", 2048),
        rms_norm_eps=record.get("layernorm_epsilon", 1e-5),
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
        attention_bias=bool(record.get("add_qkv_bias", False)),
        tie_word_embeddings=bool(record.get("tie_word_embeddings", False)),
        pad_token_id=record.get("pad_token_id", 0),
        eos_token_id=record.get("eos_token_id", 2),
        bos_token_id=None,
        architectures=["GlmForCausalLM"],
    )


def _check(record: Mapping[str, Any], name: str) -> None:
    missing = [key for key in NEEDED if record.get(key) is None]
    if missing:
        raise BackboneError(f"{name}: its config.json lacks {', '.join(missing)}: copy the checkpoint again")
    for key, (wanted, default) in CONDITIONS.items():
        given = record.get(key, default)
        # Off is written as false, 0, 0.0 and null.
        if given != wanted and (given or wanted):
            raise BackboneError(
                f"{name}: has {key} {given!r} in its config.json, and only {wanted!r} is known to be exact: "
                f"{_remedy(key)}"
            )


def _remedy(key: str) -> str:
    if key == "quantization_bit":
        return "give the checkpoint that is not quantised, and set backbone.quantization"
    if key == "pre_seq_len":
        return "give the checkpoint without a P-Tuning prefix"
    return "choose another backbone"


def to_glm(tensors: Mapping[str, torch.Tensor], config: Any) -> dict[str, torch.Tensor]:
    """The tensors of a ChatGLM2 checkpoint under GLM's names; no number is copied.

    Names that are not known stay as they are, for whoever loads them to complain about.

    Args:
        tensors: Of the checkpoint, by name.
        config: What `glm_config` made of it.

    Raises:
        ValueError: A fused projection has another number of rows than the sizes in the configuration make it.
    """
    converted: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if name in WHOLE:
            converted[WHOLE[name]] = tensor
        elif name.startswith(OLD_LAYERS):
            layer, _, part = name.removeprefix(OLD_LAYERS).partition(".")
            converted.update(_of_layer(f"{NEW_LAYERS}{layer}.", part, tensor, rows_of(config)))
        elif name != COMPUTED:
            converted[name] = tensor
    return converted


def rows_of(config: Any) -> list[int]:
    """Rows of queries, keys and values in the fused projection.

    Example:
        >>> from types import SimpleNamespace
        >>> rows_of(SimpleNamespace(head_dim=128, num_attention_heads=32, num_key_value_heads=2))
        [4096, 256, 256]
    """
    shared = config.num_key_value_heads * config.head_dim
    return [config.num_attention_heads * config.head_dim, shared, shared]


def _of_layer(front: str, part: str, tensor: torch.Tensor, rows: list[int]) -> dict[str, torch.Tensor]:
    if not part.startswith(FUSED):
        return {front + LAYER.get(part, part): tensor}
    if len(tensor) != sum(rows):
        raise ValueError(
            f"{part} of {front.rstrip('.')} has {len(tensor)} rows, the sizes in config.json make it {sum(rows)}"
        )
    kind = part.removeprefix(FUSED)
    return {front + name + kind: block for name, block in zip(SPLIT, tensor.split(rows), strict=True)}


def from_glm(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a GLM under ChatGLM2's names: the way back of `to_glm`.

    Args:
        tensors: A state dictionary of `GlmForCausalLM`.
    """
    import torch

    whole = {new: old for old, new in WHOLE.items()}
    layer_names = {new: old for old, new in LAYER.items()}
    original: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.removeprefix(NEW_LAYERS).partition(".")
        front = f"{OLD_LAYERS}{layer}."
        if name in whole:
            original[whole[name]] = tensor
        elif part in layer_names:
            original[front + layer_names[part]] = tensor
        elif part.startswith(SPLIT[0]):
            kind = part.removeprefix(SPLIT[0])
            blocks = [tensors[f"{NEW_LAYERS}{layer}.{projection}{kind}"] for projection in SPLIT]
            original[front + FUSED + kind] = torch.cat(blocks)
        elif not part.startswith(SPLIT[1:]):
            original[name] = tensor
    return original
