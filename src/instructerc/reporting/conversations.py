"""What predictions say about conversations: who felt what when, where it turned, and how much of it there was.

```
predictions ── summarise ── Summary ─┬─ totals over everything
                                     └─ ConversationView ── moments, shifts, speakers     of the first so many
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import fsum, log

from instructerc.recognition.predictions import UNCERTAIN, TurnPrediction, by_conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One turn, as a reader of the conversation sees it.

    Attributes:
        turn: Its number, counted from 0.
        speaker: Who speaks.
        text: What is said.
        emotion: What was recognised.
        confidence: Its probability; None where answers were generated.
        shares: Every label with its probability, the likeliest first.
        before: What this speaker felt the last time it was certain; None where it never was.
        gold: The gold label; None where there is none.
    """

    turn: int
    speaker: str
    text: str
    emotion: str
    confidence: float | None = None
    shares: tuple[tuple[str, float], ...] = ()
    before: str | None = None
    gold: str | None = None

    @property
    def shifted(self) -> bool:
        """Whether the speaker feels something else than the last time they spoke; not where one cannot be certain."""
        return self.before is not None and self.emotion not in (self.before, UNCERTAIN)

    @property
    def entropy(self) -> float | None:
        """How undecided the model is, 0 (sure) to 1 (all labels alike); None without probabilities.

        Shannon's entropy of the probabilities, over its largest value, log(labels).
        """
        if len(self.shares) < 2:
            return None
        return fsum(-share * log(share) for _, share in self.shares if share > 0) / log(len(self.shares))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """One conversation, as a reader sees it.

    Attributes:
        id: Its name.
        moments: Its turns, in order.
    """

    id: str
    moments: tuple[Moment, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, in the order of their first turns."""
        return tuple(dict.fromkeys(moment.speaker for moment in self.moments))

    @property
    def shifts(self) -> tuple[Moment, ...]:
        """The turns at which a speaker feels something else than before."""
        return tuple(moment for moment in self.moments if moment.shifted)

    def strongest(self, count: int, *, neutral: str | None) -> tuple[Moment, ...]:
        """The turns whose emotion, other than the neutral one, the model is surest of, the surest first."""
        felt = [moment for moment in self.moments if moment.confidence is not None and moment.emotion != neutral]
        return tuple(sorted(felt, key=lambda moment: (-(moment.confidence or 0), moment.turn))[:count])


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Many conversations at once.

    Attributes:
        labels: The emotions that were recognised or could have been, in the order of the model's labels.
        totals: Turns of each emotion, over everything.
        by_speaker: Turns of each emotion of the speakers who spoke most, in all conversations in which they occur.
        conversations: Number of conversations.
        shifts: Number of turns at which a speaker felt something else than before.
        shown: The first conversations, whole.
    """

    labels: tuple[str, ...]
    totals: dict[str, int]
    by_speaker: dict[str, dict[str, int]]
    conversations: int
    shifts: int
    shown: tuple[ConversationView, ...]

    @property
    def turns(self) -> int:
        """Number of turns."""
        return sum(self.totals.values())


@dataclass(slots=True)
class _Tally:
    labels: dict[str, None] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    speakers: dict[str, Counter[str]] = field(default_factory=dict)
    conversations: int = 0
    shifts: int = 0

    def count(self, view: ConversationView) -> None:
        self.conversations += 1
        self.shifts += len(view.shifts)
        for moment in view.moments:
            self.labels.update(dict.fromkeys(sorted(label for label, _ in moment.shares)))
            self.labels.setdefault(moment.emotion)
            self.totals[moment.emotion] += 1
            self.speakers.setdefault(moment.speaker, Counter())[moment.emotion] += 1


def summarise(rows: Iterable[TurnPrediction], *, limit: int = 50, speakers: int = 20) -> Summary:
    """Counts everything, and keeps the first conversations whole.

    Args:
        rows: Predictions, those of a conversation one after another; read once, in the memory of one conversation.
        limit: How many conversations are kept whole.
        speakers: How many speakers are counted one by one, those with most turns.

    Example:
        >>> rows = [
        ...     TurnPrediction(conversation="c", turn=turn, emotion=emotion, speaker="Ann")
        ...     for turn, emotion in enumerate(["joy", "joy", "anger"])
        ... ]
        >>> summary = summarise(rows)
        >>> summary.totals, summary.shifts, summary.shown[0].shifts[0].turn
        ({'joy': 2, 'anger': 1}, 1, 2)
    """
    tally = _Tally()
    shown: list[ConversationView] = []
    order: dict[str, None] = {}
    for row_order, view in _views(rows):
        order.update(row_order)
        tally.count(view)
        if len(shown) < limit:
            shown.append(view)
    labels = tuple(dict.fromkeys([*order, *tally.labels]))
    loudest = sorted(tally.speakers, key=lambda name: -tally.speakers[name].total())[:speakers]
    return Summary(
        labels=labels,
        totals={label: tally.totals[label] for label in labels if tally.totals[label]},
        by_speaker={
            name: {label: tally.speakers[name][label] for label in labels if tally.speakers[name][label]}
            for name in loudest
        },
        conversations=tally.conversations,
        shifts=tally.shifts,
        shown=tuple(shown),
    )


def _views(rows: Iterable[TurnPrediction]) -> Iterator[tuple[dict[str, None], ConversationView]]:
    """Each conversation, and the labels of its first turn in the model's order."""
    for name, turns in by_conversation(rows):
        order = dict.fromkeys(turns[0].probabilities or ())
        yield order, ConversationView(id=name, moments=tuple(_moments(turns)))


def _moments(rows: Sequence[TurnPrediction]) -> Iterator[Moment]:
    last: dict[str, str] = {}
    for row in rows:
        shares = sorted((row.probabilities or {}).items(), key=lambda item: -item[1])
        yield Moment(
            turn=row.turn,
            speaker=row.speaker,
            text=row.text,
            emotion=row.emotion,
            confidence=None if row.probabilities is None else row.probabilities.get(row.emotion),
            shares=tuple(shares),
            before=last.get(row.speaker),
            gold=row.gold,
        )
        if row.emotion != UNCERTAIN:
            last[row.speaker] = row.emotion
