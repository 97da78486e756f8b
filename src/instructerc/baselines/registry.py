"""The baselines that have a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from instructerc.baselines.baseline import SILENT, Baseline, Watcher
from instructerc.baselines.embeddings import EmbeddingLogistic, EmbeddingNearest
from instructerc.baselines.encoder import EncoderClassifier
from instructerc.baselines.majority import Majority
from instructerc.baselines.measuring import measure_baselines
from instructerc.baselines.tfidf import TfidfLogisticRegression
from instructerc.conversation import Corpus, Split
from instructerc.demonstrations.encoder import SentenceEncoder
from instructerc.errors import UnknownNameError, UsageError
from instructerc.evaluation import Scores

BASELINES: Mapping[str, Baseline] = {
    "majority": Majority(),
    "tfidf": TfidfLogisticRegression(),
    "embedding-nearest": EmbeddingNearest(),
    "embedding-logistic": EmbeddingLogistic(),
    "encoder": EncoderClassifier(),
}
"""Every baseline, by name, with its defaults."""

TITLES: Mapping[str, str] = {
    "majority": "Most frequent label",
    "tfidf": "TF-IDF + logistic regression",
    "embedding-nearest": "Sentence embeddings, nearest neighbours",
    "embedding-logistic": "Sentence embeddings + logistic regression",
    "encoder": "Fine-tuned encoder",
}
"""What a report calls each baseline."""

QUICK = ("majority", "tfidf")
"""Baselines that need no model: what stands beside a run where nobody chooses."""

OPTIONS: Mapping[str, Sequence[str]] = {
    "encoder": ("embedding-nearest", "embedding-logistic", "encoder"),
    "neighbours": ("embedding-nearest",),
    "history": ("encoder",),
    "epochs": ("encoder",),
    "seed": ("tfidf", "encoder"),
}
"""What can be chosen of outside, and the baselines that it means something to."""


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


def configured(names: Iterable[str], **options: str | int | None) -> dict[str, Baseline]:
    """Baselines with some of their options replaced; nothing is loaded.

    Args:
        names: Which baselines.
        **options: `encoder` (a name or folder), `neighbours`, `history`, `epochs`, `seed`; None is the default.

    Raises:
        UnknownNameError: A name names no baseline.
        UsageError: An option means nothing to any of them, or its value cannot be used.

    Example:
        >>> configured(["embedding-nearest"], neighbours=1)["embedding-nearest"].neighbours
        1
    """
    chosen = {name: baseline(name) for name in names}
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        if not set(OPTIONS[key]) & set(chosen):
            raise UsageError(
                f"{key} goes with {' or '.join(OPTIONS[key])}, and {', '.join(chosen) or 'none'} was chosen: "
                "leave it out, or choose such a baseline"
            )
    return {
        name: _with(method, {key: value for key, value in given.items() if name in OPTIONS[key]})
        for name, method in chosen.items()
    }


def run_baselines(
    corpus: Corpus, names: Sequence[str] = QUICK, *, split: Split = "test", watcher: Watcher = SILENT
) -> dict[str, Scores]:
    """Fits each baseline on the training conversations and scores it on one split.

    Args:
        corpus: The corpus.
        names: Which baselines.
        split: What they are scored on; its turns without a gold label are left out.
        watcher: Is told how it goes on.

    Raises:
        UnknownNameError: A name names no baseline.
        DataError: The training conversations, or those of `split`, hold no labelled turn.
        UsageError: A library is missing.
    """
    chosen = {name: baseline(name) for name in names}
    return {result.name: result.scores for result in measure_baselines(corpus, chosen, split=split, watcher=watcher)}


def _with(method: Any, changes: Mapping[str, Any]) -> Baseline:
    changes = dict(changes)
    if "encoder" in changes:
        name = changes.pop("encoder")
        changes |= {"name": name} if isinstance(method, EncoderClassifier) else {"encoder": SentenceEncoder(name=name)}
    changed: Baseline = replace(method, **changes) if changes else method
    return changed
