"""The configuration of a ChatGLM-6B of the first version, with the keys of its checkpoints."""

from __future__ import annotations

import math
from typing import Any

# Read by whoever loads such a model, and by nobody else: `checkpoint` imports it inside functions.
from transformers import PreTrainedConfig  # noqa: TID253

RELEASED_LAYERS = 28
"""Layers of every released checkpoint; the residual scale counts these, whatever `num_layers` says."""


class ChatGLMConfig(PreTrainedConfig):
    """Sizes and token ids of a ChatGLM-6B. The defaults are those of the released checkpoint.

    The names are the checkpoint's; `num_hidden_layers`, `intermediate_size`, `max_position_embeddings` and
    `layer_norm_eps` mean the same as in other models of transformers.

    Args:
        vocab_size: Rows of the embedding.
        hidden_size: Width of a token's state.
        num_layers: Layers.
        num_attention_heads: Heads; a head's width has to be a multiple of 4.
        inner_hidden_size: Width inside the feed-forward layers.
        max_sequence_length: Longest sequence that it was trained on, in tokens.
        layernorm_epsilon: Added to variances.
        bos_token_id: `<sop>`, which an answer follows.
        eos_token_id: `<eop>`, which ends it.
        mask_token_id: `[MASK]`, which stands for a short blank.
        gmask_token_id: `[gMASK]`, which stands for a long one, at the end of a prompt.
        pad_token_id: `<pad>`.
        initializer_range: Standard deviation of random weights.
        kwargs: What every configuration may have.
    """

    model_type = "chatglm"
    keys_to_ignore_at_inference = ("cache", "past_key_values")
    attribute_map = {  # noqa: RUF012 — a plain dictionary is what the base class takes
        "num_hidden_layers": "num_layers",
        "intermediate_size": "inner_hidden_size",
        "max_position_embeddings": "max_sequence_length",
        "layer_norm_eps": "layernorm_epsilon",
    }

    def __init__(
        self,
        *,
        vocab_size: int = 130528,
        hidden_size: int = 4096,
        num_layers: int = RELEASED_LAYERS,
        num_attention_heads: int = 32,
        inner_hidden_size: int = 16384,
        max_sequence_length: int = 2048,
        layernorm_epsilon: float = 1e-5,
        bos_token_id: int = 130004,
        eos_token_id: int = 130005,
        mask_token_id: int = 130000,
        gmask_token_id: int = 130001,
        pad_token_id: int = 3,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.num_attention_heads = num_attention_heads
        self.inner_hidden_size = inner_hidden_size
        self.max_sequence_length = max_sequence_length
        self.layernorm_epsilon = layernorm_epsilon
        self.mask_token_id = mask_token_id
        self.gmask_token_id = gmask_token_id
        self.position_encoding_2d = True
        self.initializer_range = initializer_range
        self.use_cache = bool(kwargs.pop("use_cache", True))
        kwargs.pop("position_encoding_2d", None)
        super().__init__(**kwargs)
        self.bos_token_id = bos_token_id
        self.eos_token_id = eos_token_id
        self.pad_token_id = pad_token_id

    @property
    def residual_scale(self) -> float:
        """What the normalised input of a block counts beside the block's output."""
        return math.sqrt(2 * RELEASED_LAYERS)
