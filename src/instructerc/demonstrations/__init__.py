"""Demonstrations: which labelled utterance a prompt shows beside its question (method §5).

```
Corpus.train ── DemonstrationPool ── encoded(SentenceEncoder) ─┐
Conversation ── vectors of its turns ──────────────────────────┴─ Pairing ── Demonstration a turn ── PromptSpec
```

A turn is never shown a turn of its own conversation.
"""

from __future__ import annotations

from instructerc.demonstrations.demonstrator import Demonstrator, TurnDemonstrations
from instructerc.demonstrations.embeddings import EmbeddingCache
from instructerc.demonstrations.encoder import DEFAULT_ENCODER, Encoder, SentenceEncoder
from instructerc.demonstrations.pairing import PAIRINGS, Pairing, Queries, get_pairing
from instructerc.demonstrations.pool import DemonstrationPool, PerLabel, PoolEntry
from instructerc.demonstrations.pool_files import load_pool, read_pool, save_pool
from instructerc.demonstrations.statistics import DemonstrationStatistics, demonstration_statistics

__all__ = [
    "DEFAULT_ENCODER",
    "PAIRINGS",
    "DemonstrationPool",
    "DemonstrationStatistics",
    "Demonstrator",
    "EmbeddingCache",
    "Encoder",
    "Pairing",
    "PerLabel",
    "PoolEntry",
    "Queries",
    "SentenceEncoder",
    "TurnDemonstrations",
    "demonstration_statistics",
    "get_pairing",
    "load_pool",
    "read_pool",
    "save_pool",
]
