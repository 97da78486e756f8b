"""Sentence embeddings of the single turn, as they come: nearest neighbours, and logistic regression.

```
training turns ── SentenceEncoder ── unit vectors ─┬─ EmbeddingNearest   the label that most of the nearest carry
turn           ── SentenceEncoder ── unit vector  ─┴─ EmbeddingLogistic  multinomial logistic regression
```

Nothing of the encoder is trained; vectors are kept on disk, so that a corpus is encoded once.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instructerc.assets.embedded import embedded_model_directory
from instructerc.baselines.baseline import (
    SILENT,
    FittedBaseline,
    Watcher,
    by_conversation,
    every_text,
    labelled_turns,
)
from instructerc.baselines.majority import Majority
from instructerc.conversation import Conversation
from instructerc.demonstrations.embeddings import EmbeddingCache
from instructerc.demonstrations.encoder import DEFAULT_NAMES, Encoder, SentenceEncoder
from instructerc.demonstrations.search import NeighbourSearch
from instructerc.errors import UsageError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

    from instructerc.demonstrations.encoder import Vectors


def require_encoder(encoder: Encoder) -> None:
    """Whether turns can be encoded here; a model of a hub is looked up, nothing is encoded.

    Raises:
        UsageError: sentence-transformers is not installed.
        AssetError: The model could not be had.
    """
    if not isinstance(encoder, SentenceEncoder):
        return
    if importlib.util.find_spec("sentence_transformers") is None:
        raise UsageError(
            "baselines on sentence embeddings need sentence-transformers, which is not installed: install it with "
            "`pip install 'instructerc[demonstrations]'`, or leave these baselines out"
        )
    if encoder.name in DEFAULT_NAMES:
        embedded_model_directory()
    else:
        _ = encoder.identity


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedNearest:
    """Labels each turn as most of its nearest training turns are labelled.

    Attributes:
        encoder: Makes vectors of turns.
        cache: Keeps them.
        search: Finds the nearest training turns.
        labels: Their labels, a label a row of the search.
        neighbours: How many vote.
    """

    encoder: Encoder
    cache: EmbeddingCache
    search: NeighbourSearch = field(repr=False)
    labels: Sequence[str] = field(repr=False)
    neighbours: int

    def predict(self, conversations: Sequence[Conversation]) -> tuple[tuple[str, ...], ...]:
        """One label for every turn of every conversation."""
        texts = every_text(conversations)
        if not texts:
            return by_conversation((), conversations)
        queries = self.cache.encode(self.encoder, texts)
        found = self.search.nearest(queries, self.neighbours, excluded=[()] * len(texts))
        return by_conversation([majority_of([self.labels[row] for row in rows]) for rows in found], conversations)


def majority_of(labels: Sequence[str]) -> str:
    """The label that most of them are; among equals the one that comes first.

    Example:
        >>> majority_of(["fear", "joy", "joy", "fear", "anger"])
        'fear'
    """
    return Counter(labels).most_common(1)[0][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingNearest:
    """The training turns whose sentence embeddings are nearest (cosine) vote; among equals the nearest turn decides.

    Args:
        encoder: Makes vectors of turns.
        neighbours: How many training turns vote; 1 copies the label of the nearest. 20 is the best of 1, 3, 5,
            10, 20, 30 and 50 on MELD's validation split.
        cache: Keeps vectors; None keeps them in the cache directory.
    """

    encoder: Encoder = field(default_factory=SentenceEncoder)
    neighbours: int = 20
    cache: EmbeddingCache | None = None

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise UsageError(f"neighbours is {self.neighbours}: give a number of training turns, 1 or more")

    def require(self) -> None:
        """As `require_encoder`."""
        require_encoder(self.encoder)

    def fit(
        self,
        conversations: Sequence[Conversation],
        validation: Sequence[Conversation] = (),  # noqa: ARG002 — nothing is chosen by it
        *,
        watcher: Watcher = SILENT,
    ) -> FittedNearest:
        """Encodes every labelled turn.

        Raises:
            DataError: No turn carries a label.
            UsageError: sentence-transformers is not installed.
            AssetError: The encoder could not be had.
        """
        texts, labels = labelled_turns(conversations)
        self.require()
        cache = self.cache or EmbeddingCache()
        vectors = cache.encode(self.encoder, texts, progress=watcher.encoded)
        return FittedNearest(
            encoder=self.encoder,
            cache=cache,
            search=NeighbourSearch(vectors=vectors, groups={}, keys=range(len(texts))),
            labels=labels,
            neighbours=self.neighbours,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedEmbeddingLogistic:
    """A fitted regression that labels each turn by its own embedding.

    Attributes:
        encoder: Makes vectors of turns.
        cache: Keeps them.
        regression: The fitted regression.
    """

    encoder: Encoder
    cache: EmbeddingCache
    regression: LogisticRegression = field(repr=False)

    def predict(self, conversations: Sequence[Conversation]) -> tuple[tuple[str, ...], ...]:
        """One label for every turn of every conversation."""
        texts = every_text(conversations)
        if not texts:
            return by_conversation((), conversations)
        return by_conversation(self.regression.predict(self.cache.encode(self.encoder, texts)), conversations)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingLogistic:
    """Multinomial logistic regression (scikit-learn) on sentence embeddings of the single turn.

    Args:
        encoder: Makes vectors of turns.
        regularisation: scikit-learn's `C`: larger trusts the training turns more. 30 is the best of 1, 3, 10, 30 and
            100 on MELD's validation split.
        cache: Keeps vectors; None keeps them in the cache directory.
    """

    encoder: Encoder = field(default_factory=SentenceEncoder)
    regularisation: float = 30.0
    cache: EmbeddingCache | None = None

    def require(self) -> None:
        """As `require_encoder`."""
        require_encoder(self.encoder)

    def fit(
        self,
        conversations: Sequence[Conversation],
        validation: Sequence[Conversation] = (),  # noqa: ARG002 — nothing is chosen by it
        *,
        watcher: Watcher = SILENT,
    ) -> FittedBaseline:
        """Learns from every labelled turn. One label only leaves nothing to regress on: it is then the answer.

        Raises:
            DataError: No turn carries a label.
            UsageError: sentence-transformers is not installed.
            AssetError: The encoder could not be had.
        """
        from sklearn.linear_model import LogisticRegression

        texts, labels = labelled_turns(conversations)
        if len(set(labels)) == 1:
            return Majority().fit(conversations)
        self.require()
        cache = self.cache or EmbeddingCache()
        vectors: Vectors = cache.encode(self.encoder, texts, progress=watcher.encoded)
        regression = LogisticRegression(C=self.regularisation, max_iter=2000).fit(vectors, labels)
        return FittedEmbeddingLogistic(encoder=self.encoder, cache=cache, regression=regression)
