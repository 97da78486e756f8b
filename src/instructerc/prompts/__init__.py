"""Prompts: a conversation and a target turn go in, segments of text come out.

```
Conversation ── Window ── Scene ── Wording ── Segments ── Example(segments, candidates, target)
```

Segments are never parsed back: whoever needs the history, the target or the label statement of a prompt takes
the segments of that kind. One `PromptSpec` renders for training, evaluation, prediction and export alike.
"""

from __future__ import annotations

from instructerc.prompts.demonstration import Demonstration, DemonstrationSpec
from instructerc.prompts.example import Example, Task
from instructerc.prompts.segments import Segment, Segments
from instructerc.prompts.spec import PromptSpec
from instructerc.prompts.window import Window
from instructerc.prompts.wording import WORDINGS, Wording, get_wording

__all__ = [
    "WORDINGS",
    "Demonstration",
    "DemonstrationSpec",
    "Example",
    "PromptSpec",
    "Segment",
    "Segments",
    "Task",
    "Window",
    "Wording",
    "get_wording",
]
