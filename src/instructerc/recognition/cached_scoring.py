"""Scoring prompts that come one after another: what the last one has in common with the next is not read again.

```
turn 7   [CLS] emotions … . a : done ! b : great .  b feels :
turn 8   [CLS] emotions … . a : done ! b : great .  a : thanks . a feels :  ─┬─ joy
         └──────────────── kept ─────────────────┘  └─────── read ────────┘  ├─ sad ── ness
                                                                             └─ …
```

Kept are the keys and values of the longest common prefix of the two prompts' token ids, so it is exact for any wording
and tokenizer. What is new, and all labels under it, is a small tree that one forward pass reads on top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instructerc.backbones.abilities import windows
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import to_device
from instructerc.backbones.tokens import EncodedExample
from instructerc.recognition.scoring import Progress
from instructerc.trees.tree import TokenTree, visible

if TYPE_CHECKING:
    import torch
    from torch.nn.attention.flex_attention import BlockMask


@dataclass(frozen=True, slots=True)
class _Held:
    """A prompt that was read, and its keys and values: a `DynamicCache` of as many tokens, labels not among them."""

    prompt: tuple[int, ...]
    cache: Any


@dataclass(slots=True)
class CachedScoring:
    """Scores one prompt after another on the keys and values of the one before. Only for backbones that take trees.

    Its memory is that of one prompt and the labels. The backbone must not change between two prompts.
    """

    _held: _Held | None = field(init=False, default=None, repr=False)

    @property
    def held_tokens(self) -> int:
        """Tokens whose keys and values are in memory."""
        return len(self._held.prompt) if self._held else 0

    def kept_tokens(self, prompt: Sequence[int]) -> int:
        """How many tokens of a prompt would not have to be read; at least one is, since an answer follows from it."""
        known = self._held.prompt if self._held else ()
        pairs = enumerate(zip(known, prompt[:-1], strict=False))
        differing = (place for place, (first, second) in pairs if first != second)
        return next(differing, min(len(known), len(prompt) - 1))

    def release(self) -> None:
        """Lets go of the keys and values; the next prompt is read from its start."""
        self._held = None

    def score(
        self, backbone: Backbone, examples: Sequence[EncodedExample], *, progress: Progress | None = None
    ) -> list[list[float]]:
        """The log-likelihood of every answer of every example, in order; equal to `PaddedScoring`."""
        scores = []
        for example in examples:
            scores.append(self._score(backbone, example))
            if progress:
                progress(1)
        return scores

    def _score(self, backbone: Backbone, example: EncodedExample) -> list[float]:
        kept = self.kept_tokens(example.prompt)
        # Taken out until all is done: whatever breaks a pass off leaves layers of different lengths.
        held, self._held = self._held, None
        cache = _first_tokens(held, kept)
        fresh = example.prompt[kept:]
        tree = TokenTree.from_sequences([(*fresh, *answer[:-1]) for answer in example.answers])
        # All labels hang under the whole prompt, so its tokens stand in front of theirs.
        scores = _read(backbone, tree, cache, kept, example.answers, last=len(fresh) - 1)
        _crop(cache, len(tree) - len(fresh))
        self._held = _Held(example.prompt, cache)
        return scores


def _first_tokens(held: _Held | None, kept: int) -> Any:
    """The cache of the first `kept` tokens.

    Made without the model's configuration, so that no layer forgets what has left its sliding window: a prompt that is
    cropped needs it again, and the mask keeps the windows.
    """
    from transformers import DynamicCache

    if held is None or not kept:
        return DynamicCache()
    _crop(held.cache, len(held.prompt) - kept)
    return held.cache


def _crop(cache: Any, count: int) -> None:
    if count:  # older releases of transformers take 0 for the length that is left
        cache.crop(-count)


def _on_top(backbone: Backbone, tree: TokenTree, past: int) -> dict[str, Any]:
    """The forward pass's arguments for a tree whose root follows on `past` cached tokens.

    Shapes: N nodes; each sees all the cache, its ancestors and itself, as far as a layer's window reaches.

    Returns:
        `input_ids` [1, N], `position_ids` [1, N], `attention_mask` [1, 1, N, past + N], or one for each type of layer.
    """
    import torch

    config = backbone.model.config
    build = _MASKS.get(config._attn_implementation, _boolean_mask)  # what builds on SDPA takes its mask
    masks = {kind: build(tree, past, window, backbone.device) for kind, window in windows(config).items()}
    inputs = {
        "input_ids": torch.from_numpy(tree.tokens)[None],
        "position_ids": torch.from_numpy(tree.depths)[None] + past,
        "attention_mask": masks if len(masks) > 1 else next(iter(masks.values())),
    }
    return to_device(inputs, backbone.device)


def _boolean_mask(tree: TokenTree, past: int, window: int | None, _: torch.device) -> torch.Tensor:
    """Who sees whom, [1, 1, N, past + N]; windows reach back by depth, as in `rows.boolean_mask`."""
    import torch

    mask = torch.cat([torch.ones(len(tree), past, dtype=torch.bool), torch.from_numpy(visible(tree.ends))], dim=1)
    if window is not None:
        depths = torch.from_numpy(tree.depths) + past
        mask = mask & (depths[:, None] - torch.cat([torch.arange(past), depths])[None, :] < window)
    return mask[None, None]


def _additive_mask(tree: TokenTree, past: int, window: int | None, device: torch.device) -> torch.Tensor:
    """As `_boolean_mask`, for eager attention, which would add a boolean one as ones."""
    import torch

    return torch.where(_boolean_mask(tree, past, window, device), 0.0, torch.finfo(torch.float32).min)


def _block_mask(tree: TokenTree, past: int, window: int | None, device: torch.device) -> BlockMask:
    """As `_boolean_mask`, for FlexAttention."""
    import torch
    from torch.nn.attention.flex_attention import create_block_mask

    # As if the cache were the trunk of the tree: one node a token, which everything descends from.
    trunk = torch.arange(past)
    ends = torch.cat([torch.full_like(trunk, past + len(tree)), torch.from_numpy(tree.ends) + past]).to(device)
    depths = torch.cat([trunk, torch.from_numpy(tree.depths) + past]).to(device)

    def sees(_: Any, __: Any, query: Any, key: Any) -> Any:
        node = query + past
        seen = (node >= key) & (node < ends[key])
        return seen if window is None else seen & (depths[node] - depths[key] < window)

    return create_block_mask(sees, None, None, len(tree), past + len(tree), device=device)


_MASKS: Mapping[str, Callable[[TokenTree, int, int | None, torch.device], Any]] = {
    "eager": _additive_mask,
    "flex_attention": _block_mask,
}
"""Implementations of attention that take another mask than SDPA."""


def _read(
    backbone: Backbone, tree: TokenTree, cache: Any, past: int, answers: Sequence[Sequence[int]], *, last: int
) -> list[float]:
    """Log-likelihood of each answer; the cache grows by the whole tree.

    Shapes: P nodes from the prompt's last token on, which are those that a token of an answer follows; V words.
    """
    import torch

    inputs = {**_on_top(backbone, tree, past), "use_cache": True, backbone.cache_argument: cache}
    nodes = torch.arange(last, len(tree), device=backbone.device)
    with torch.inference_mode(), backbone.computing():
        if backbone.accepts("logits_to_keep"):
            logits = backbone.model(**inputs, logits_to_keep=nodes).logits[0]
        else:
            logits = backbone.model(**inputs).logits[0, nodes]
        logits = logits.float()
        total = logits.logsumexp(dim=-1)  # [P]
    after = [path[-len(answer) :] - last for path, answer in zip(tree.paths, answers, strict=True)]
    at = torch.tensor([place for places in after for place in places.tolist()], device=logits.device)
    token = torch.tensor([token for answer in answers for token in answer], device=logits.device)
    values = (logits[at, token] - total[at]).double().cpu()
    return [float(part.sum()) for part in values.split([len(answer) for answer in answers])]
