"""Experiments: what a recipe says, made into plain arguments for the rooms below.

```
recipe file ─┐
--set K=V  ──┼─ resolve ─ Resolved(recipe, origins) ─ run / dry_run ─ run folder
defaults ────┘
```

Nothing is imported here: `schema` needs pydantic, which `instructerc --help` must not load.
"""

from __future__ import annotations
