"""Turns go in, demonstrations come out: pool, encoder and pairing as one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from instructerc.conversation import Conversation
from instructerc.demonstrations.embeddings import EmbeddingCache
from instructerc.demonstrations.encoder import Encoder, Progress, ignore_progress
from instructerc.demonstrations.pairing import Nearest, Pairing, Queries
from instructerc.demonstrations.pool import DemonstrationPool
from instructerc.errors import UsageError
from instructerc.prompts import Demonstration

TurnDemonstrations = tuple[tuple[Demonstration, ...], ...]
"""For each turn of a conversation, what its prompt shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstrator:
    """Finds what each turn of a conversation is shown; never a turn of the conversation itself.

    Attributes:
        pool: What is shown; its vectors are this encoder's.
        encoder: What makes the vectors of turns.
        pairing: Which entries a turn is shown.
        count: How many, 1 by default; `DemonstrationSpec.count` of the prompts.
        cache: Where vectors of whole corpora are kept; None keeps none.

    Raises:
        UsageError: The pool is empty or was encoded by another encoder, or the count does not fit.
    """

    pool: DemonstrationPool = field(repr=False)
    encoder: Encoder
    pairing: Pairing = Nearest()  # noqa: RUF009 — a frozen value
    count: int = 1
    cache: EmbeddingCache | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"demonstrations.count is {self.count}: give a number of demonstrations, 1 or more")
        if not len(self.pool):
            raise UsageError("the pool of demonstrations is empty: give labelled utterances to show")
        if self.pool.encoder != self.encoder.identity:
            raise UsageError(
                f"the pool was encoded by {self.pool.encoder or 'nothing yet'}, turns would be by "
                f"{self.encoder.identity}: call pool.encoded(encoder) with the same encoder"
            )
        self.pairing.require_fit(self.pool.labels, self.count)

    def for_conversation(self, conversation: Conversation, *, training: bool) -> TurnDemonstrations:
        """What each turn of a conversation is shown; nothing is read from the cache or written to it.

        Args:
            conversation: Its labels are looked at in training only, unless the pairing leaks them.
            training: Whether a model learns from the prompts.
        """
        return self._choose([conversation], training, None, ignore_progress)[0]

    def for_turn(self, conversation: Conversation, turn: int, *, training: bool = False) -> tuple[Demonstration, ...]:
        """What one turn is shown: the same as among the others, but for the last digits of its vector."""
        queries = self._queries([(conversation, turn)], self.encoder.encode([_text(conversation, turn)]), training)
        return self.pool.demonstrations(self.pairing.choose(self.pool, queries, count=self.count)[0])

    def for_conversations(
        self, conversations: Iterable[Conversation], *, training: bool, progress: Progress = ignore_progress
    ) -> list[TurnDemonstrations]:
        """What each turn of each conversation is shown; vectors come from the cache where they are there.

        Args:
            conversations: As many as there are.
            training: Whether a model learns from the prompts.
            progress: Told how far the encoding is.
        """
        return self._choose(list(conversations), training, self.cache, progress)

    def provenance(self) -> dict[str, Any]:
        """What a report says about the demonstrations."""
        return {
            "pairing": self.pairing.name,
            "seed": getattr(self.pairing, "seed", None),
            "leaks_gold": self.pairing.leaks_gold,
            "count": self.count,
            "encoder": self.encoder.identity,
            "pool": self.pool.hash,
            "entries": len(self.pool),
        }

    def _choose(
        self, conversations: list[Conversation], training: bool, cache: EmbeddingCache | None, progress: Progress
    ) -> list[TurnDemonstrations]:
        turns = [(item, turn) for item in conversations for turn in range(len(item))]
        if not turns:
            return [() for _ in conversations]
        texts = [_text(item, turn) for item, turn in turns]
        if cache is None:
            vectors = self.encoder.encode(texts, progress=progress)
        else:
            vectors = cache.encode(self.encoder, texts, progress=progress)
        queries = self._queries(turns, vectors, training)
        chosen = map(self.pool.demonstrations, self.pairing.choose(self.pool, queries, count=self.count))
        return [tuple(itertools.islice(chosen, len(item))) for item in conversations]

    def _queries(self, turns: list[tuple[Conversation, int]], vectors: Any, training: bool) -> Queries:
        own = {id(item): self.pool.rows_of(item) for item in {id(item): item for item, _ in turns}.values()}
        may_look = training or self.pairing.leaks_gold
        return Queries(
            vectors=vectors,
            conversations=[item.id for item, _ in turns],
            turns=[turn for _, turn in turns],
            excluded=[
                own[id(item)] | (self.pool.rows_without_origin(_text(item, turn)) if training else frozenset())
                for item, turn in turns
            ],
            golds=[item.utterances[turn].emotion for item, turn in turns] if may_look else None,
            training=training,
        )


def _text(conversation: Conversation, turn: int) -> str:
    return conversation.utterances[turn].text
