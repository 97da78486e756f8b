"""Several corpora as one: under one label set, without what leaks, a fraction of it (method §10 and §12).

```
corpora ── LabelMapping ── LeakProtocol ── Mix (sample, merge) ── Mixture(corpus, parts, leaks)
```
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from instructerc.conversation import Conversation, Corpus
from instructerc.corpora.leak_guard import LeakProtocol, LeaveOut
from instructerc.corpora.leaks import LeakReport, check_names
from instructerc.corpora.sampling import Unit, sample_conversations, thin_neutral
from instructerc.corpora.unified import LabelMapping
from instructerc.errors import DataError, UnknownNameError, UsageError
from instructerc.labels import label_set_of

SEPARATOR = ":"
"""Stands between corpus and conversation in the ids of a mixture: `meld:train-0`."""

MixName = Literal["total", "ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One corpus of a mixture.

    Attributes:
        name: Name of the corpus; ids of its conversations begin with it.
        family: Name of its own label set (`meld` for `meld-cosmic`), or `custom`.
        labels: The unified labels that its turns can carry: what its macro F1 is taken over.
        speakers: Most speakers in one of its conversations.
        targets: Training turns that are learned from.
        available: Training turns that carried a label before anything was left out or sampled.
    """

    name: str
    family: str
    labels: tuple[str, ...]
    speakers: int
    targets: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Several corpora as one.

    Attributes:
        corpus: All conversations, corpus after corpus in the order given, their ids with the corpus in front.
        parts: What each corpus brought.
        leaks: What training shares with validation and test, and what was left out because of it.
        settings: What decided the mixture, for reports.
    """

    corpus: Corpus
    parts: tuple[Part, ...]
    leaks: LeakReport = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the corpora."""
        return tuple(part.name for part in self.parts)

    @property
    def labels_of(self) -> dict[str, tuple[str, ...]]:
        """For each corpus, the unified labels that its turns can carry."""
        return {part.name: part.labels for part in self.parts}


@dataclass(frozen=True, slots=True)
class TotalMix:
    """Merge, then sample: large corpora give more."""

    name: ClassVar[MixName] = "total"

    def train(self, corpora: Sequence[Corpus], *, fraction: float, seed: int, unit: Unit) -> tuple[Conversation, ...]:
        """The training split."""
        merged = [item for corpus in corpora for item in _prefixed(corpus.name, corpus.train)]
        return sample_conversations(merged, fraction=fraction, seed=seed, unit=unit)


@dataclass(frozen=True, slots=True)
class RatioMix:
    """Sample in each corpus, then merge: each gives the same share. It takes what `sample_training` takes of each."""

    name: ClassVar[MixName] = "ratio"

    def train(self, corpora: Sequence[Corpus], *, fraction: float, seed: int, unit: Unit) -> tuple[Conversation, ...]:
        """The training split."""
        parts = (
            _prefixed(corpus.name, sample_conversations(corpus.train, fraction=fraction, seed=seed, unit=unit))
            for corpus in corpora
        )
        return tuple(item for part in parts for item in part)


Mix = TotalMix | RatioMix

MIXES: Mapping[MixName, Mix] = {mix.name: mix for mix in (TotalMix(), RatioMix())}
"""Every mix. The published third, `single`, is one corpus alone: `sample_training`."""


def get_mix(name: str) -> Mix:
    """The mix of that name.

    Raises:
        UnknownNameError: There is none.
    """
    for mix in MIXES.values():
        if mix.name == name:
            return mix
    raise UnknownNameError("mix", name, MIXES)


