"""Which backbones take rows of token trees, read from their configurations.

```
configuration ─ type on the list? ─ causal? ─ layers full or sliding? ─ positions static? ─ attention keeps to a mask?
                 └ no: padded batches, and so on, each with its reason                        └ yes: trees
```

An allow-list: a model that is not known to be exact reads padded batches. `self_check` then tries what this says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from instructerc.backbones.backbone import Backbone, reading_of
from instructerc.backbones.tree_attention import IMPLEMENTATION

Layers = Literal["full", "window", "kinds"]
"""How far back the layers of a family look: `full` to the start, `window` all of them as far as `sliding_window`,
`kinds` as `layer_types` says of each."""

FAMILIES: Mapping[str, Layers] = {
    "bert": "full",
    "gemma": "full",
    "gemma2": "kinds",
    "gemma3_text": "kinds",
    "glm": "full",
    "glm4": "full",
    "llama": "full",
    "mistral": "window",
    "olmo2": "full",
    "phi3": "window",
    "qwen2": "kinds",
    "qwen3": "kinds",
    "smollm3": "kinds",
}
"""Model types whose rows of trees are exact. Each is held against separate sequences by `tests/backbones`."""

FULL = "full_attention"
SLIDING = "sliding_attention"

STATIC_ROTARY = frozenset({"default", "linear", "llama3", "yarn"})
"""Rotary positions whose angles depend on the position alone; those of `dynamic` and `longrope` change with the length
of what is read, and a row is longer than its sequences."""

ATTENTIONS = frozenset({"sdpa", "eager", "flex_attention", IMPLEMENTATION})
"""Implementations of attention that `rows` can give a mask."""


@dataclass(frozen=True, slots=True)
class TreeAbility:
    """Whether a backbone takes token trees.

    Attributes:
        able: It does.
        reason: Why it does not, in a few words; empty where it does.
    """

    able: bool
    reason: str = ""


def tree_ability(backbone: Backbone) -> TreeAbility:
    """Whether rows of trees are known to give this model's exact results; nothing is computed.

    Example:
        ```python
        tree_ability(load_backbone("bloom-560m"))
        # TreeAbility(False, "model type 'bloom' is not on the list of those known to be exact")
        ```
    """
    config = backbone.model.config
    reason = _family(config) or _direction(config) or _layers(config) or _rotary(config) or _attention(config)
    if not reason and not backbone.accepts("position_ids"):
        reason = "its forward pass takes no positions"
    return TreeAbility(able=not reason, reason=reason)


def windows(config: Any) -> dict[str, int | None]:
    """How far back each kind of layer looks, in tokens; None sees everything.

    A window that a configuration names and no layer uses does not count.

    Returns:
        By layer type, as `attention_mask` may be given to models of mixed layers; one entry for all other models.
    """
    window: int | None = getattr(config, "sliding_window", None)
    layers = FAMILIES.get(config.model_type, "full")
    if layers == "full" or window is None:
        return {FULL: None}
    if layers == "window":
        return {SLIDING: window}
    return {kind: window if kind == SLIDING else None for kind in sorted(set(config.layer_types))}


def _family(config: Any) -> str:
    if config.model_type in FAMILIES:
        return ""
    return f"model type {config.model_type!r} is not on the list of those known to be exact"


def _direction(config: Any) -> str:
    if reading_of(config) == "turns":  # trees of spans: `trees`
        return ""
    encoder = config.model_type == "bert" and not getattr(config, "is_decoder", False)
    both_ways = getattr(config, "use_bidirectional_attention", False) or not getattr(config, "is_causal", True)
    return "its prompts are read in both directions" if encoder or both_ways else ""


def _layers(config: Any) -> str:
    kinds = getattr(config, "layer_types", None) or ()
    strange = sorted(set(kinds) - {FULL, SLIDING})
    if strange:
        return f"it has layers of kind {strange[0]!r}"
    if FAMILIES[config.model_type] == "kinds" and not kinds:
        return "its configuration does not say what kind each layer is"
    return ""


def _rotary(config: Any) -> str:
    named = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    # Gemma 3 has one set for each kind of layer.
    by_layer = bool(named) and all(value is None or isinstance(value, Mapping) for value in named.values())
    for parameters in named.values() if by_layer else (named,):
        kind = (parameters or {}).get("rope_type") or (parameters or {}).get("type") or "default"
        if kind not in STATIC_ROTARY:
            return f"its rotary positions are {kind!r}, which may change with the length of what is read"
    return ""


def _attention(config: Any) -> str:
    name = str(getattr(config, "_attn_implementation", None))
    if "flash" in name:
        return f"attention {name!r} guesses packing from positions"
    return "" if name in ATTENTIONS else f"attention {name!r} is not known to keep to a mask"
