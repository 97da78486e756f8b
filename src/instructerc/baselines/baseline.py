"""What every baseline is: something that is fitted on labelled conversations and then labels others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from instructerc.conversation import Conversation
from instructerc.errors import DataError
from instructerc.training.stage import Silent as SilentStage
from instructerc.training.stage import Watcher as StageWatcher


class Watcher(StageWatcher, Protocol):
    """Is told how fitting goes on; shows it to somebody."""

    def phase(self, text: str) -> None:
        """What is done next, in a few words."""

    def encoded(self, done: int, total: int) -> None:
        """So many utterances are encoded, of so many."""


class Silent(SilentStage):
    """Watches without a word."""

    def phase(self, text: str) -> None:
        """Nothing."""

    def encoded(self, done: int, total: int) -> None:
        """Nothing."""


SILENT = Silent()
"""Watches where nobody else does."""


class FittedBaseline(Protocol):
    """A baseline that has seen its training conversations."""

    def predict(self, conversations: Sequence[Conversation]) -> tuple[tuple[str, ...], ...]:
        """One label for every turn of every conversation, labelled or not."""
        ...


class Baseline(Protocol):
    """A way to learn emotions that a fine-tuned language model must beat."""

    def require(self) -> None:
        """Whether it can be fitted here, before anything else is begun.

        Raises:
            UsageError: A library is missing.
            AssetError: Weights could not be had.
            BackboneError: They are not what the baseline needs.
        """
        ...

    def fit(
        self, conversations: Sequence[Conversation], validation: Sequence[Conversation] = (), *, watcher: Watcher = ...
    ) -> FittedBaseline:
        """Learns from the turns that carry a gold label.

        Args:
            conversations: What is learned from.
            validation: What an epoch is chosen by, where there are epochs.
            watcher: Is told how it goes on.

        Raises:
            DataError: No turn carries a label.
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


def every_text(conversations: Sequence[Conversation]) -> list[str]:
    """What is said, turn by turn.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> every_text([Conversation("c", (Utterance("A", "Hi"), Utterance("B", "Oh")))])
        ['Hi', 'Oh']
    """
    return [utterance.text for conversation in conversations for utterance in conversation.utterances]


def by_conversation(labels: Sequence[str], conversations: Sequence[Conversation]) -> tuple[tuple[str, ...], ...]:
    """Labels of all turns in a row, as those of each conversation.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> hello = Utterance("A", "Hi")
        >>> by_conversation(
        ...     ["joy", "fear"], [Conversation("c", (hello,)), Conversation("d", ()), Conversation("e", (hello,))]
        ... )
        (('joy',), (), ('fear',))
    """
    left = iter(labels)
    return tuple(tuple(str(next(left)) for _ in conversation.utterances) for conversation in conversations)
