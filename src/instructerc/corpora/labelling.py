"""The closed label set of people's own data: given or inferred, and every turn that does not fit it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from instructerc.corpora.reading import Place, PlacedConversation
from instructerc.errors import Problem, UnknownLabelError
from instructerc.labels import LabelSet

MOST_LABELS = 64
"""With more distinct emotions than this, the emotion column is taken for another column."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Conversations whose emotions all belong to one set.

    Attributes:
        labels: The set, in the order of the given one or by frequency.
        conversations: The conversations of each file, labels in the spelling of the set.
    """

    labels: tuple[str, ...]
    conversations: dict[Path, list[PlacedConversation]]


def settle_labels(
    path: Path,
    read: Mapping[Path, list[PlacedConversation]],
    labels: LabelSet | None,
    column: str,
    problems: list[Problem],
    *,
    required: bool = True,
) -> Labelled:
    """Brings every emotion into the spelling of one label set; what does not fit goes to `problems`.

    Args:
        path: What was read, for a problem of the whole.
        read: The conversations of each file.
        labels: The set; None infers it from the data.
        column: Column or key of the emotion, for a problem of the whole.
        problems: Receives a problem for every turn that does not fit.
        required: Whether it is a problem that no turn carries an emotion.

    Returns:
        The labels and the conversations.
    """
    counts = Counter(emotion for _, _, emotion in _emotions(read))
    meaning, faults = _given(counts, labels) if labels else _inferred(counts)
    if required and not counts and not problems:
        problems.append(Problem(path, None, column, "no turn carries an emotion: data to learn from is labelled"))
    if labels is None and len(counts) > MOST_LABELS:
        reason = f"holds {len(counts)} different emotions, {MOST_LABELS} at most make sense: is it the right column?"
        problems.append(Problem(path, None, column, reason))
    else:
        problems.extend(
            Problem(file, place.line, place.emotion, faults[emotion])
            for file, place, emotion in _emotions(read)
            if emotion in faults
        )
    order = labels.labels if labels else tuple(meaning)
    return Labelled(order, {file: [_spelt(placed, meaning) for placed in found] for file, found in read.items()})


def _given(emotions: Iterable[str], labels: LabelSet) -> tuple[dict[str, str], dict[str, str]]:
    meaning, faults = {}, {}
    for emotion in emotions:
        try:
            meaning[emotion] = labels.canonical(emotion)
        except UnknownLabelError as error:
            faults[emotion] = str(error)
    return meaning, faults


def _inferred(counts: Counter[str]) -> tuple[dict[str, str], dict[str, str]]:
    ranked = sorted(counts, key=lambda emotion: (-counts[emotion], emotion))
    leader: dict[str, str] = {}
    faults = {}
    for emotion in ranked:
        main = leader.setdefault(emotion.casefold(), emotion)
        if main != emotion:
            faults[emotion] = (
                f"label {emotion!r} ({counts[emotion]}×) differs from {main!r} ({counts[main]}×) in case "
                "only: write one of them everywhere, or name a label set"
            )
    return {emotion: emotion for emotion in ranked}, faults


def _emotions(read: Mapping[Path, list[PlacedConversation]]) -> Iterator[tuple[Path, Place, str]]:
    for file, conversations in read.items():
        for placed in conversations:
            for utterance, place in zip(placed.conversation.utterances, placed.places, strict=True):
                emotion = (utterance.emotion or "").strip()
                if emotion:
                    yield file, place, emotion


def _spelt(placed: PlacedConversation, meaning: Mapping[str, str]) -> PlacedConversation:
    """Blank emotions become None: a cell of blanks is an unlabelled turn in every format."""
    turns = tuple(
        replace(utterance, emotion=meaning.get((utterance.emotion or "").strip()))
        for utterance in placed.conversation.utterances
    )
    return replace(placed, conversation=replace(placed.conversation, utterances=turns))