def mix_corpora(
    corpora: Sequence[Corpus],
    *,
    mapping: LabelMapping | None = None,
    mix: Mix | None = None,
    fraction: float = 1.0,
    neutral_fraction: float = 1.0,
    seed: int = 42,
    unit: Unit = "turns",
    protocol: LeakProtocol | None = None,
) -> Mixture:
    """Several corpora as one. Validation and test are merged whole, never sampled.

    Args:
        corpora: Corpora of different names, in the order in which files list them; released: IEMOCAP, MELD, EmoryNLP.
        mapping: Which unified label each label becomes; None where all corpora have the same labels.
        mix: How a fraction is taken; None is the ratio mix, the only one of the released code.
        fraction: Share of the training turns (or conversations) that is kept, in (0, 1].
        neutral_fraction: Share of the neutral turns among those that is kept, in (0, 1].
        seed: Another seed is another sample.
        unit: What is sampled: single turns, as published, or whole conversations.
        protocol: What is done about leaks; None leaves out what leaks.

    Raises:
        UsageError: Names or labels do not fit, the fraction leaves nothing, or no label means neutral.
        LabelMappingError: Labels have no place in the mapping; carries all of them.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> def corpus(name):
        ...     return Corpus(name, ("joy",), train=(Conversation("1", (Utterance("A", "Yes!", "joy"),)),))
        >>> [conversation.id for conversation in mix_corpora([corpus("a"), corpus("b")]).corpus.train]
        ['a:1', 'b:1']
    """
    corpora = tuple(corpora)
    _check(corpora, mapping)
    mix = RatioMix() if mix is None else mix
    protocol = LeaveOut() if protocol is None else protocol
    unified = corpora if mapping is None else tuple(mapping.apply(corpus) for corpus in corpora)
    kept, leaks = protocol.apply(unified)
    train = mix.train(kept, fraction=fraction, seed=seed, unit=unit)
    train = thin_neutral(train, unified[0].labels, fraction=neutral_fraction, seed=seed)
    merged = Corpus(
        "+".join(corpus.name for corpus in corpora),
        unified[0].labels,
        train=train,
        validation=tuple(item for corpus in unified for item in _prefixed(corpus.name, corpus.validation)),
        test=tuple(item for corpus in unified for item in _prefixed(corpus.name, corpus.test)),
    )
    settings = {
        "mapping": None if mapping is None else f"{mapping.name} ({mapping.hash})",
        "mix": mix.name,
        "fraction": fraction,
        **({} if neutral_fraction == 1 else {"neutral fraction": neutral_fraction}),
        "unit": unit,
        "seed": seed,
        "leaks": protocol.name,
    }
    parts = tuple(_part(own, new, mapping, train) for own, new in zip(corpora, unified, strict=True))
    return Mixture(corpus=merged, parts=parts, leaks=leaks, settings=settings)


def source_of(conversation: str) -> str:
    """The corpus that a conversation of a mixture comes from, by its id.

    Raises:
        DataError: The id names none.

    Example:
        >>> source_of("meld:train-0")
        'meld'
    """
    source, separator, _ = conversation.partition(SEPARATOR)
    if not separator or not source:
        raise DataError(
            f"conversation {conversation!r} names no corpus: ids of a mixture are written CORPUS{SEPARATOR}ID"
        )
    return source


def _check(corpora: Sequence[Corpus], mapping: LabelMapping | None) -> None:
    if not corpora:
        raise UsageError("there is no corpus to mix: name at least one")
    check_names(corpora)
    unfit = [corpus.name for corpus in corpora if SEPARATOR in corpus.name or not corpus.name]
    if unfit:
        raise UsageError(f"corpus {unfit[0]!r} cannot be mixed under that name: give it one without {SEPARATOR!r}")
    if mapping is not None:
        mapping.check(corpora)
        return
    first = corpora[0]
    for corpus in corpora:
        if corpus.labels != first.labels:
            raise UsageError(
                f"corpora {first.name} ({', '.join(first.labels)}) and {corpus.name} ({', '.join(corpus.labels)}) "
                "have different labels: name a mapping of labels, such as released or feeling-wheel"
            )


def _prefixed(source: str, conversations: Iterable[Conversation]) -> tuple[Conversation, ...]:
    return tuple(replace(item, id=f"{source}{SEPARATOR}{item.id}") for item in conversations)


def _part(own: Corpus, unified: Corpus, mapping: LabelMapping | None, train: Sequence[Conversation]) -> Part:
    prefix = own.name + SEPARATOR
    return Part(
        name=own.name,
        family=label_set_of(own.labels).name,
        labels=unified.labels if mapping is None else mapping.labels_of(own),
        speakers=max((len(item.speakers) for _, part in own.splits() for item in part), default=0),
        targets=_count_targets(item for item in train if item.id.startswith(prefix)),
        available=_count_targets(unified.train),
    )


def _count_targets(conversations: Iterable[Conversation]) -> int:
    return sum(turn.emotion is not None for item in conversations for turn in item.utterances)
