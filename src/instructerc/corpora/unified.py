"""One label set for several corpora: which unified label each label of a corpus becomes (method §10).

```
meld     I broke it.   angry      ┐                        mad
emorynlp You did what? Mad        ├─ LabelMapping.apply ─→ mad
iemocap  Let go of me! frustrated ┘                        fear
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from instructerc.conversation import Conversation, Corpus
from instructerc.errors import LabelMappingError, UnknownLabelError, UnknownNameError, nearest
from instructerc.labels import EKMAN, UNIFIED, LabelSet, label_set_of


class MappingFault(NamedTuple):
    """One thing that is wrong with a mapping.

    Attributes:
        corpus: The corpus; empty where the mapping as a whole is meant.
        label: The label of the corpus; empty where all of its table is meant.
        reason: What is wrong, and the rule.
    """

    corpus: str
    label: str
    reason: str

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.corpus, self.label) if part)
        return f"{place}: {self.reason}" if place else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMapping:
    """Which unified label each label of each corpus becomes.

    A table is found by the corpus' name, else by the name of its label set: that of `meld` also serves `meld-cosmic`,
    and a corpus of one's own with MELD's labels.

    Attributes:
        name: What the mapping is called.
        labels: The unified labels, in the order in which prompts state them.
        corpora: For each corpus or label set, label → unified label; None leaves the turns of that label unlabelled.

    Raises:
        LabelMappingError: Labels repeat, or a table names a label that is no unified one.

    Example:
        >>> RELEASED.apply(Corpus("tiny", ("Joyful", "Mad", "Peaceful", "Neutral", "Sad", "Powerful", "Scared"))).labels
        ('joyful', 'sad', 'neutral', 'mad', 'excited', 'fear', 'disgust', 'peaceful', 'powerful')
    """

    name: str
    labels: tuple[str, ...]
    corpora: Mapping[str, Mapping[str, str | None]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        tables = {corpus: dict(table) for corpus, table in self.corpora.items()}
        object.__setattr__(self, "corpora", tables)
        faults = list(unified_faults(self.labels, tables))
        if faults:
            raise LabelMappingError(f"mapping {self.name!r}: {fault}" for fault in faults)

    def check(self, corpora: Iterable[Corpus]) -> None:
        """Whether every label of the corpora has its place.

        Raises:
            LabelMappingError: It has not, or a table names labels that its corpus does not have; carries all faults.
        """
        faults = [fault for corpus in corpora for fault in self._faults(corpus)]
        if faults:
            raise LabelMappingError(f"mapping {self.name!r}: {fault}" for fault in faults)

    def apply(self, corpus: Corpus) -> Corpus:
        """The corpus under the unified labels. Turns, texts and speakers stay; unlabelled turns stay unlabelled.

        Raises:
            LabelMappingError: Labels of the corpus have no place; carries all of them.
        """
        self.check([corpus])
        table = self.table(corpus)
        train, validation, test = (
            tuple(_relabelled(item, table) for item in part) for part in (corpus.train, corpus.validation, corpus.test)
        )
        return replace(corpus, labels=self.labels, train=train, validation=validation, test=test)

    def table(self, corpus: Corpus) -> dict[str, str | None]:
        """The table of a corpus, its keys in the corpus' own spelling; empty where there is none."""
        key = self._key(corpus)
        labels = label_set_of(corpus.labels)
        return {} if key is None else {_spelt(label, labels): target for label, target in self.corpora[key].items()}

    def labels_of(self, corpus: Corpus) -> tuple[str, ...]:
        """The unified labels that turns of the corpus can carry, in the order of the unified set."""
        reached = set(self.table(corpus).values())
        return tuple(label for label in self.labels if label in reached)

    def _key(self, corpus: Corpus) -> str | None:
        names = (corpus.name, label_set_of(corpus.labels).name)
        return next((name for name in names if name in self.corpora), None)

    def _faults(self, corpus: Corpus) -> Iterator[MappingFault]:
        key = self._key(corpus)
        if key is None:
            others = [mapping.name for mapping in MAPPINGS.values() if mapping._key(corpus) is not None]
            hint = f"take {' or '.join(others)}, or " if others else ""
            reason = f"no table for its labels {', '.join(corpus.labels)}: {hint}add one; there are: "
            yield MappingFault(corpus.name, "", reason + (", ".join(self.corpora) or "none"))
            return
        yield from table_faults(key, self.corpora[key], label_set_of(corpus.labels))

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        tables = {corpus: dict(table) for corpus, table in self.corpora.items()}
        return {"name": self.name, "labels": list(self.labels), "corpora": tables}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> LabelMapping:
        """Reads what `to_json` wrote."""
        return cls(name=record["name"], labels=tuple(record["labels"]), corpora=record["corpora"])

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with labels, their order and the tables, not with the name."""
        text = json.dumps([self.labels, self.corpora], ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def unified_faults(labels: tuple[str, ...], corpora: Mapping[str, Mapping[str, str | None]]) -> Iterator[MappingFault]:
    """What is wrong with a mapping before it meets a corpus."""
    if not labels or len({label.casefold() for label in labels}) < len(labels):
        yield MappingFault("", "", f"unified labels are {', '.join(labels) or 'none'}: give at least one, each once")
    for corpus, table in corpora.items():
        for label, target in table.items():
            if target is not None and target not in labels:
                reason = f"{target!r} is no unified label: {_hint(target, labels)}Known: {', '.join(labels)}"
                yield MappingFault(corpus, label, reason)


def table_faults(corpus: str, table: Mapping[str, str | None], labels: LabelSet) -> Iterator[MappingFault]:
    """Where a table and the labels of its corpus do not fit: unknown labels, doubled ones, labels without a place."""
    placed: dict[str, str] = {}
    for label in table:
        try:
            canonical = labels.canonical(label)
        except UnknownLabelError as error:
            yield MappingFault(corpus, label, str(error))
            continue
        if canonical in placed:
            yield MappingFault(corpus, label, f"means {canonical!r}, as {placed[canonical]!r} does: keep one of them")
        placed[canonical] = label
    missing = [label for label in labels.labels if label not in placed]
    if missing:
        reason = f"no unified label for {', '.join(missing)}: give each one, or null to leave its turns unlabelled"
        yield MappingFault(corpus, "", reason)


def _spelt(label: str, labels: LabelSet) -> str:
    try:
        return labels.canonical(label)
    except UnknownLabelError:
        return label


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"did you mean {near!r}? " if near else ""


def _relabelled(conversation: Conversation, table: Mapping[str, str | None]) -> Conversation:
    turns = tuple(
        turn if turn.emotion is None else replace(turn, emotion=table[turn.emotion]) for turn in conversation.utterances
    )
    return replace(conversation, utterances=turns)


_PUBLISHED: Mapping[str, Mapping[str, str | None]] = {
    "iemocap": {
        "happy": "joyful",
        "sad": "sad",
        "neutral": "neutral",
        "angry": "mad",
        "excited": "excited",
        "frustrated": "fear",
    },
    "meld": {
        "neutral": "neutral",
        "surprise": "powerful",
        "fear": "fear",
        "sad": "sad",
        "joyful": "joyful",
        "disgust": "disgust",
        "angry": "mad",
    },
    "emorynlp": {
        "Joyful": "joyful",
        "Mad": "mad",
        "Peaceful": "peaceful",
        "Neutral": "neutral",
        "Sad": "sad",
        "Powerful": "powerful",
        "Scared": "fear",
    },
}

RELEASED = LabelMapping(name="released", labels=UNIFIED.labels, corpora=_PUBLISHED)
"""As the released code has it (method §10); the published table differs in its seventh row."""

FEELING_WHEEL = LabelMapping(
    name="feeling-wheel",
    labels=UNIFIED.labels,
    corpora={
        **_PUBLISHED,
        "dailydialog": {
            "neutral": "neutral",  # not on the wheel; the word all corpora share for "no emotion"
            "anger": "mad",  # angry stands on the wheel, under mad
            "disgust": "disgust",  # not on the wheel; MELD has the same class, and keeps it
            "fear": "fear",  # the unified word for the wheel's scared
            "happiness": "joyful",  # as IEMOCAP's happy: joyful is the wheel's word for it
            "sadness": "sad",  # the same word
            "surprise": "powerful",  # the class is MELD's, and goes where the released code put MELD's
        },
        "ekman": {
            "neutral": "neutral",
            "joy": "joyful",
            "sadness": "sad",
            "anger": "mad",
            "surprise": "powerful",
            "fear": "fear",
            "disgust": "disgust",
        },
    },
)
"""Ours: the released mapping, unchanged for its three corpora, with DailyDialog and the Ekman labels placed as well."""

EKMAN_WORDS = LabelMapping(
    name="ekman",
    labels=EKMAN.labels,
    corpora={
        "iemocap": {
            "happy": "joy",
            "sad": "sadness",
            "neutral": "neutral",
            "angry": "anger",
            "excited": "joy",  # most published work on four classes merges the two as well
            "frustrated": None,
        },
        "meld": {
            "neutral": "neutral",
            "surprise": "surprise",
            "fear": "fear",
            "sad": "sadness",
            "joyful": "joy",
            "disgust": "disgust",
            "angry": "anger",
        },
        "emorynlp": {
            "Joyful": "joy",
            "Mad": "anger",
            "Peaceful": None,
            "Neutral": "neutral",
            "Sad": "sadness",
            "Powerful": None,
            "Scared": "fear",
        },
        "dailydialog": {
            "neutral": "neutral",
            "anger": "anger",
            "disgust": "disgust",
            "fear": "fear",
            "happiness": "joy",
            "sadness": "sadness",
            "surprise": "surprise",
        },
        "ekman": {label: label for label in EKMAN.labels},
    },
)
"""Ours: the six basic emotions after Ekman, and neutral: the words that people know.

MELD and DailyDialog have exactly these classes. What has no place among them (frustrated, peaceful, powerful) is null:
such turns are history, and are neither trained on nor measured.
"""

MAPPINGS: Mapping[str, LabelMapping] = {mapping.name: mapping for mapping in (RELEASED, FEELING_WHEEL, EKMAN_WORDS)}
"""Every mapping that has a name."""


def get_mapping(name: str) -> LabelMapping:
    """The mapping of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in MAPPINGS:
        raise UnknownNameError("mapping of labels", name, MAPPINGS)
    return MAPPINGS[name]
