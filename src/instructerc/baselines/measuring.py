"""Baselines, fitted on the training split of a corpus and measured on another: predictions, figures, seconds."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from instructerc.baselines.baseline import SILENT, Baseline, Watcher
from instructerc.conversation import Conversation, Corpus, Split
from instructerc.errors import DataError
from instructerc.evaluation import Scores, evaluate_rows
from instructerc.labels import label_set_of
from instructerc.recognition.predictions import TurnPrediction

ELSEWHERE = ("cache", "device")
"""Where a baseline keeps things and where it computes: no setting that its answers follow from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineResult:
    """What a baseline says of a split, and how good that is.

    Attributes:
        name: Name of the baseline.
        settings: What it was fitted with.
        rows: A prediction a turn, unlabelled turns among them.
        scores: On the labelled turns.
        seconds: Wall time of fitting and predicting.
        processor_seconds: What this process computed meanwhile, on all its cores; no accelerator counts.
    """

    name: str
    settings: Mapping[str, Any]
    rows: tuple[TurnPrediction, ...] = field(repr=False)
    scores: Scores = field(repr=False)
    seconds: float
    processor_seconds: float


def settings_of(method: Baseline) -> dict[str, Any]:
    """What a baseline is fitted with, as plain values; an encoder by its name.

    Example:
        >>> from instructerc.baselines.tfidf import TfidfLogisticRegression
        >>> settings_of(TfidfLogisticRegression())
        {'longest': 2, 'regularisation': 3.0, 'seed': 0}
    """
    values: Any = method
    found = {item.name: getattr(values, item.name) for item in fields(values) if item.name not in ELSEWHERE}
    return {key: getattr(value, "name", value) for key, value in found.items()}


def measure_baselines(
    corpus: Corpus, methods: Mapping[str, Baseline], *, split: Split = "test", watcher: Watcher = SILENT
) -> Iterator[BaselineResult]:
    """Fits each baseline on the training conversations and lets it label one split, one after the other.

    Args:
        corpus: The corpus. An epoch is chosen by its validation split, where a baseline has epochs.
        methods: The baselines by name.
        split: What they are measured on; its turns without a gold label are predicted, and not judged.
        watcher: Is told how it goes on.

    Yields:
        The result of each baseline, as soon as it is there.

    Raises:
        DataError: The training conversations, or those of `split`, hold no labelled turn.
        UsageError: A library is missing; before anything is fitted, as with all that `Baseline.require` raises.
    """
    conversations = corpus.split(split)
    if all(turn.emotion is None for conversation in conversations for turn in conversation.utterances):
        raise DataError(f"corpus {corpus.name!r}: no labelled turn in its {split} split: choose another split")
    for method in methods.values():
        method.require()
    for name, method in methods.items():
        watcher.phase(f"baseline {name}")
        started, computed = time.monotonic(), time.process_time()
        fitted = method.fit(corpus.train, corpus.validation, watcher=watcher)
        answers = fitted.predict(conversations)
        seconds, processor = time.monotonic() - started, time.process_time() - computed
        settings = settings_of(method)
        rows = _rows(conversations, answers, model=_hash(name, settings))
        yield BaselineResult(
            name=name,
            settings=settings,
            rows=rows,
            scores=evaluate_rows(rows, labels=corpus.labels, neutral=label_set_of(corpus.labels).neutral),
            seconds=seconds,
            processor_seconds=processor,
        )


def _rows(
    conversations: Sequence[Conversation], answers: Sequence[Sequence[str]], *, model: str
) -> tuple[TurnPrediction, ...]:
    return tuple(
        TurnPrediction(
            conversation=conversation.id,
            turn=turn,
            emotion=answer,
            speaker=said.speaker,
            text=said.text,
            gold=said.emotion,
            model=model,
        )
        for conversation, labels in zip(conversations, answers, strict=True)
        for turn, (said, answer) in enumerate(zip(conversation.utterances, labels, strict=True))
    )


def _hash(name: str, settings: Mapping[str, Any]) -> str:
    """Names a baseline and its settings in its predictions."""
    return f"{name}-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]}"
