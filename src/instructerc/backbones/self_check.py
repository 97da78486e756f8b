"""Tries on a loaded model whether a row of trees gives what its sequences give alone.

```
row     ─ 6 tokens ─┬─ 4    ─ 10        two trees: 24 tokens in one pass
                    └─ 4
alone   3 sequences of 10 tokens        30 tokens in another, without mask, positions or padding
```

That is little for any model; logits are compared at the last 4 tokens of each sequence. Windows are narrower than the
paths are deep: a window of thousands of tokens is set to `WINDOW` for the time of the check, in the configuration, from
which models make their own masks at every pass, and in their layers.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from instructerc.backbones.abilities import TreeAbility
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.padding import answer_inputs
from instructerc.backbones.rows import row_inputs, row_logits, spans_of, to_device
from instructerc.backbones.tokens import EncodedExample
from instructerc.trees.packing import pack

if TYPE_CHECKING:
    import torch

LENGTH = 10
"""Tokens of each sequence."""

SHARED = 6
"""How many of them the first two sequences share."""

WINDOW = 3
"""What a sliding window is narrowed to: branches reach back into the trunk, and not to its start."""

ROUNDING = {"float32": 1e-4, "bfloat16": 0.1, "float16": 0.02}
"""The largest difference that is rounding, as a share of the largest logit.

Measured on random models of the families that take trees and on the embedded backbone: 1e-6, 0.02 (0.05 with 32
layers) and 0.004 at most; 0.2 (the embedded one) to 1.7 where a mask is wrong.
"""


def check_trees(backbone: Backbone) -> TreeAbility:
    """Whether a row of trees gives this model's exact results, as a verdict with figures.

    The model is left as it was: mode, configuration and random states, no gradient.
    """
    try:
        found = largest_difference(backbone)
    except Exception as error:  # whatever a model or its attention raises, it cannot read rows
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
        return TreeAbility(able=False, reason=f"reading a row of trees failed ({type(error).__name__}: {text})")
    allowed = tolerance(backbone)
    if found <= allowed:  # false for NaN, too
        return TreeAbility(able=True)
    reason = f"logits of trees differ from those of separate sequences by {found:.2g} of the largest, over {allowed:g}"
    return TreeAbility(able=False, reason=reason)


def largest_difference(backbone: Backbone) -> float:
    """The largest difference between logits of trees and of sequences alone, as a share of the largest logit."""
    import torch

    sequences = _sequences(int(backbone.model.config.vocab_size))
    spans = spans_of(backbone, [(_prompt(sequence), 1) for sequence in sequences])
    (row,) = pack([[0, 1], [2]], sequences, budget=len(sequences) * LENGTH, spans=spans)
    compared = LENGTH - SHARED
    nodes = [node for path in row.paths for node in path[-compared:].tolist()]
    few = {"logits_to_keep": compared} if backbone.accepts("logits_to_keep") else {}
    prompts = [_prompt(sequences[number]) for number in row.sequences]
    alone: dict[str, Any] = {"input_ids": torch.tensor([sequences[number] for number in row.sequences])}
    if backbone.reading == "turns":
        alone = answer_inputs(prompts, [prompt.answers[0] for prompt in prompts], 0, both_ways=True)
    with _undisturbed(backbone), torch.no_grad(), backbone.computing():
        inputs = to_device(row_inputs(backbone, row, prompts), backbone.device)
        found = row_logits(backbone, backbone.model, inputs, nodes)  # [3 * compared, V]
        alone = to_device(alone, backbone.device)
        expected: torch.Tensor = backbone.model(**alone, use_cache=False, **few).logits[:, -compared:]
    expected = expected.float().flatten(0, 1)
    return float((found.float() - expected).abs().max() / expected.abs().max())


def tolerance(backbone: Backbone) -> float:
    """What rounding alone may make of it; half precision where it is unknown."""
    dtype = str(next(backbone.model.parameters()).dtype).removeprefix("torch.")
    return ROUNDING.get("bfloat16" if backbone.autocast else dtype, ROUNDING["bfloat16"])


def _sequences(words: int) -> list[list[int]]:
    """Three sequences of random tokens, drawn without touching anybody's random state."""
    draw = random.Random(0)  # noqa: S311 — tokens, not secrets
    first, third = ([draw.randrange(words) for _ in range(LENGTH)] for _ in range(2))
    second = [*first[:SHARED], *((token + 1) % words for token in first[SHARED:])]
    return [first, second, third]


def _prompt(sequence: Sequence[int]) -> EncodedExample:
    """The sequence as a prompt of three spans and one token of an answer, for a model that reads turn by turn."""
    prompt, answer = tuple(sequence[:-1]), tuple(sequence[-1:])
    spans = (SHARED - 2, 2, len(prompt) - SHARED)
    return EncodedExample(
        prompt=prompt, answers=(answer,), target=0, weight=1.0, focus=spans[1] + spans[2], spans=spans
    )


@contextlib.contextmanager
def _undisturbed(backbone: Backbone) -> Iterator[None]:
    """Without dropout and with narrow windows; afterwards everything is as it was."""
    model = backbone.model
    training = [module for module in model.modules() if module.training]
    # Masks are made from the configuration; an attention without a mask is told the layer's own.
    holders = [holder for holder in (model.config, *model.modules()) if _has_window(holder)]
    before = [holder.sliding_window for holder in holders]
    model.eval()
    for holder, window in zip(holders, before, strict=True):
        holder.sliding_window = min(window, WINDOW)
    try:
        yield
    finally:
        for holder, window in zip(holders, before, strict=True):
            holder.sliding_window = window
        for module in training:
            module.training = True


def _has_window(holder: Any) -> bool:
    return isinstance(vars(holder).get("sliding_window"), int)
