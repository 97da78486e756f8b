"""Leaks: turns that are learned from in one corpus and measured on in another, or in the same (method §12).

MELD and EmoryNLP are cut from the same series, so that a scene of one's test split stands in the other's training
split; and DailyDialog holds some conversations twice.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from instructerc.conversation import Conversation, Corpus, Split
from instructerc.corpora.matching import TurnMatch, letters_of
from instructerc.errors import UsageError

EVALUATED: tuple[Split, ...] = ("validation", "test")
"""The splits that nothing of may be learned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTurn:
    """A turn that stands in a training split and in an evaluated one.

    Attributes:
        text: As the evaluated split has it.
        conversation: Id of the evaluated conversation.
        turn: Number of the turn in it.
        train_conversation: Id of the first training conversation that holds it.
        train_text: As that conversation has it.
    """

    text: str
    conversation: str
    turn: int
    train_conversation: str
    train_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What one evaluated split shares with one training split.

    Attributes:
        train: The corpus of the training split.
        evaluated: The corpus of the evaluated split.
        split: Which split of it: validation or test.
        turns: Its turns that are long enough to be recognised.
        shared: How many of them stand in the training split.
        conversations: Its conversations.
        shared_turns: For each of its conversations that share a turn, how many turns it shares.
        duplicates: Its conversations that stand in the training split as a whole, letter by letter.
        examples: Some shared turns, the longest ones.
    """

    train: str
    evaluated: str
    split: Split
    turns: int
    shared: int
    conversations: int
    shared_turns: Mapping[str, int] = field(repr=False)
    duplicates: tuple[str, ...] = field(repr=False)
    examples: tuple[SharedTurn, ...] = field(default=(), repr=False)

    def sharing(self, minimum_turns: int = 1) -> int:
        """How many of its conversations share that many turns or more."""
        return sum(count >= minimum_turns for count in self.shared_turns.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """What the training splits of some corpora share with their validation and test splits.

    Attributes:
        match: When two turns count as the same.
        minimum_words: Shorter turns do not count.
        overlaps: One for each training split and each evaluated split.
        training: For each corpus, each training conversation that shares turns, and how many different ones.
        train_conversations: Training conversations of each corpus.
        left_out: For each corpus, the training conversations that were left out because of it.
        protocol: How leaks were treated; empty where nothing was to be done.
    """

    match: str
    minimum_words: int
    overlaps: tuple[Overlap, ...]
    training: Mapping[str, Mapping[str, int]] = field(repr=False)
    train_conversations: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    protocol: str = ""

    def leaking(self, minimum_turns: int = 1) -> dict[str, tuple[str, ...]]:
        """For each corpus, the ids of its training conversations that share that many turns or more."""
        return {
            corpus: tuple(name for name, count in shared.items() if count >= minimum_turns)
            for corpus, shared in self.training.items()
        }

    @property
    def summary(self) -> str:
        """One line: how many training conversations share turns, and what was done about them."""
        leaking = {corpus: len(ids) for corpus, ids in self.leaking().items()}
        out = {corpus: len(self.left_out.get(corpus, ())) for corpus in leaking}
        of = ", ".join(f"{count:,} of {self.train_conversations[name]:,} of {name}" for name, count in leaking.items())
        done = "left out" if any(out.values()) else "nothing left out"
        if any(out.values()) and out != leaking:
            done = "left out: " + ", ".join(f"{count:,} of {name}" for name, count in out.items())
        return f"training conversations that share turns with validation or test: {of}: {done}"

    @property
    def mark(self) -> str | None:
        """What a result row has to say: None where what shares turns was left out, or nothing does."""
        kept = sum(len(set(ids).difference(self.left_out.get(name, ()))) for name, ids in self.leaking().items())
        if not self.protocol or (self.protocol != "published" and not kept):
            return None
        return f"{self.protocol} protocol: {kept:,} training conversations share turns with validation or test"

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, numbers and texts; each overlap with its number of conversations."""
        overlaps = [
            {**asdict(overlap), "sharing": overlap.sharing(), "sharing_two_or_more": overlap.sharing(2)}
            for overlap in self.overlaps
        ]
        return {
            "match": self.match,
            "minimum_words": self.minimum_words,
            "protocol": self.protocol,
            "mark": self.mark,
            "train_conversations": dict(self.train_conversations),
            "leaking": {corpus: len(ids) for corpus, ids in self.leaking().items()},
            "training": {corpus: dict(shared) for corpus, shared in self.training.items()},
            "left_out": {corpus: list(ids) for corpus, ids in self.left_out.items()},
            "overlaps": overlaps,
        }


