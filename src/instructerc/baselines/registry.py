"""The baselines that have a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from instructerc.baselines.baseline import Baseline
from instructerc.baselines.majority import Majority
from instructerc.baselines.tfidf import TfidfLogisticRegression
from instructerc.conversation import Corpus, Split
from instructerc.errors import DataError, UnknownNameError
from instructerc.evaluation import Scores, evaluate
from instructerc.labels import label_set_of

BASELINES: Mapping[str, Baseline] = {"majority": Majority(), "tfidf": TfidfLogisticRegression()}
"""Every baseline, by name."""

TITLES: Mapping[str, str] = {"majority": "Most frequent label", "tfidf": "TF-IDF + logistic regression"}
"""What a report calls each baseline."""


def baseline(name: str) -> Baseline:
    """The baseline of that name.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> baseline("tfidf").longest
        2
    """
    if name not in BASELINES:
        raise UnknownNameError("baseline", name, BASELINES)
    return BASELINES[name]


def run_baselines(
    corpus: Corpus, names: Sequence[str] = tuple(BASELINES), *, split: Split = "test"
) -> dict[str, Scores]:
    """Fits each baseline on the training conversations and scores it on one split.

    Args:
        corpus: The corpus.
        names: Which baselines.
        split: What they are scored on; its turns without a gold label are left out.

    Raises:
        UnknownNameError: A name names no baseline.
        DataError: The training conversations, or those of `split`, hold no labelled turn.
    """
    chosen = {name: baseline(name) for name in names}
    conversations = corpus.split(split)
    golds = [utterance.emotion for conversation in conversations for utterance in conversation.utterances]
    if all(gold is None for gold in golds):
        raise DataError(f"corpus {corpus.name!r}: no labelled turn in its {split} split: choose another split")
    neutral = label_set_of(corpus.labels).neutral
    results = {}
    for name, method in chosen.items():
        answers = [label for labels in method.fit(corpus.train).predict(conversations) for label in labels]
        pairs = [(gold, answer) for gold, answer in zip(golds, answers, strict=True) if gold is not None]
        results[name] = evaluate(
            golds=[gold for gold, _ in pairs],
            predictions=[answer for _, answer in pairs],
            labels=corpus.labels,
            neutral=neutral,
        )
    return results
