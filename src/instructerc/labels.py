"""Label sets: which emotions there are, in which order, and how sources spell them.

The order of a set is the order in which prompts state its labels (method §2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from instructerc.errors import UnknownLabelError, UnknownNameError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """A closed, ordered set of emotions.

    Attributes:
        name: What the set is called.
        labels: The label words, in prompt order.
        neutral: The label that means "no emotion"; metrics without neutral leave it out.
        spellings: Other spellings that sources use, each with the label that it means.

    Example:
        >>> MELD.canonical("joy"), MELD.canonical("Anger")
        ('joyful', 'angry')
    """

    name: str
    labels: tuple[str, ...]
    neutral: str | None = None
    spellings: Mapping[str, str] = field(default_factory=dict)

    def canonical(self, label: str) -> str:
        """The label that `label` spells, whatever its case and the white space around it.

        Raises:
            UnknownLabelError: It spells none; the message names the nearest label.
        """
        by_lower = {word.lower(): word for word in self.labels}
        by_lower |= {other.lower(): word for other, word in self.spellings.items()}
        found = by_lower.get(label.strip().lower())
        if found is None:
            raise UnknownLabelError(label, self.labels)
        return found

    def __len__(self) -> int:
        return len(self.labels)


IEMOCAP = LabelSet(
    name="iemocap",
    labels=("happy", "sad", "neutral", "angry", "excited", "frustrated"),
    neutral="neutral",
    spellings={"hap": "happy", "neu": "neutral", "ang": "angry", "exc": "excited", "fru": "frustrated"},
)
MELD = LabelSet(
    name="meld",
    labels=("neutral", "surprise", "fear", "sad", "joyful", "disgust", "angry"),
    neutral="neutral",
    spellings={"joy": "joyful", "sadness": "sad", "anger": "angry"},
)
EMORYNLP = LabelSet(
    name="emorynlp",
    labels=("Joyful", "Mad", "Peaceful", "Neutral", "Sad", "Powerful", "Scared"),
    neutral="Neutral",
)
DAILYDIALOG = LabelSet(
    name="dailydialog",
    labels=("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"),
    neutral="neutral",
    spellings={"no_emotion": "neutral", "no emotion": "neutral"},
)
EKMAN = LabelSet(
    name="ekman",
    labels=("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust"),
    neutral="neutral",
    spellings={
        "happiness": "joy",
        "happy": "joy",
        "joyful": "joy",
        "sad": "sadness",
        "angry": "anger",
        "surprised": "surprise",
        "afraid": "fear",
        "scared": "fear",
        "disgusted": "disgust",
    },
)

UNIFIED = LabelSet(
    name="unified",
    labels=("joyful", "sad", "neutral", "mad", "excited", "fear", "disgust", "peaceful", "powerful"),
    neutral="neutral",
)
"""One set for several corpora, in the order of the released prompts (method §10)."""

_LABEL_SETS = (IEMOCAP, MELD, EMORYNLP, DAILYDIALOG, EKMAN, UNIFIED)

LABEL_SETS: Mapping[str, LabelSet] = {labels.name: labels for labels in _LABEL_SETS}
"""Every label set that has a name."""


def get_label_set(name: str) -> LabelSet:
    """The label set of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in LABEL_SETS:
        raise UnknownNameError("label set", name, LABEL_SETS)
    return LABEL_SETS[name]


def parse_label_set(text: str) -> LabelSet:
    """A label set as people name it: by the name of a known set, or label by label, joined by commas.

    Args:
        text: `meld`, or `calm,tense,neutral`.

    Raises:
        UnknownNameError: A single word that names no set.
        UsageError: A label is blank or stands twice; case does not tell labels apart.

    Example:
        >>> parse_label_set("calm, tense").labels
        ('calm', 'tense')
    """
    if "," not in text:
        return get_label_set(text.strip().lower())
    labels = tuple(label.strip() for label in text.split(","))
    if not all(labels) or len({label.casefold() for label in labels}) < len(labels):
        raise UsageError(f"labels {text!r}: a label is blank or stands twice: write them as calm,tense,neutral")
    return label_set_of(labels)


def label_set_of(labels: tuple[str, ...], *, name: str = "custom") -> LabelSet:
    """The named set with exactly these labels, or a new one; "neutral" is recognised in any case.

    Example:
        >>> label_set_of(("calm", "Neutral")).neutral
        'Neutral'
    """
    for known in LABEL_SETS.values():
        if known.labels == labels:
            return known
    neutral = next((label for label in labels if label.lower() in ("neutral", "no_emotion")), None)
    return LabelSet(name=name, labels=labels, neutral=neutral)
