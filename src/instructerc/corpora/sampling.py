"""A fraction of a training split, seeded and nested: the quarter is part of the half (method §10)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from instructerc.conversation import Conversation, Corpus
from instructerc.errors import UnknownNameError, UsageError
from instructerc.labels import label_set_of

Unit = Literal["turns", "conversations"]
"""What is sampled: `turns` as published, or whole `conversations`."""

FRACTIONS = tuple(1 / 2**step for step in range(7))
"""The published fractions: 1, 1/2 … 1/64."""


@dataclass(frozen=True, slots=True)
class TurnSampling:
    """Single turns are sampled, each keeps its full history: the published unit.

    A turn that is not sampled loses its emotion, and so is history and no target; a conversation without a sampled
    turn goes.

    ```
    A: It broke.  anger                A: It broke.
    B: Again?     surprise   1/3 →     B: Again?     surprise
    A: Again.     sadness              A: Again.
    ```
    """

    name: ClassVar[Unit] = "turns"

    def sample(self, conversations: Sequence[Conversation], fraction: float, seed: int) -> tuple[Conversation, ...]:
        """That fraction of the labelled turns, rounded down, in their conversations."""
        return _with_targets(conversations, _first(list(_targets(conversations)), fraction, seed))


@dataclass(frozen=True, slots=True)
class ConversationSampling:
    """Whole conversations are sampled, with all of their labels."""

    name: ClassVar[Unit] = "conversations"

    def sample(self, conversations: Sequence[Conversation], fraction: float, seed: int) -> tuple[Conversation, ...]:
        """That fraction of the conversations, rounded down."""
        chosen = _first([(item.id,) for item in conversations], fraction, seed)
        return tuple(item for item in conversations if (item.id,) in chosen)


Sampling = TurnSampling | ConversationSampling

UNITS: Mapping[Unit, Sampling] = {sampling.name: sampling for sampling in (TurnSampling(), ConversationSampling())}
"""Every unit of sampling."""


def sample_conversations(
    conversations: Sequence[Conversation], *, fraction: float, seed: int = 42, unit: Unit = "turns"
) -> tuple[Conversation, ...]:
    """A fraction of some training conversations; all of them, unchanged, where the fraction is 1.

    The choice depends on seed, ids and turn numbers alone, so that a smaller fraction of the same seed is part of a
    larger one.

    Args:
        conversations: Conversations of different ids.
        fraction: Share that is kept, in (0, 1]; counts are rounded down, as in the released code.
        seed: Another seed is another sample.
        unit: What is sampled.

    Raises:
        UsageError: The fraction is none, or leaves nothing.
        UnknownNameError: The unit is unknown.
    """
    if unit not in UNITS:
        raise UnknownNameError("unit of sampling", unit, UNITS)
    if not 0 < fraction <= 1:
        raise UsageError(f"fraction is {fraction:g}: give a share above 0, up to 1")
    if fraction == 1 or not conversations:
        return tuple(conversations)
    kept = UNITS[unit].sample(conversations, fraction, seed)
    if not kept:
        raise UsageError(
            f"fraction {fraction:g} of {len(conversations)} conversations leaves no {unit}: take a larger one"
        )
    return kept


def sample_training(corpus: Corpus, *, fraction: float, seed: int = 42, unit: Unit = "turns") -> Corpus:
    """The corpus with a fraction of its training split (the published `single`); validation and test stay whole.

    Args:
        corpus: The corpus.
        fraction: Share that is kept, in (0, 1].
        seed: Another seed is another sample.
        unit: What is sampled.

    Raises:
        UsageError: The fraction is none, or leaves nothing.
        UnknownNameError: The unit is unknown.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> chat = Conversation("c", tuple(Utterance("A", text, "joy") for text in "abcd"))
        >>> half = sample_training(Corpus("tiny", ("joy",), train=(chat,)), fraction=0.5)
        >>> [turn.emotion for turn in half.train[0].utterances].count("joy")
        2
    """
    return replace(corpus, train=sample_conversations(corpus.train, fraction=fraction, seed=seed, unit=unit))


def thin_neutral(
    conversations: Sequence[Conversation], labels: Sequence[str], *, fraction: float, seed: int = 42
) -> tuple[Conversation, ...]:
    """A fraction of the neutral turns, and all turns of the other labels: where neutral crowds out the rest.

    As with `TurnSampling`, a turn that is not taken loses its emotion and stays as history, and a smaller fraction of
    one seed is part of a larger one. The shares of the labels are no longer those of the corpus: whoever trains on
    them fits decisions on a whole validation split.

    Args:
        conversations: Conversations of different ids.
        labels: Their closed label set, which says what neutral is called.
        fraction: Share of the neutral turns that is kept, in (0, 1]; counts are rounded down.
        seed: Another seed is another sample.

    Raises:
        UsageError: The fraction is none, or no label means neutral.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> felt = ("neutral", "joy", "neutral", "neutral", "neutral")
        >>> chat = Conversation("c", tuple(Utterance("A", "…", label) for label in felt))
        >>> (thin,) = thin_neutral((chat,), ("neutral", "joy"), fraction=0.5)
        >>> [turn.emotion for turn in thin.utterances]
        ['neutral', 'joy', 'neutral', None, None]
    """
    if not 0 < fraction <= 1:
        raise UsageError(f"data.neutral_fraction is {fraction:g}: give a share above 0, up to 1")
    if fraction == 1:
        return tuple(conversations)
    neutral = label_set_of(tuple(labels)).neutral
    if neutral is None:
        none = f"none of {', '.join(labels)} means neutral"
        raise UsageError(f"data.neutral_fraction is {fraction:g}, and {none}: leave it 1")
    targets = _targets(conversations)
    calm = [name for name, emotion in targets.items() if emotion == neutral]
    others = frozenset(name for name, emotion in targets.items() if emotion != neutral)
    return _with_targets(conversations, _first(calm, fraction, seed) | others)


def parse_fraction(text: str) -> float:
    """A fraction as people write it.

    Raises:
        UsageError: It is none.

    Example:
        >>> parse_fraction("1/4"), parse_fraction("0.5"), parse_fraction("1")
        (0.25, 0.5, 1.0)
    """
    found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,15})?|\.\d{1,15})\s*(?:/\s*(\d{1,9}))?\s*", text, flags=re.ASCII)
    value = float(found[1]) / (float(found[2] or 1) or float("inf")) if found else 0.0
    if not 0 < value <= 1:
        raise UsageError(f"fraction {text!r}: give a share above 0, up to 1, as 1/4 or 0.25")
    return value


def _first(ids: Sequence[tuple[str, ...]], fraction: float, seed: int) -> frozenset[tuple[str, ...]]:
    """The first of the ids in an order that only seed and id decide: so samples of one seed are nested."""
    count = int(len(ids) * fraction + 1e-9)  # 100 * 0.29 is 28.999999999999996
    return frozenset(sorted(ids, key=lambda name: _rank(seed, name))[:count])


def _rank(seed: int, name: tuple[str, ...]) -> bytes:
    text = "\0".join((str(seed), *name))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _targets(conversations: Sequence[Conversation]) -> dict[tuple[str, ...], str]:
    """The emotion of each labelled turn, by conversation and turn."""
    return {
        (conversation.id, str(turn)): utterance.emotion
        for conversation in conversations
        for turn, utterance in enumerate(conversation.utterances)
        if utterance.emotion is not None
    }


def _with_targets(
    conversations: Sequence[Conversation], chosen: frozenset[tuple[str, ...]]
) -> tuple[Conversation, ...]:
    """The conversations that hold a chosen turn; turns that are not chosen lose their emotion."""
    kept = (_only(conversation, chosen) for conversation in conversations)
    return tuple(item for item in kept if any(turn.emotion is not None for turn in item.utterances))


def _only(conversation: Conversation, chosen: frozenset[tuple[str, ...]]) -> Conversation:
    turns = tuple(
        utterance if (conversation.id, str(turn)) in chosen else replace(utterance, emotion=None)
        for turn, utterance in enumerate(conversation.utterances)
    )
    return replace(conversation, utterances=turns)
