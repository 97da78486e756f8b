"""The embedded backbones: all-MiniLM-L6-v2 run as a causal language model, or as one of two prefix language models.

transformers' BERT as a decoder, with positions up to 512. Its head is the word embeddings, behind a linear transform
that starts as the identity: before training the model answers with the words nearest to what it read. Only that
transform, and what was trained, is ever saved.

```
                    embedded                    embedded-turns              embedded-encoder
                    a : done ! feels : joy      a : done ! feels : joy      a : done ! feels : joy
done sees           x x x                       x x x    x                  x x x    x x     x
joy sees            x x x    x x     x x        x x x    x x     x x        x x x    x x     x x
```

`embedded` reads from left to right. `embedded-encoder` reads a prompt in both directions, as MiniLM was trained; its
prompts share no computation, since what a token means depends on what comes after it. `embedded-turns` reads each turn
in both directions, and the turns from left to right: a turn means the same whatever is said later, so that prompts of a
conversation share their history. So do the instruction and the question, each by itself. Answers are causal in all.

Where a turn is read in both directions, answers begin from the mean over what is asked about, as MiniLM was trained to
mean something (sentence-transformers' mean pooling), where a causal model's begin from the prompt's last token.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.assets.embedded import WEIGHTS, embedded_model_directory
from instructerc.backbones.backbone import Reading
from instructerc.backbones.padding import FOCUS, prefix_mask

if TYPE_CHECKING:
    import torch

READINGS: Mapping[str, Reading] = {"embedded": "forward", "embedded-turns": "turns", "embedded-encoder": "whole"}
"""How each of these backbones reads a prompt."""

HEAD = ("cls.predictions.transform.weight", "cls.predictions.transform.bias")
"""The transform in front of the word embeddings: it has no weights in the base model."""

FROZEN = ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias")
"""Half of all parameters, and what ties input and output together: never trained, so never saved."""


def load_embedded(reading: Reading = "forward") -> tuple[Any, Any]:
    """Builds the model and its tokenizer from verified weights.

    Args:
        reading: How prompts are read.

    Returns:
        model: `BertLMHeadModel` with float32 weights, in evaluation mode.
        tokenizer: Its WordPiece tokenizer, whose end token is `[SEP]`.

    Raises:
        AssetError: The weights could not be had, or are not the right ones.
    """
    from safetensors.torch import load_file
    from transformers import BertConfig, BertLMHeadModel

    folder = embedded_model_directory()
    # Attention dropout forces the attention kernel of CPUs on a path 5-10 times slower; the other dropout stays.
    config = BertConfig.from_pretrained(folder, is_decoder=True, attention_probs_dropout_prob=0.0, use_cache=True)
    tokenizer = load_embedded_tokenizer(folder)
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    set_reading(config, reading)
    model = BertLMHeadModel(config) if reading == "forward" else _prefix_class()(config)
    weights = {
        f"bert.{name}": tensor for name, tensor in load_file(folder / WEIGHTS).items() if not name.startswith("pooler.")
    }
    weights.pop("bert.embeddings.position_ids", None)
    absent = model.load_state_dict(weights, strict=False)
    assert not absent.unexpected_keys
    assert all(name.startswith("cls.") for name in absent.missing_keys)
    model.cls.predictions.transform = _identity(config.hidden_size)
    return model.eval(), tokenizer


def set_reading(config: Any, reading: Reading) -> None:
    """Writes into a configuration how prompts are read; `Backbone.reading` finds it there."""
    config.use_bidirectional_attention = reading != "forward"
    config.reads_turns = reading == "turns"


def load_embedded_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder of all-MiniLM-L6-v2, with the names that a causal model's tokens have."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, bos_token="[CLS]", eos_token="[SEP]")  # noqa: S106 — no password


@functools.cache
def _prefix_class() -> Any:
    import torch
    from transformers import BertLMHeadModel, BertModel

    class PrefixBert(BertModel):
        """Reads a prompt where nothing is cached and no mask of four dimensions says who sees whom; else an answer.

        What is asked about is known by token types (`padding`), or in rows of trees by the arguments `FOCUS`.
        """

        def forward(self, input_ids: torch.Tensor, **kwargs: Any) -> Any:
            focus = [kwargs.pop(name) for name in FOCUS if name in kwargs]
            cache, mask = kwargs.get("cache", kwargs.get("past_key_values")), kwargs.get("attention_mask")
            types = kwargs.get("token_type_ids")
            numbers = None if types is None else types // 2
            asked = None if types is None else types % 2
            if cache is not None and cache.get_seq_length():  # an answer: none of it is what is asked about
                asked = None
            elif mask is None or mask.dim() == 2:
                mask = prefix_mask(torch.ones_like(input_ids) if mask is None else mask, spans=numbers)
            # A turn that is shared has to look the same whether it is asked about or not.
            shown = torch.zeros_like(input_ids) if asked is None or self.config.reads_turns else asked
            own = {"token_type_ids": shown, "attention_mask": self._added(mask)}
            output = super().forward(input_ids, **{**kwargs, **own})
            if asked is not None:
                output.last_hidden_state = _pooled(output.last_hidden_state, asked)
            if focus:
                output.last_hidden_state = _pooled_in_row(output.last_hidden_state, *focus)
            return output

        def _added(self, mask: torch.Tensor | None) -> torch.Tensor | None:
            """Eager attention adds a mask of four dimensions, and would add a boolean one as ones."""
            eager = self.config._attn_implementation == "eager"
            if mask is None or mask.dim() == 2 or mask.dtype != torch.bool or not eager:
                return mask
            return torch.where(mask, 0.0, torch.finfo(self.dtype).min).to(self.dtype)

    class PrefixBertLMHeadModel(BertLMHeadModel):
        """`PrefixBert` with the head of a causal language model."""

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.bert = PrefixBert(config, add_pooling_layer=False)
            self.post_init()  # type: ignore[no-untyped-call]

    return PrefixBertLMHeadModel


def _pooled(hidden: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
    """States [B, T, H] whose last one of type 1 is the mean of all of type 1; types [B, T]."""
    import torch

    places = torch.arange(types.shape[1], device=types.device)
    last = (types * (places + 1)).argmax(dim=1)  # [B]
    weights = types[..., None].to(torch.float32)
    mean = ((hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)).to(hidden.dtype)
    here = ((places == last[:, None]) & types.bool())[..., None]
    return torch.where(here, mean[:, None], hidden)


def _pooled_in_row(
    hidden: torch.Tensor, nodes: torch.Tensor, owners: torch.Tensor, places: torch.Tensor
) -> torch.Tensor:
    """States [1, N, H] whose node at the end of each prompt is the mean over what the prompt asks about (`FOCUS`)."""
    import torch

    states = hidden[0].float()
    sums = torch.zeros(len(places), states.shape[1], device=states.device).index_add(0, owners, states[nodes])
    counts = torch.bincount(owners, minlength=len(places))[:, None]
    return states.index_copy(0, places, sums / counts)[None].to(hidden.dtype)


def _identity(size: int) -> Any:
    import torch

    transform = torch.nn.Linear(size, size)
    with torch.no_grad():
        transform.weight.copy_(torch.eye(size))
        transform.bias.zero_()
    return transform
