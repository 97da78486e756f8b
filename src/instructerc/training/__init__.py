"""Training: examples go in, a backbone whose answers fit them comes out, chosen by validation.

```
Examples ── PromptEncoder ── batches ── objective ── trainer ── stage ── model/ (best epoch), checkpoints/, curves
```
"""

from __future__ import annotations

from instructerc.training.settings import TrainingSettings

__all__ = ["TrainingSettings"]
