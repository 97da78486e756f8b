"""Reproduction: the published tables as grids of runs, and what came out beside what was reported.

```
tables/*.yaml ─ read_table ─ Table ─ expand ─ cells ─ run_missing ─ a result a cell
                               └──────────────────────── lines_of ─ TABLE.md, TABLE.json, TABLE.csv, TABLE.png
```

Nothing is imported here: a run needs torch, which `instructerc --help` must not load.
"""

from __future__ import annotations
