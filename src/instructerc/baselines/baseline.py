"""What every baseline is: something that is fitted on labelled conversations and then labels others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from instructerc.conversation import Conversation
from instructerc.errors import DataError


class FittedBaseline(Protocol):
    """A baseline that has seen its training conversations."""

    def predict(self, conversations: Sequence[Conversation]) -> tuple[tuple[str, ...], ...]:
        """One label for every turn of every conversation, labelled or not."""
        ...


class Baseline(Protocol):
    """A way to learn emotions that a fine-tuned language model must beat."""

    def fit(self, conversations: Sequence[Conversation]) -> FittedBaseline:
        """Learns from the turns that carry a gold label.

        Raises:
            DataError: No turn carries one.
        """
        ...


def labelled_turns(conversations: Sequence[Conversation]) -> tuple[list[str], list[str]]:
    """Texts and gold labels of the turns that carry a label.

    Raises:
        DataError: No turn carries one.
    """
    turns = [
        (utterance.text, utterance.emotion)
        for conversation in conversations
        for utterance in conversation.utterances
        if utterance.emotion is not None
    ]
    if not turns:
        raise DataError(
            f"none of {len(conversations)} training conversations has a labelled turn: a baseline learns from labels"
        )
    texts, labels = zip(*turns, strict=True)
    return list(texts), list(labels)
