"""Corpora: files become conversations. One file a source; see `load_corpus` and `load_conversations`."""

from __future__ import annotations

from instructerc.corpora.catalog import SOURCES, Source, get_source
from instructerc.corpora.columns import Columns
from instructerc.corpora.hashing import corpus_hash
from instructerc.corpora.load import load_corpus
from instructerc.corpora.streaming import load_conversations

__all__ = ["SOURCES", "Columns", "Source", "corpus_hash", "get_source", "load_conversations", "load_corpus"]
