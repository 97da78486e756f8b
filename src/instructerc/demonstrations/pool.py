"""What demonstrations are chosen from: labelled utterances without their speakers (method §5)."""

from __future__ import annotations

import functools
import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from instructerc.conversation import Conversation, Corpus
from instructerc.demonstrations.embeddings import EmbeddingCache, are_unit_vectors
from instructerc.demonstrations.encoder import Encoder, ignore_progress
from instructerc.demonstrations.search import NeighbourSearch
from instructerc.errors import UnknownLabelError, UsageError
from instructerc.prompts import Demonstration

if TYPE_CHECKING:
    from instructerc.demonstrations.encoder import Progress, Vectors

PerLabel = int | Literal["smallest"] | None
"""How many entries a label has at most: a number, as many as the rarest label has, or all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEntry:
    """A labelled utterance that can be shown.

    Attributes:
        text: What was said.
        label: Its emotion.
        conversation: Id of the conversation that it comes from; None where nobody knows.
        turn: Its number there.
        content: `content_hash` of that conversation.
    """

    text: str
    label: str
    conversation: str | None = None
    turn: int | None = None
    content: str | None = None


@dataclass(frozen=True, eq=False)
class DemonstrationPool:
    """Labelled utterances, and once it is encoded, their vectors.

    Every labelled turn is an entry, also where others say the same: which label "Okay." has differs from turn to
    turn. No prompt shows the same text with the same label twice.

    Attributes:
        labels: The closed label set.
        entries: The utterances.
        encoder: Identity of the encoder that made the vectors; None before that.
        vectors: Unit vectors, float32, [entries, dimensions].

    Raises:
        UsageError: Vectors and entries do not fit.
        UnknownLabelError: An entry has a label outside the set.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> talk = Conversation("c", (Utterance("Ada", "We did it!", "joy"), Utterance("Bo", "Did we?")))
        >>> pool = DemonstrationPool.of_corpus(Corpus("mine", ("joy", "anger"), train=(talk,)))
        >>> [(entry.text, entry.label) for entry in pool.entries]
        [('We did it!', 'joy')]
    """

    labels: tuple[str, ...]
    entries: tuple[PoolEntry, ...] = field(repr=False)
    encoder: str | None = None
    vectors: Vectors | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for entry in self.entries:
            if entry.label not in self.labels:
                raise UnknownLabelError(entry.label, self.labels, place=f"demonstration {entry.text!r}")
        if (self.vectors is None) != (self.encoder is None):
            raise UsageError("a pool has vectors and the encoder that made them, or neither: give both")
        if self.vectors is not None and not are_unit_vectors(self.vectors, len(self.entries)):
            raise UsageError(f"a pool of {len(self.entries)} entries needs as many unit vectors in float32")

    @classmethod
    def of_corpus(cls, corpus: Corpus, *, per_label: PerLabel = None, seed: int = 0) -> DemonstrationPool:
        """The labelled turns of a corpus' training split, and of that alone.

        Args:
            corpus: Where they come from; validation and test are not looked at.
            per_label: What balances the labels: at most so many entries each, "smallest" as many as the rarest label
                that occurs has (the paper's balanced base), None every entry.
            seed: Chooses the entries of a label that has more.

        Raises:
            UsageError: `per_label` is out of range.
        """
        entries = tuple(_entries(corpus.train))
        return cls(corpus.labels, _balanced(entries, per_label, seed))

    def encoded(
        self, encoder: Encoder, *, cache: EmbeddingCache | None = None, progress: Progress = ignore_progress
    ) -> DemonstrationPool:
        """The pool with vectors; the same pool where it has this encoder's.

        Args:
            encoder: What makes the vectors.
            cache: Where vectors are kept; None keeps none.
            progress: Told how far it is.
        """
        if self.encoder == encoder.identity:
            return self
        texts = [entry.text for entry in self.entries]
        made = cache.encode(encoder, texts, progress=progress) if cache else encoder.encode(texts, progress=progress)
        return replace(self, encoder=encoder.identity, vectors=made)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with labels, entries and encoder."""
        digest = hashlib.sha256(json.dumps([self.labels, self.encoder]).encode("ascii"))
        for entry in self.entries:
            digest.update(json.dumps([entry.conversation, entry.turn, entry.text, entry.label]).encode("ascii"))
        return digest.hexdigest()[:12]

    @property
    def counts(self) -> dict[str, int]:
        """How many entries each label has."""
        found = Counter(entry.label for entry in self.entries)
        return {label: found[label] for label in self.labels}

    def __len__(self) -> int:
        return len(self.entries)

    def demonstrations(self, rows: Iterable[int]) -> tuple[Demonstration, ...]:
        """The entries of these rows, as a prompt takes them."""
        return tuple(Demonstration(self.entries[row].text, self.entries[row].label) for row in rows)

    def rows_of(self, conversation: Conversation) -> frozenset[int]:
        """The rows that come from a conversation, which never shows its own turns to itself.

        A conversation is known by what all of its turns say, under whatever id; and where it has changed or is not
        over yet, by its id together with a turn that says the same as the entry. The same id in another corpus says
        nothing.
        """
        rows = self._by_content.get(content_hash(conversation), ())
        named = self._by_conversation.get(conversation.id, ())
        return frozenset(rows) | (frozenset(named) if self._are_of(named, conversation) else frozenset())

    def _are_of(self, rows: Sequence[int], conversation: Conversation) -> bool:
        return any(
            turn is not None and turn < len(conversation) and conversation.utterances[turn].text == entry.text
            for entry, turn in ((self.entries[row], self.entries[row].turn) for row in rows)
        )

    def rows_without_origin(self, text: str) -> frozenset[int]:
        """The rows that say this, of entries whose conversation nobody knows."""
        return frozenset(self._without_origin.get(text, ()))

    @functools.cached_property
    def search(self) -> NeighbourSearch:
        """What finds the nearest entries; its groups are the labels.

        Raises:
            UsageError: The pool is not encoded.
        """
        import numpy as np

        if self.vectors is None:
            raise UsageError("this pool has no vectors yet: call encoded(encoder) first")
        rows = defaultdict(list)
        keys: dict[tuple[str, str], int] = {}
        for row, entry in enumerate(self.entries):
            rows[entry.label].append(row)
            keys.setdefault((entry.text, entry.label), len(keys))
        return NeighbourSearch(
            vectors=self.vectors,
            groups={label: np.asarray(found, dtype=np.int64) for label, found in rows.items()},
            keys=[keys[entry.text, entry.label] for entry in self.entries],
        )

    @functools.cached_property
    def _by_content(self) -> dict[str | None, list[int]]:
        return _grouped((entry.content, row) for row, entry in enumerate(self.entries) if entry.content is not None)

    @functools.cached_property
    def _by_conversation(self) -> dict[str | None, list[int]]:
        return _grouped((entry.conversation, row) for row, entry in enumerate(self.entries) if entry.conversation)

    @functools.cached_property
    def _without_origin(self) -> dict[str | None, list[int]]:
        return _grouped((entry.text, row) for row, entry in enumerate(self.entries) if entry.conversation is None)


def content_hash(conversation: Conversation) -> str:
    """Sixteen hexadecimal digits for what the turns of a conversation say, whatever its id and its labels."""
    texts = json.dumps([utterance.text for utterance in conversation.utterances])
    return hashlib.sha256(texts.encode("ascii")).hexdigest()[:16]


def _entries(conversations: Iterable[Conversation]) -> Iterator[PoolEntry]:
    for conversation in conversations:
        content = content_hash(conversation)
        for turn, said in enumerate(conversation.utterances):
            if said.emotion is not None:
                yield PoolEntry(
                    text=said.text, label=said.emotion, conversation=conversation.id, turn=turn, content=content
                )


def _balanced(entries: tuple[PoolEntry, ...], per_label: PerLabel, seed: int) -> tuple[PoolEntry, ...]:
    if per_label is None:
        return entries
    rows = _grouped((entry.label, row) for row, entry in enumerate(entries))
    most = min(map(len, rows.values()), default=0) if per_label == "smallest" else per_label
    if not isinstance(most, int) or isinstance(per_label, bool) or (entries and most < 1):
        raise UsageError(
            f"per_label is {per_label!r}: give a number of entries, 1 or more, smallest, or nothing for all"
        )
    kept = [
        row
        for label, found in rows.items()
        # A label's choice does not change with the other labels.
        for row in random.Random(f"{seed}\0{label}").sample(found, min(most, len(found)))  # noqa: S311 — no secret
    ]
    return tuple(entries[row] for row in sorted(kept))


def _grouped(pairs: Iterable[tuple[str | None, int]]) -> dict[str | None, list[int]]:
    groups: dict[str | None, list[int]] = {}
    for key, row in pairs:
        groups.setdefault(key, []).append(row)
    return groups
