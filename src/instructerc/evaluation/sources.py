"""Scores of a mixture of corpora: of each corpus, and of all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from instructerc.corpora.mixing import SEPARATOR
from instructerc.errors import EvaluationError
from instructerc.evaluation.metrics import Scores
from instructerc.evaluation.rows import OutOfLabel, evaluate_rows
from instructerc.recognition.predictions import TurnPrediction


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScores:
    """Scores of predictions on several corpora.

    Attributes:
        overall: Scores of all rows, over all unified labels.
        by_source: Scores of each corpus, in the order of the rows.
        unlabelled: Corpora whose rows carry no gold label; they have no scores.
    """

    overall: Scores
    by_source: Mapping[str, Scores]
    unlabelled: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        by_source = {source: scores.to_json() for source, scores in self.by_source.items()}
        return {"overall": self.overall.to_json(), "by_source": by_source, "unlabelled": list(self.unlabelled)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> SourceScores:
        """Reads what `to_json` wrote."""
        by_source = {source: Scores.from_json(scores) for source, scores in record["by_source"].items()}
        overall = Scores.from_json(record["overall"])
        return cls(overall=overall, by_source=by_source, unlabelled=tuple(record["unlabelled"]))


def rows_by_source(
    rows: Sequence[TurnPrediction], *, sources: Sequence[str] | None = None
) -> dict[str, list[TurnPrediction]]:
    """Rows of a mixture by the corpus that their conversation comes from: `meld` for `meld:train-0`.

    Args:
        rows: Predictions on conversations of a mixture.
        sources: The corpora that there are; None takes what stands in front of the ids.

    Raises:
        EvaluationError: Conversations name no corpus, or another one; names the first ones.

    Example:
        >>> row = TurnPrediction(conversation="meld:test-0", turn=0, emotion="mad")
        >>> rows_by_source([row]) == {"meld": [row]}
        True
    """
    found: dict[str, list[TurnPrediction]] = {source: [] for source in sources or ()}
    strangers: dict[str, None] = {}
    for row in rows:
        source, separator, _ = row.conversation.partition(SEPARATOR)
        if not separator or not source or (sources is not None and source not in found):
            strangers[row.conversation] = None
        else:
            found.setdefault(source, []).append(row)
    if strangers:
        named = ", ".join(map(repr, list(strangers)[:5])) + (f" and {len(strangers) - 5} more" * (len(strangers) > 5))
        known = f" (known: {', '.join(sources)})" if sources is not None else ""
        raise EvaluationError(
            f"conversations {named} name no corpus of the mixture{known}: their ids must be written CORPUS{SEPARATOR}ID"
        )
    return {source: part for source, part in found.items() if part}


def evaluate_by_source(
    rows: Sequence[TurnPrediction],
    *,
    labels: Sequence[str],
    neutral: str | None = None,
    out_of_label: OutOfLabel = "wrong",
    sources: Sequence[str] | None = None,
    labels_of: Mapping[str, Sequence[str]] | None = None,
) -> SourceScores:
    """Scores predictions on a mixture, corpus by corpus and all together: trained once, tested per corpus (method §10).

    Args:
        rows: Predictions, a row a turn.
        labels: The unified label set.
        neutral: The label that the metrics without neutral leave out.
        out_of_label: As in `evaluate_rows`.
        sources: The corpora that there are; None takes what stands in front of the ids.
        labels_of: For each corpus, the unified labels that it can carry (`Mixture.labels_of`), so that its macro F1
            does not count the others as 0; answers outside them then count as outside its label set. None judges each
            corpus over all labels. Weighted F1 is the same either way.

    Raises:
        EvaluationError: Ids name no corpus, no row carries a gold label, a turn stands twice, or labels do not fit.
    """
    overall = evaluate_rows(rows, labels=labels, neutral=neutral, out_of_label=out_of_label)
    by_source, unlabelled = {}, []
    for source, part in rows_by_source(rows, sources=sources).items():
        if all(row.gold is None for row in part):
            unlabelled.append(source)
            continue
        own = tuple((labels_of or {}).get(source, labels))
        by_source[source] = evaluate_rows(
            part, labels=own, neutral=neutral if neutral in own else None, out_of_label=out_of_label
        )
    return SourceScores(overall=overall, by_source=by_source, unlabelled=tuple(unlabelled))
