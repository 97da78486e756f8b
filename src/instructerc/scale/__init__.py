"""Beyond one machine: millions of conversations, cut into partitions that are labelled one by one, anywhere.

```
folder, bucket ── partitions ── label_partition, in as many workers as there are ── out/NAME.jsonl, NAME.done.json
```
"""

from __future__ import annotations
