"""Serving: a recogniser behind HTTP, for many clients at once, within limits.

```
clients ── app (limits, tokens, errors as JSON) ── desk (one queue) ── worker (one thread) ── EmotionRecognizer
                     └── sessions (live conversations, closed when idle)
```
"""

from __future__ import annotations

from instructerc.serving.limits import Limits

__all__ = ["Limits"]