@dataclass(frozen=True, slots=True)
class _Training:
    """A training split, by what its turns and conversations are recognised by.

    Attributes:
        turns: Key of a turn → the first conversation that holds it, and its text.
        keys: Keys of each conversation.
        conversations: Every conversation as its letters.
    """

    turns: Mapping[str, tuple[str, str]]
    keys: Mapping[str, frozenset[str]]
    conversations: frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """An evaluated split, likewise.

    Attributes:
        corpus: Its corpus.
        split: Which split it is.
        turns: Its telling turns: conversation, number, key.
        conversations: Every conversation as its letters, by id.
    """

    corpus: str
    split: Split
    turns: tuple[tuple[Conversation, int, str], ...]
    conversations: Mapping[str, tuple[str, ...]]


def find_leaks(corpora: Sequence[Corpus], *, match: TurnMatch | None = None, examples: int = 3) -> LeakReport:
    """What is learned from and measured on as well, in every pair of corpora; in linear time.

    Args:
        corpora: Corpora of different names; one corpus is compared with itself.
        match: When two turns are the same; None: same letters and digits, five words or more.
        examples: How many shared turns of each pair are kept to be looked at.

    Raises:
        UsageError: Two corpora have the same name.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> said = Conversation("1", (Utterance("A", "Well, that was all I had."),))
        >>> heard = Conversation("x", (Utterance("B", "well that was ALL I had"),))
        >>> report = find_leaks([Corpus("first", ("joy",), train=(said,)), Corpus("second", ("joy",), test=(heard,))])
        >>> report.leaking()
        {'first': ('1',), 'second': ()}
    """
    check_names(corpora)
    match = TurnMatch() if match is None else match
    training = {corpus.name: _training(corpus.train, match) for corpus in corpora}
    evaluated = [_evaluated(corpus, split, match) for corpus in corpora for split in EVALUATED]
    wanted = {key for part in evaluated for _, _, key in part.turns}
    return LeakReport(
        match=match.name,
        minimum_words=match.minimum_words,
        overlaps=tuple(_overlap(name, known, part, examples) for name, known in training.items() for part in evaluated),
        training={name: _shared_keys(known, wanted) for name, known in training.items()},
        train_conversations={corpus.name: len(corpus.train) for corpus in corpora},
    )


def check_names(corpora: Iterable[Corpus]) -> None:
    """Whether names tell the corpora apart.

    Raises:
        UsageError: Two have the same name.
    """
    doubled = [name for name, count in Counter(corpus.name for corpus in corpora).items() if count > 1]
    if doubled:
        raise UsageError(f"two corpora are called {' and two '.join(doubled)}: give each a name of its own (NAME=PATH)")


def _training(conversations: Iterable[Conversation], match: TurnMatch) -> _Training:
    turns: dict[str, tuple[str, str]] = {}
    keys, sums = {}, set()
    for conversation in conversations:
        found = {match.key(utterance.text): utterance.text for utterance in conversation.utterances}
        for key, text in found.items():
            turns.setdefault(key, (conversation.id, text))
        keys[conversation.id] = frozenset(found)
        sums.add(_letters(conversation))
    return _Training(turns, keys, frozenset(sums))


def _letters(conversation: Conversation) -> tuple[str, ...]:
    return tuple(letters_of(utterance.text) for utterance in conversation.utterances)


def _telling(conversations: Iterable[Conversation], match: TurnMatch) -> Iterator[tuple[Conversation, int, str]]:
    for conversation in conversations:
        for turn, utterance in enumerate(conversation.utterances):
            key = match.key(utterance.text)
            if key and match.is_telling(utterance.text):
                yield conversation, turn, key


def _evaluated(corpus: Corpus, split: Split, match: TurnMatch) -> _Evaluated:
    conversations = corpus.split(split)
    letters = {conversation.id: _letters(conversation) for conversation in conversations}
    return _Evaluated(corpus.name, split, tuple(_telling(conversations, match)), letters)


def _overlap(name: str, known: _Training, part: _Evaluated, examples: int) -> Overlap:
    found = [(conversation, turn, key) for conversation, turn, key in part.turns if key in known.turns]
    longest = heapq.nlargest(examples, {key: (key, item, turn) for item, turn, key in found}.values(), key=_length)
    return Overlap(
        train=name,
        evaluated=part.corpus,
        split=part.split,
        turns=len(part.turns),
        shared=len(found),
        conversations=len(part.conversations),
        shared_turns=dict(Counter(conversation.id for conversation, _, _ in found)),
        duplicates=tuple(
            name for name, letters in part.conversations.items() if any(letters) and letters in known.conversations
        ),
        examples=tuple(
            SharedTurn(
                text=item.utterances[turn].text,
                conversation=item.id,
                turn=turn,
                train_conversation=known.turns[key][0],
                train_text=known.turns[key][1],
            )
            for key, item, turn in longest
        ),
    )


def _length(entry: tuple[str, Conversation, int]) -> int:
    return len(entry[0])


def _shared_keys(known: _Training, wanted: set[str]) -> dict[str, int]:
    shared = {name: len(keys & wanted) for name, keys in known.keys.items()}
    return {name: count for name, count in shared.items() if count}
