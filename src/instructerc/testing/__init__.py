"""Shipped fakes, for the tests of whoever builds on this package: a real but tiny model, and a corpus it can learn.

Nothing here is downloaded, and everything comes out the same on every machine.
"""

from __future__ import annotations

from instructerc.testing.tiny import TINY_LABELS, tiny_conversation, tiny_corpus, tiny_llama

__all__ = ["TINY_LABELS", "tiny_conversation", "tiny_corpus", "tiny_llama"]
