"""Pictures of a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.corpora.statistics import corpus_statistics
from instructerc.reporting.plots_data import plot_statistics

CHAT = Conversation("a", (Utterance("A", "one two", "j$y"), Utterance("B", "one", None)))


@pytest.mark.parametrize(
    "corpus",
    [
        Corpus("all $plits", ("j$y", "f_e{r"), train=(CHAT,), validation=(CHAT,), test=(CHAT,)),
        Corpus("one split", ("j$y",), test=(CHAT,)),
        Corpus("empty", ("joy",)),
        Corpus("no label", ()),
    ],
    ids=lambda corpus: corpus.name,
)
def test_any_corpus_is_drawn(tmp_path: Path, corpus: Corpus) -> None:
    path = plot_statistics(corpus_statistics(corpus), tmp_path / "new" / "a.png")
    assert path.read_bytes().startswith(b"\x89PNG")
