"""Scoring prompts that come one after another: what the last one has in common with the next is not read again.

```
turn 7   [CLS] emotions … . a : done ! b : great .  b feels :
turn 8   [CLS] emotions … . a : done ! b : great .  a : thanks . a feels :  ─┬─ joy
         └──────────────── kept ─────────────────┘  └─────── read ────────┘  ├─ sad ── ness
                                                                             └─ …
```

Kept are the keys and values of the longest common prefix of the two prompts' token ids, so it is exact for any wording
and tokenizer. What is new, and all labels under it, is a small tree that one forward pass reads on top. Of a backbone
that reads turns in both directions whole turns are kept, and what is asked about is read.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import row_inputs, row_logits, spans_of, to_device
from instructerc.backbones.tokens import EncodedExample
from instructerc.recognition.scoring import Progress, answer_scores
from instructerc.trees.tree import TokenTree


@dataclass(frozen=True, slots=True)
class _Held:
    """A prompt that was read, and its keys and values: a `DynamicCache` of as many tokens, labels not among them."""

    example: EncodedExample
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
        return len(self._held.example.prompt) if self._held else 0

    def kept_tokens(self, example: EncodedExample) -> int:
        """How many tokens of a prompt would not have to be read; at least one is, since an answer follows from it."""
        if self._held is None:
            return 0
        held, unread = self._held.example, max(example.focus, 1)
        pairs = enumerate(zip(held.prompt, example.prompt[:-unread], strict=False))
        differing = (place for place, (first, second) in pairs if first != second)
        kept = next(differing, min(len(held.prompt), len(example.prompt) - unread))
        if not example.spans:
            return kept
        return max((place for place in _common_starts(held.spans, example.spans) if place <= kept), default=0)

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
        kept = self.kept_tokens(example)
        # Taken out until all is done: whatever breaks a pass off leaves layers of different lengths.
        held, self._held = self._held, None
        cache = _first_tokens(held, kept)
        # All labels hang under the whole prompt, so its tokens stand in front of theirs, the cached ones first.
        spans = spans_of(backbone, [(example, len(answer) - 1) for answer in example.answers])
        tree = TokenTree.from_sequences([(*example.prompt, *answer[:-1]) for answer in example.answers], spans)
        scores = _read(backbone, tree, cache, kept, example)
        _crop(cache, len(tree) - len(example.prompt))
        self._held = _Held(example, cache)
        return scores


def _first_tokens(held: _Held | None, kept: int) -> Any:
    """The cache of the first `kept` tokens.

    Made without the model's configuration, so that no layer forgets what has left its sliding window: a prompt that is
    cropped needs it again, and the mask keeps the windows.
    """
    from transformers import DynamicCache

    if held is None or not kept:
        return DynamicCache()
    _crop(held.cache, len(held.example.prompt) - kept)
    return held.cache


def _common_starts(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Tokens in front of each span, and behind the last, as far as two prompts have spans of the same sizes."""
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return [0, *itertools.accumulate(size for size, _ in same)]


def _crop(cache: Any, count: int) -> None:
    if count:  # older releases of transformers take 0 for the length that is left
        cache.crop(-count)


def _read(backbone: Backbone, tree: TokenTree, cache: Any, kept: int, example: EncodedExample) -> list[float]:
    """Log-likelihood of each answer; the cache grows from `kept` tokens to the whole tree."""
    import torch

    last = len(example.prompt) - 1
    inputs = to_device(row_inputs(backbone, tree, [example] * len(tree.paths), past=kept), backbone.device)
    inputs |= {"use_cache": True, backbone.cache_argument: cache}
    with torch.inference_mode(), backbone.computing():
        logits = row_logits(backbone, backbone.model, inputs, range(last - kept, len(tree) - kept))
    places = [path[-len(answer) :] - last for path, answer in zip(tree.paths, example.answers, strict=True)]
    return answer_scores(logits, [nodes.tolist() for nodes in places], example.answers)
