"""A loaded language model, with what the rest of the package has to know of it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    import torch

    from instructerc.backbones.abilities import TreeAbility

Style = Literal["plain", "chat"]
"""How a prompt is put to a model: as it is, or as a user's message in the chat template that the model was tuned on."""

Quantization = Literal["none", "8bit", "4bit"]
"""How the weights of linear layers are held: in the backbone's number type, or in 8 or 4 bits (bitsandbytes)."""


Reading = Literal["forward", "turns", "whole"]
"""What a token of a prompt sees: what comes before it; that and all of its own turn; or all of the prompt."""


@dataclass(slots=True)
class Backbone:
    """A causal language model and its tokenizer.

    Attributes:
        name: What the recipe called it.
        source: The folder or hub id that its weights came from ("package" for the embedded one).
        revision: Commit of the hub repository; None where there is none.
        model: A transformers causal language model; with adapters after `adapters.attach`.
        tokenizer: Its tokenizer.
        context: Longest sequence, in tokens.
        targets: Modules that LoRA adapts by default.
        autocast: Compute in bfloat16 with float32 weights (what pays on a CPU).
        head: Names of parameters that are no part of the base's weights: trained and saved with any adapter.
        frozen: Names of parameters that stay as they are even when all parameters are trained.
        style: How prompts are put to it.
        style_reason: Why so, in a few words.
        quantization: How its linear layers are held.
        tree_verdict: Whether it takes token trees, once that was tried.
    """

    name: str
    source: str
    revision: str | None
    model: Any
    tokenizer: Any
    context: int
    targets: tuple[str, ...]
    autocast: bool = False
    head: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    style: Style = "plain"
    style_reason: str = ""
    quantization: Quantization = "none"
    tree_verdict: TreeAbility | None = None

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        return cast("torch.device", next(self.model.parameters()).device)

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """The precision that forward passes run in."""
        import torch

        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.autocast):
            yield

    def accepts(self, argument: str) -> bool:
        """Whether the model's forward pass names this argument; adapters are looked through."""
        return argument in inspect.signature(base_model(self.model).forward).parameters

    @property
    def reading(self) -> Reading:
        """How prompts are read; answers are read from left to right."""
        return reading_of(self.model.config)

    @property
    def both_ways(self) -> bool:
        """Whether prompts, or their turns, are read in both directions (`embedded-encoder`, `embedded-turns`)."""
        return self.reading != "forward"

    @property
    def cache_argument(self) -> str:
        """What the forward pass calls its cache of keys and values; newer releases of transformers renamed it."""
        return "cache" if self.accepts("cache") else "past_key_values"


def reading_of(config: Any) -> Reading:
    """How a model of this configuration reads prompts (`embedded.set_reading`)."""
    # Other types that may be made so have masks of their own, which nobody here has tried.
    if config.model_type != "bert" or not getattr(config, "use_bidirectional_attention", False):
        return "forward"
    return "turns" if getattr(config, "reads_turns", False) else "whole"


def base_model(model: Any) -> Any:
    """The language model itself, without the adapters around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
