"""ChatGLM-6B, first version, on the base classes of transformers; its tensors have the names of the checkpoints.

```
state ── layer norm ─┬─ attention ─(+)─ layer norm ─┬─ feed-forward ─(+)── next layer
                     └──── × α ─────┘               └────── × α ──────┘
```

What goes around a block is its normalised input, times α = √(2 · 28) (DeepNorm, Wang et al., 2022). Half of each head
is rotated by the place of a token, the other half by its block position; `layout` says what these are and who sees
whom. The head is the embedding: a `lm_head.weight` in a checkpoint is not read, as in the original.

Frequencies are rounded to float16, in which the checkpoints were trained; angles are computed in float32.
"""

from __future__ import annotations

import dataclasses
from typing import Any

# Read by whoever loads such a model, and by nobody else: `checkpoint` imports it inside functions.
import torch  # noqa: TID253
from torch import nn  # noqa: TID253
from transformers import DynamicCache, GenerationMixin, PreTrainedModel  # noqa: TID253
from transformers.modeling_layers import GradientCheckpointingLayer  # noqa: TID253
from transformers.modeling_outputs import CausalLMOutputWithPast  # noqa: TID253
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS  # noqa: TID253

from instructerc.backbones.chatglm.configuration import ChatGLMConfig
from instructerc.backbones.chatglm.layout import Context, find_context, positions, visible

ROTARY_BASE = 10000.0

_NAMES = {field.name for field in dataclasses.fields(CausalLMOutputWithPast)}

CACHE = "cache" if "cache" in _NAMES else "past_key_values"
"""What an output calls the keys and values; newer releases of transformers renamed it."""


def rotations(places: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine of every token's angles.

    Shapes: B sequences, T tokens.

    Args:
        places: Place and block position of each token, [B, 2, T].
        width: Components of a head; each half of them is rotated by one of the two.

    Returns:
        Two of [B, 1, T, 2, width / 2], float32.
    """
    half = width // 2
    exponents = torch.arange(0, half, 2, dtype=torch.float32, device="cpu") / half
    frequencies = (1.0 / ROTARY_BASE**exponents).half().float().to(places.device)
    angles = places.transpose(1, 2).unsqueeze(-1) * frequencies  # [B, T, 2, width / 4]
    angles = torch.cat([angles, angles], dim=-1).unsqueeze(1)
    return angles.cos(), angles.sin()


def rotate(states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotates queries or keys [B, heads, T, width]; component j of a half is paired with j + width / 4."""
    halves = states.unflatten(-1, (2, -1))
    first, second = halves.chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    rotated: torch.Tensor = halves * cosine.to(states.dtype) + turned * sine.to(states.dtype)
    return rotated.flatten(-2)


def eager_attention_forward(
    _: nn.Module,
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor,
    *,
    scaling: float,
    **__: Any,
) -> tuple[torch.Tensor, None]:
    """Attention step by step, with the arguments and results of the library's implementations.

    Shapes: B sequences, N heads, T queries, K keys, W components.

    Args:
        queries: [B, N, T, W].
        keys: [B, N, K, W].
        values: [B, N, K, W].
        mask: True where a query sees a key, [B, 1, T, K].
        scaling: What scores are multiplied by.

    Returns:
        [B, T, N, W], and no weights.
    """
    scores = (queries @ keys.transpose(-1, -2) * scaling).masked_fill(~mask, torch.finfo(queries.dtype).min)
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(values.dtype)
    return (weights @ values).transpose(1, 2), None


class ChatGLMAttention(nn.Module):
    """Attention with one projection for queries, keys and values, which lie side by side in each head."""

    def __init__(self, config: ChatGLMConfig, layer: int) -> None:
        super().__init__()
        self.config = config
        self.layer = layer
        self.is_causal = False  # the mask says it all
        self.heads = config.num_attention_heads
        self.width = config.hidden_size // config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self,
        states: torch.Tensor,
        mask: torch.Tensor,
        rotation: tuple[torch.Tensor, torch.Tensor],
        cache: Any | None,
    ) -> torch.Tensor:
        """New states [B, T, hidden_size] from those of the tokens that `mask` [B, 1, T, K] lets each see."""
        fused = self.query_key_value(states).unflatten(-1, (self.heads, 3 * self.width)).transpose(1, 2)
        queries, keys, values = fused.chunk(3, dim=-1)
        queries, keys = rotate(queries, *rotation), rotate(keys, *rotation)
        if cache is not None:
            keys, values = cache.update(keys, values, self.layer)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
        seen, _ = attend(self, queries, keys, values, mask, scaling=self.width**-0.5)
        return self.dense(seen.flatten(-2))  # type: ignore[no-any-return]


