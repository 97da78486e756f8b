"""Synthetic conversations of any length, for what real corpora are too short to show.

What is said comes from the bundled sample, so that turns are as long as people's: 8 to 25 tokens.
"""

from __future__ import annotations

import functools
import random

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora import load_corpus

SPEAKERS = ("Ada", "Bo", "Cy", "Dee")

SHORTEST, LONGEST = 5, 14
"""Words that a turn has at least: one sentence follows on another until it does."""


def synthetic(count: int, *, turns: int, seed: int = 0, speakers: int = 2) -> tuple[Conversation, ...]:
    """So many conversations, whose speakers take turns.

    Args:
        count: Conversations.
        turns: Turns of each.
        seed: Of what is said; the same everywhere.
        speakers: How many speak in each.

    Example:
        >>> first, second = synthetic(2, turns=40)
        >>> len(first), first.speakers, first == synthetic(1, turns=40)[0]
        (40, ('Ada', 'Bo'), True)
    """
    return tuple(_conversation(number, turns, random.Random(f"{seed}/{number}"), speakers) for number in range(count))


def _conversation(number: int, turns: int, order: random.Random, speakers: int) -> Conversation:
    said = (_turn(order, SPEAKERS[turn % speakers]) for turn in range(turns))
    return Conversation(f"synthetic-{number:04}", tuple(said))


def _turn(order: random.Random, speaker: str) -> Utterance:
    wanted = order.randint(SHORTEST, LONGEST)
    words: list[str] = []
    emotion = None
    while len(words) < wanted:
        text, emotion = order.choice(sentences())
        words += text.split()
    return Utterance(speaker, " ".join(words[:LONGEST]), emotion)


@functools.cache
def sentences() -> tuple[tuple[str, str], ...]:
    """What people say in the bundled sample, and how."""
    turns = (turn for chat in load_corpus("sample").train for turn in chat.utterances)
    return tuple((turn.text, turn.emotion) for turn in turns if turn.emotion is not None and turn.text.strip())


@functools.cache
def labels() -> tuple[str, ...]:
    """The emotions of these conversations."""
    return load_corpus("sample").labels
