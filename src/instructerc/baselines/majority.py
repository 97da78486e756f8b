"""The most frequent label, always: what any model must beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from instructerc.baselines.baseline import SILENT, Watcher, labelled_turns
from instructerc.conversation import Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantLabel:
    """Gives every turn the same label."""

    label: str

    def predict(self, conversations: Sequence[Conversation]) -> tuple[tuple[str, ...], ...]:
        """One label for every turn of every conversation."""
        return tuple((self.label,) * len(conversation) for conversation in conversations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Majority:
    """The label that most training turns carry; among equals the one that comes first in the data.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> conversation = Conversation("c", (Utterance("A", "Hi", "neutral"), Utterance("B", "Oh no")))
        >>> Majority().fit([conversation]).predict([conversation])
        (('neutral', 'neutral'),)
    """

    def require(self) -> None:
        """Nothing: it can be fitted everywhere."""

    def fit(
        self,
        conversations: Sequence[Conversation],
        validation: Sequence[Conversation] = (),  # noqa: ARG002 — nothing is chosen by it
        *,
        watcher: Watcher = SILENT,  # noqa: ARG002 — over at once
    ) -> ConstantLabel:
        """Counts the labels.

        Raises:
            DataError: No turn carries one.
        """
        _, labels = labelled_turns(conversations)
        return ConstantLabel(label=Counter(labels).most_common(1)[0][0])
