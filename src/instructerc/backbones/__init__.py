"""Backbones: a name goes in, a language model with its tokenizer, limits and adapter targets comes out.

```
name or path ── presets ── loading ── Backbone(model, tokenizer, …) ── adapters ── what is trained and saved
                              └── embedded (all-MiniLM-L6-v2 as a causal language model)
```
"""

from __future__ import annotations

from instructerc.backbones.adapters import AdapterSpec
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.presets import PRESETS, Preset

__all__ = ["PRESETS", "AdapterSpec", "Backbone", "Preset"]
