"""How much a corpus holds, and whether that is what its publisher says."""

from __future__ import annotations

from collections.abc import Mapping

from instructerc.conversation import Corpus, Split
from instructerc.corpora.catalog import Counts, Source


def counts_of(corpus: Corpus) -> Mapping[Split, Counts]:
    """Conversations and labelled turns of each split.

    Example:
        >>> counts_of(Corpus("empty", ("calm",)))["train"]
        Counts(conversations=0, utterances=0)
    """
    return {
        name: Counts(
            len(part), sum(turn.emotion is not None for conversation in part for turn in conversation.utterances)
        )
        for name, part in corpus.splits()
    }


def count_differences(corpus: Corpus, source: Source) -> tuple[str, ...]:
    """What differs from the published counts (method §12): one text per split that does; none for a whole corpus."""
    found = counts_of(corpus)
    return tuple(
        f"{source.name}: {name} holds {found[name].conversations} conversations and {found[name].utterances} labelled "
        f"turns, published are {counts.conversations} and {counts.utterances}: a file was cut off or changed"
        for name, counts in source.counts.items()
        if found[name] != counts
    )
