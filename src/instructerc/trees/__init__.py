"""Token trees: every token that sequences share is computed once. NumPy only, no model.

```
sequences   a b c d        token   a b c d e f         a is the parent of b and f, …
            a b e          depth   0 1 2 3 2 1         position of each token in its own sequences
            a f            end     6 5 4 4 5 6         one past the last descendant
```

Token q may attend to token k exactly when `k <= q < end[k]`: k is q itself or an ancestor of q. With `depth` as its
position, every path from the root sees what its sequence would see alone, so logits, loss and gradients are the same.

Sequences may be made of spans whose tokens see one another, such as the turns of a prompt. A tree then branches between
spans alone, and q may attend to k exactly when `start[k] <= q < end[k]`: the span that k is in has begun.
"""

from __future__ import annotations

from instructerc.trees.packing import Row, fill_rate, pack
from instructerc.trees.sharding import shard
from instructerc.trees.tree import Span, Spans, TokenTree

__all__ = ["Row", "Span", "Spans", "TokenTree", "fill_rate", "pack", "shard"]
