"""What an epoch is measured by, and what it is chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from instructerc.backbones.batching import use_trees
from instructerc.backbones.tokens import EncodedExample
from instructerc.evaluation import Metric, evaluate
from instructerc.evaluation.offsets import figure_with, fit_offsets
from instructerc.prompts.example import Example
from instructerc.recognition.predictions import TurnPrediction
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.training.batches import share_of
from instructerc.training.curves import FITTED
from instructerc.training.ranks import Ranks

LEAST = 1e-30
"""Probability of a label that has none: its logarithm is a number."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Measures the model as it is, by the recognition that users get.

    Attributes:
        recognizer: Answers with the model.
        examples: Examples with targets.
        encoded: The same, as tokens.
        neutral: The label that means "no emotion".
        ranks: This process among those that train together.
        decision: The figure that decisions will be fitted for after training; None where they will not.
    """

    recognizer: EmotionRecognizer
    examples: Sequence[Example]
    encoded: Sequence[EncodedExample]
    neutral: str | None
    ranks: Ranks
    decision: Metric | None = None

    def __call__(self, in_step: bool) -> Mapping[str, float]:
        """Validation figures, the same on all processes.

        Args:
            in_step: All processes read everything, pass by pass, because each holds a part of every weight.
        """
        rows = self._rows() if in_step or self.ranks.alone else self._rows_of_all()
        # Who may have spoken differs from conversation to conversation.
        labels = tuple(dict.fromkeys(name for example in self.examples for name in example.candidates))
        scores = evaluate(
            golds=[row.gold or "" for row in rows],
            predictions=[row.emotion for row in rows],
            labels=labels,
            neutral=self.neutral if self.neutral in labels else None,
            out_of_label=[row.out_of_label for row in rows],
        )
        figures = {"weighted_f1": scores.weighted_f1, "macro_f1": scores.macro_f1, "accuracy": scores.accuracy}
        return figures if self.decision is None else {**figures, FITTED + self.decision: self._fitted(rows)}

    def _fitted(self, rows: Sequence[TurnPrediction]) -> float:
        """What decisions reach that are fitted to these very answers."""
        assert self.decision is not None
        labels = self.recognizer.labels
        gold = [labels.index(row.gold or "") for row in rows]
        shares = [[max((row.probabilities or {})[label], LEAST) for label in labels] for row in rows]
        values = [[log(share) for share in found] for found in shares]
        neutral = labels.index(self.neutral) if self.neutral in labels else None
        offsets = fit_offsets(log_probabilities=values, gold=gold, metric=self.decision, neutral=neutral)
        return figure_with(offsets, log_probabilities=values, gold=gold, metric=self.decision, neutral=neutral)

    def _rows(self) -> list[TurnPrediction]:
        return self.recognizer.answer_encoded(self.examples, self.encoded)

    def _rows_of_all(self) -> list[TurnPrediction]:
        """Every process answers its share; all get all answers, in order."""
        trees = use_trees(self.recognizer.backbone, self.recognizer.batching)
        mine = share_of(self.encoded, self.ranks, trees=trees)
        rows = self.recognizer.answer_encoded([self.examples[at] for at in mine], [self.encoded[at] for at in mine])
        found = dict(pair for part in self.ranks.gather(list(zip(mine, rows, strict=True))) for pair in part)
        return [found[position] for position in range(len(self.examples))]