class ChatGLMFeedForward(nn.Module):
    """Two linear layers with a GELU (its tanh form) between them."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, config.inner_hidden_size)
        self.dense_4h_to_h = nn.Linear(config.inner_hidden_size, config.hidden_size)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """New states, of the same shape."""
        inner = nn.functional.gelu(self.dense_h_to_4h(states), approximate="tanh")
        return self.dense_4h_to_h(inner)  # type: ignore[no-any-return]


class ChatGLMLayer(GradientCheckpointingLayer):
    """Attention and feed-forward, each with its scaled residual (see the module)."""

    def __init__(self, config: ChatGLMConfig, layer: int) -> None:
        super().__init__()
        self.scale = config.residual_scale
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.attention = ChatGLMAttention(config, layer)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.mlp = ChatGLMFeedForward(config)

    def forward(
        self,
        states: torch.Tensor,
        mask: torch.Tensor,
        rotation: tuple[torch.Tensor, torch.Tensor],
        layer_past: Any | None = None,  # under this name, gradient checkpointing knows it
    ) -> torch.Tensor:
        """New states, of the same shape."""
        normed = self.input_layernorm(states)
        states = self.scale * normed + self.attention(normed, mask, rotation, layer_past)
        normed = self.post_attention_layernorm(states)
        return self.scale * normed + self.mlp(normed)  # type: ignore[no-any-return]


class ChatGLMPreTrainedModel(PreTrainedModel):
    """What transformers has to know to load, save and train it."""

    config_class = ChatGLMConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    _no_split_modules = ["ChatGLMLayer"]  # noqa: RUF012 — a plain list is what the base class takes
    _supports_sdpa = True
    # Angles are computed, and the head is the embedding.
    _keys_to_ignore_on_load_unexpected = [r"rotary_emb\.inv_freq", r"^lm_head\.weight"]  # noqa: RUF012


class ChatGLMModel(ChatGLMPreTrainedModel):
    """Embedding, layers and the last layer norm."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(ChatGLMLayer(config, layer) for layer in range(config.num_layers))
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.gradient_checkpointing = False
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The embedding."""
        return self.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Puts another embedding in its place."""
        self.word_embeddings = value  # type: ignore[assignment]

    def forward(
        self, input_ids: torch.Tensor, mask: torch.Tensor, places: torch.Tensor, cache: Any | None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """The states of all tokens.

        Shapes: B sequences, T tokens that are read, K keys, those of the cache included; H `hidden_size`.

        Args:
            input_ids: [B, T].
            mask: Whom each token sees, [B, 1, T, K].
            places: Place and block position of each token, [B, 2, T].
            cache: Keys and values of the tokens before; grows.

        Returns:
            The last states [B, T, H], and what went into each layer, with the last states behind.
        """
        config = self.config
        rotation = rotations(places, config.hidden_size // config.num_attention_heads)
        states = self.word_embeddings(input_ids)
        inputs = []
        for layer in self.layers:
            inputs.append(states)
            states = layer(states, mask, rotation, layer_past=cache)
        states = self.final_layernorm(states)
        return states, (*inputs, states)


class ChatGLMForCausalLM(ChatGLMPreTrainedModel, GenerationMixin):
    """The language model: its logits are the products of last states and embedding."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.transformer = ChatGLMModel(config)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The embedding."""
        return self.transformer.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Puts another embedding in its place."""
        self.transformer.set_input_embeddings(value)

    def forward(  # noqa: PLR0917 — models of transformers are called by place as well
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        past_key_values: Any | None = None,
        cache: Any | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        output_hidden_states: bool | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits, and the loss where labels are given.

        There is no argument `position_ids`, since whoever finds one fills it with one row of positions, and there are
        two here. Whoever knows both may give them by keyword, as the original takes them.

        Shapes: B sequences, T tokens that are read, P tokens in the cache.

        Args:
            input_ids: [B, T]. A prompt has a mask token and `<sop>`, and is read in one go: all of it is context.
            attention_mask: 1 where there is a token, 0 where there is padding on either side, [B, P + T].
            inputs_embeds: Not taken: the ids say where the context ends.
            past_key_values: Keys and values of the tokens before, a `DynamicCache` of this model.
            cache: The same, as newer releases of transformers call it.
            labels: [B, T]; -100 where nothing has to be predicted. Each is predicted by the token before.
            use_cache: Whether to hand out keys and values; by default, what the configuration says.
            logits_to_keep: Compute the last so many logits only, or those at these positions; 0 is all.
            output_hidden_states: Whether to hand out the states between layers.
            kwargs: `position_ids`, [B, 2, T], and `num_items_in_batch` of transformers' own trainer.

        Raises:
            ValueError: A sequence lacks `<sop>` or a mask token, or an argument does not fit.
        """
        if input_ids is None or inputs_embeds is not None:
            raise ValueError("input_ids are needed, which say where the context ends; inputs_embeds are not taken")
        past = cache if cache is not None else past_key_values
        if use_cache is None:
            use_cache = bool(self.config.use_cache) and not self.training
        if past is None and use_cache:
            past = DynamicCache(config=self.config)
        known = past.get_seq_length() if past is not None else 0
        count = input_ids.shape[1]
        if attention_mask is None:
            attention_mask = torch.ones((len(input_ids), known + count), dtype=torch.long, device=input_ids.device)
        if attention_mask.shape != (len(input_ids), known + count):
            raise ValueError(
                f"attention_mask is {tuple(attention_mask.shape)}, not {(len(input_ids), known + count)}: give a "
                "column for every token, those in the cache included"
            )
        context = self._context(input_ids, attention_mask, past, known)
        places = kwargs.get("position_ids")
        if places is None:
            places = positions(context, attention_mask, count=count)
        elif places.shape != (len(input_ids), 2, count):
            raise ValueError(
                f"position_ids are {tuple(places.shape)}, not {(len(input_ids), 2, count)}: leave them out"
            )
        mask = visible(context, attention_mask, count=count)
        states, between = self.transformer(input_ids, mask, places, past)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        if labels is not None:
            kept = slice(None)
        logits = nn.functional.linear(states[:, kept], self.transformer.word_embeddings.weight)
        return CausalLMOutputWithPast(
            loss=None if labels is None else _loss(logits, labels, kwargs.get("num_items_in_batch")),
            logits=logits,
            hidden_states=between if output_hidden_states else None,
            **{CACHE: past if use_cache else None},
        )

    def _context(self, ids: torch.Tensor, mask: torch.Tensor, past: Any | None, known: int) -> Context:
        """Where the prompts' contexts end: found in the prompts, and remembered by the cache for what follows."""
        if known:
            context = getattr(past, "chatglm_context", None)
            if not isinstance(context, Context):
                raise ValueError("the cache does not know its prompts: give one that this model has filled")
            return context
        config = self.config
        blanks = (config.gmask_token_id, config.mask_token_id)
        context = find_context(ids, mask, start=config.bos_token_id, blanks=blanks)
        if past is not None:
            past.chatglm_context = context
        return context


def _loss(logits: torch.Tensor, labels: torch.Tensor, items: Any | None) -> torch.Tensor:
    """Mean cross entropy over labelled tokens, in float32; over `items` where a trainer counts them itself."""
    wanted = labels[:, 1:].flatten().to(logits.device)
    given = logits[:, :-1].float().flatten(0, 1)
    reduction = "mean" if items is None else "sum"
    loss = nn.functional.cross_entropy(given, wanted, ignore_index=-100, reduction=reduction)
    return loss if items is None else loss / float(items)
