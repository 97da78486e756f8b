"""Words of the single turn, without its conversation: TF-IDF and logistic regression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

WORD_OR_SIGN = r"\w+|[^\w\s]"
"""A word, or a single sign: "!", "?" and emoji say much about an emotion, and so does "I"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedTfidf:
    """A fitted pipeline that labels each turn by its own text."""

    pipeline: Pipeline

    def predict(self, conversations: Sequence[Conversation]) -> tuple[tuple[str, ...], ...]:
        """One label for every turn of every conversation."""
        texts = every_text(conversations)
        return by_conversation(self.pipeline.predict(texts) if texts else (), conversations)


@dataclass(frozen=True, slots=True, kw_only=True)
class TfidfLogisticRegression:
    """TF-IDF of word n-grams, then multinomial logistic regression (scikit-learn).

    Args:
        longest: Longest n-gram, in tokens; 2 takes single tokens and pairs.
        regularisation: scikit-learn's `C`: larger trusts the training turns more. 3 is the best of 1, 3, 10 and 30 on
            MELD's validation split.
        seed: Of the solver.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> turns = (Utterance("A", "great news", "joy"), Utterance("B", "how awful", "sadness"))
        >>> TfidfLogisticRegression().fit([Conversation("c", turns)]).predict([Conversation("d", turns[:1])])
        (('joy',),)
    """

    longest: int = 2
    regularisation: float = 3.0
    seed: int = 0

    def require(self) -> None:
        """Nothing: scikit-learn comes with the package."""

    def fit(
        self,
        conversations: Sequence[Conversation],
        validation: Sequence[Conversation] = (),  # noqa: ARG002 — nothing is chosen by it
        *,
        watcher: Watcher = SILENT,  # noqa: ARG002 — over in seconds
    ) -> FittedBaseline:
        """Learns from every labelled turn.

        One label only, or no word at all, leaves nothing to regress on: the majority label is then the answer.

        Raises:
            DataError: No turn carries a label.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        texts, labels = labelled_turns(conversations)
        if len(set(labels)) == 1 or not any(re.search(WORD_OR_SIGN, text) for text in texts):
            return Majority().fit(conversations)
        pipeline = make_pipeline(
            TfidfVectorizer(ngram_range=(1, self.longest), token_pattern=WORD_OR_SIGN, sublinear_tf=True),
            LogisticRegression(C=self.regularisation, solver="sag", tol=1e-3, max_iter=1000, random_state=self.seed),
        )
        return FittedTfidf(pipeline=pipeline.fit(texts, labels))
