"""What a run has to say, as one value; how it is written is another matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from instructerc.conversation import Split, Utterance
from instructerc.errors import ArtefactError, UsageError
from instructerc.evaluation import (
    Interval,
    Metric,
    OutOfLabel,
    Scores,
    evaluate_rows,
    interval_of_rows,
    notices_of_rows,
)
from instructerc.prompts.example import Task
from instructerc.recognition.predictions import TurnPrediction

FORMAT = 1
"""Version of `report.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongTurn:
    """A turn that was recognised wrongly, with what was said before it.

    Attributes:
        conversation: Id of the conversation.
        turn: Number of the turn, from 0.
        utterance: The turn itself, with its gold label.
        emotion: What was recognised.
        context: The turns before it, oldest first.
        confidence: Probability of `emotion`; None where there are no probabilities.
        answer: The raw answer, where one was generated.
    """

    conversation: str
    turn: int
    utterance: Utterance
    emotion: str
    context: tuple[Utterance, ...] = ()
    confidence: float | None = None
    answer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        record["utterance"] = self.utterance.to_json()
        record["context"] = [utterance.to_json() for utterance in self.context]
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> WrongTurn:
        """Reads what `to_json` wrote."""
        context = tuple(Utterance.from_json(item) for item in record["context"])
        return cls(**{**record, "utterance": Utterance.from_json(record["utterance"]), "context": context})


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """How a stage of a training went.

    Attributes:
        loss: Pairs of step and training loss.
        validation: Pairs of epoch and figure on the split that chooses the epoch, a fraction.
        metric: Which figure.
        best_epoch: The epoch that was kept.
        task: What the figure judges the answers to; the weighted F1 of speaker identification is one over speakers.
        split: The split that chooses the epoch; another than validation makes no ordinary result, and wants a mark.
    """

    loss: tuple[tuple[float, float], ...] = ()
    validation: tuple[tuple[float, float], ...] = ()
    metric: Metric = "weighted_f1"
    best_epoch: float | None = None
    task: Task = "recognition"
    split: Split = "validation"

    @property
    def best(self) -> float | None:
        """The figure of the epoch that was kept; None where it was not measured."""
        return dict(self.validation).get(self.best_epoch) if self.best_epoch is not None else None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back; a value that is no number becomes null."""
        record = asdict(self)
        for name in ("loss", "validation"):
            record[name] = [[at, value if math.isfinite(value) else None] for at, value in record[name]]
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Curves:
        """Reads what `to_json` wrote; a record without a task or split is older, and of recognition on validation."""
        values = dict(record)
        for name in ("loss", "validation"):
            values[name] = tuple((at, math.nan if value is None else value) for at, value in record[name])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is worth knowing about a run.

    Attributes:
        title: What the run is called.
        scores: Scores by name of split; `test` is the main one where it is there, else the first.
        summary: A sentence under the title.
        intervals: Intervals of the same splits.
        baselines: Scores of baselines on the main split, by the name that people shall read.
        sources: Scores of the main split of a mixture for each corpus, over the labels that it can carry
            (`evaluate_by_source`); empty where there is one corpus.
        marks: What makes its figures no ordinary results, in a few words: "test-selected epoch". They are shown
            wherever the headline figure is.
        curves: How the training went; where it had several stages, the last of them.
        stages: How the earlier stages went, by name, in their order.
        examples: Turns of the main split that were recognised wrongly.
        notices: What a reader must know before believing a figure.
        provenance: Where the figures come from: tables by heading, each from name to value.

    Raises:
        UsageError: There are no scores, or an interval is of no split that has any.
    """

    title: str
    scores: Mapping[str, Scores]
    summary: str = ""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    baselines: Mapping[str, Scores] = field(default_factory=dict)
    sources: Mapping[str, Scores] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    curves: Curves | None = None
    stages: Mapping[str, Curves] = field(default_factory=dict)
    examples: tuple[WrongTurn, ...] = ()
    notices: tuple[str, ...] = ()
    provenance: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.scores:
            raise UsageError(f"report {self.title!r} has no scores: give those of at least one split")
        strays = [split for split in self.intervals if split not in self.scores]
        if strays:
            raise UsageError(f"report {self.title!r} has an interval but no scores of {', '.join(strays)}: give both")

    @property
    def main_split(self) -> str:
        """The split that the headline is about."""
        return "test" if "test" in self.scores else next(iter(self.scores))

    @property
    def main(self) -> Scores:
        """The scores of the main split."""
        return self.scores[self.main_split]

    @property
    def main_interval(self) -> Interval | None:
        """The interval of the main split."""
        return self.intervals.get(self.main_split)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        return {
            "format": FORMAT,
            "title": self.title,
            "summary": self.summary,
            "labels": list(self.main.labels),
            "neutral": self.main.neutral,
            "notices": list(self.notices),
            "scores": {split: scores.to_json() for split, scores in self.scores.items()},
            "intervals": {split: interval.to_json() for split, interval in self.intervals.items()},
            "baselines": {name: scores.to_json() for name, scores in self.baselines.items()},
            "sources": {name: scores.to_json() for name, scores in self.sources.items()},
            "marks": list(self.marks),
            "curves": None if self.curves is None else self.curves.to_json(),
            "stages": {name: curves.to_json() for name, curves in self.stages.items()},
            "examples": [example.to_json() for example in self.examples],
            "provenance": {
                heading: {name: _plain(value) for name, value in table.items()}
                for heading, table in self.provenance.items()
            },
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Report:
        """Reads what `to_json` wrote; a record without sources, marks and stages is older, and has none.

        Raises:
            ArtefactError: Another version of this package wrote it.
        """
        if record.get("format") != FORMAT:
            raise ArtefactError(
                f"report of format {record.get('format')!r}: this version reads format {FORMAT}; evaluate the run anew"
            )
        curves = record["curves"]
        return cls(
            title=record["title"],
            summary=record["summary"],
            notices=tuple(record["notices"]),
            scores={split: Scores.from_json(scores) for split, scores in record["scores"].items()},
            intervals={split: Interval(**interval) for split, interval in record["intervals"].items()},
            baselines={name: Scores.from_json(scores) for name, scores in record["baselines"].items()},
            sources={name: Scores.from_json(scores) for name, scores in record.get("sources", {}).items()},
            marks=tuple(record.get("marks", ())),
            curves=None if curves is None else Curves.from_json(curves),
            stages={name: Curves.from_json(stage) for name, stage in record.get("stages", {}).items()},
            examples=tuple(WrongTurn.from_json(example) for example in record["examples"]),
            provenance=record["provenance"],
        )


def report_of_rows(
    rows: Sequence[TurnPrediction],
    *,
    title: str,
    labels: Sequence[str],
    neutral: str | None = None,
    split: str = "test",
    metric: Metric = "weighted_f1",
    out_of_label: OutOfLabel = "wrong",
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    **more: Any,
) -> Report:
    """The report of one file of predictions.

    Args:
        rows: Predictions, a row a turn.
        title: What the run is called.
        labels: The closed label set.
        neutral: The label that the metrics without neutral leave out.
        split: What the rows are predictions of.
        metric: The figure that gets an interval.
        out_of_label: What an answer outside the label set is worth.
        samples: Samples of the interval; 0 leaves it out.
        confidence: Of the interval.
        seed: Of the interval.
        more: Further fields of `Report`; `notices` follow those that the rows themselves give rise to.

    Raises:
        EvaluationError: No row carries a gold label, a turn stands twice, or labels do not fit.
    """
    scores = evaluate_rows(rows, labels=labels, neutral=neutral, out_of_label=out_of_label)
    intervals = {}
    if samples:
        intervals[split] = interval_of_rows(
            rows,
            labels=labels,
            neutral=neutral,
            metric=metric,
            out_of_label=out_of_label,
            samples=samples,
            confidence=confidence,
            seed=seed,
        )
    notices = (*notices_of_rows(rows, scores, out_of_label=out_of_label), *more.pop("notices", ()))
    return Report(
        title=title,
        scores={split: scores, **more.pop("scores", {})},
        intervals={**intervals, **more.pop("intervals", {})},
        examples=more.pop("examples", wrong_turns(rows)),
        notices=notices,
        **more,
    )


def wrong_turns(rows: Sequence[TurnPrediction], *, most: int = 20, context: int = 4) -> tuple[WrongTurn, ...]:
    """The wrong turns that the model is surest of; in the order of the rows where there are no probabilities.

    Args:
        rows: Predictions, a row a turn.
        most: At most so many.
        context: At most so many turns before each.
    """
    conversations: dict[str, list[TurnPrediction]] = {}
    for row in rows:
        conversations.setdefault(row.conversation, []).append(row)
    wrong = [row for row in rows if row.gold is not None and (row.out_of_label or row.emotion != row.gold)]
    wrong.sort(key=lambda row: -(_confidence(row) or 0))  # stable
    return tuple(_wrong_turn(row, conversations[row.conversation], context) for row in wrong[:most])


def _wrong_turn(row: TurnPrediction, conversation: Sequence[TurnPrediction], context: int) -> WrongTurn:
    before = sorted((other for other in conversation if other.turn < row.turn), key=lambda other: other.turn)
    return WrongTurn(
        conversation=row.conversation,
        turn=row.turn,
        utterance=Utterance(row.speaker, row.text, row.gold),
        emotion=row.emotion,
        context=tuple(Utterance(other.speaker, other.text, other.gold) for other in before[-context:] if context),
        confidence=_confidence(row),
        answer=row.answer,
    )


def _plain(value: Any) -> Any:
    """What JSON can hold: paths, versions and the like become text, and so does a number that is none."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    exact = value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))
    return value if exact else str(value)


def _confidence(row: TurnPrediction) -> float | None:
    return None if row.probabilities is None else row.probabilities.get(row.emotion)
