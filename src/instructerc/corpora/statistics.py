"""What a corpus holds, in figures: sizes, labels, lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from instructerc.conversation import Conversation, Corpus, Split

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How a count is distributed: quantiles, linear between neighbours, and the mean.

    Example:
        >>> distribution([1, 2, 3, 4]).median
        2.5
    """

    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    percentile_95: float
    maximum: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitStatistics:
    """Figures of one split.

    Attributes:
        conversations: How many conversations.
        utterances: How many turns.
        unlabelled: How many turns carry no emotion.
        labels: How many turns carry each label, in label-set order.
        speakers: How many different speakers a conversation has; None for an empty split.
        turns: How many turns a conversation has; None for an empty split.
        words: How many words, parted by white space, a turn has; None for an empty split.
    """

    conversations: int
    utterances: int
    unlabelled: int
    labels: Mapping[str, int]
    speakers: Distribution | None
    turns: Distribution | None
    words: Distribution | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusStatistics:
    """Figures of a corpus, a split at a time.

    Attributes:
        corpus: Its name.
        labels: Its label set.
        splits: The figures of each split, train first.
    """

    corpus: str
    labels: tuple[str, ...]
    splits: Mapping[Split, SplitStatistics]

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, numbers and texts."""
        record = asdict(self)
        record["labels"] = list(self.labels)
        return record

    def rows(self) -> list[tuple[str, ...]]:
        """A table as texts, header first: a figure a row, a split a column.

        Distributions stand as `median (minimum-maximum, mean)`, labels as `count (share of the labelled turns)`.
        """
        parts = list(self.splits.values())
        rows: list[tuple[str, ...]] = [("", *self.splits)]
        rows.append(("conversations", *(f"{part.conversations:,}" for part in parts)))
        rows.append(("utterances", *(f"{part.utterances:,}" for part in parts)))
        rows.append(("speakers per conversation", *(_shown(part.speakers) for part in parts)))
        rows.append(("turns per conversation", *(_shown(part.turns) for part in parts)))
        rows.append(("words per utterance", *(_shown(part.words) for part in parts)))
        rows += [(label, *(_share(part, label) for part in parts)) for label in self.labels]
        if any(part.unlabelled for part in parts):
            rows.append(("(no emotion)", *(f"{part.unlabelled:,}" for part in parts)))
        return rows


def corpus_statistics(corpus: Corpus) -> CorpusStatistics:
    """The figures of a corpus.

    Args:
        corpus: The corpus; splits may be empty.

    Returns:
        Sizes, label counts, and the distributions of speakers, turns and words.

    Example:
        >>> from instructerc.conversation import Utterance
        >>> chat = Conversation("c", (Utterance("A", "We did it!", "joy"), Utterance("B", "We did.")))
        >>> corpus_statistics(Corpus("tiny", ("joy",), train=(chat,))).splits["train"].labels
        {'joy': 1}
    """
    splits = {name: _split_statistics(part, corpus.labels) for name, part in corpus.splits()}
    return CorpusStatistics(corpus=corpus.name, labels=corpus.labels, splits=splits)


def distribution(values: Sequence[float]) -> Distribution | None:
    """Quantiles and mean; None where there is no value."""
    if not values:
        return None
    ranked = sorted(values)
    points = [_quantile(ranked, share) for share in QUANTILES]
    names = ("minimum", "lower_quartile", "median", "upper_quartile", "percentile_95", "maximum")
    return Distribution(**dict(zip(names, points, strict=True)), mean=sum(ranked) / len(ranked))


def _quantile(ranked: Sequence[float], share: float) -> float:
    position = share * (len(ranked) - 1)
    below = int(position)
    above = min(below + 1, len(ranked) - 1)
    return float(ranked[below] + (ranked[above] - ranked[below]) * (position - below))


def _split_statistics(conversations: Sequence[Conversation], labels: Sequence[str]) -> SplitStatistics:
    turns = [utterance for conversation in conversations for utterance in conversation.utterances]
    counts = Counter(utterance.emotion for utterance in turns)
    return SplitStatistics(
        conversations=len(conversations),
        utterances=len(turns),
        unlabelled=counts[None],
        labels={label: counts[label] for label in labels},
        speakers=distribution([len(conversation.speakers) for conversation in conversations]),
        turns=distribution([len(conversation) for conversation in conversations]),
        words=distribution([len(utterance.text.split()) for utterance in turns]),
    )


def _shown(spread: Distribution | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.median:g} ({spread.minimum:g}-{spread.maximum:g}, mean {spread.mean:.1f})"


def _share(part: SplitStatistics, label: str) -> str:
    labelled = sum(part.labels.values())
    return f"{part.labels[label]:,} ({part.labels[label] / labelled:.1%})" if labelled else "-"
