"""Evaluation: figures, how sure they are, and which of two systems is better."""

from __future__ import annotations

from instructerc.evaluation.calibration import expected_calibration_error
from instructerc.evaluation.confusion import METRICS, OUT_OF_LABEL, Metric
from instructerc.evaluation.label_sets import label_set_of_rows, with_neutral
from instructerc.evaluation.metrics import ClassScores, Scores, evaluate
from instructerc.evaluation.rows import (
    Comparison,
    OutOfLabel,
    aligned,
    compare_rows,
    evaluate_rows,
    interval_of_rows,
    notices_of_rows,
)
from instructerc.evaluation.significance import (
    Interval,
    McNemar,
    PairedComparison,
    Unit,
    bootstrap_interval,
    mcnemar,
    paired_bootstrap,
)
from instructerc.evaluation.sources import SourceScores, evaluate_by_source, rows_by_source
from instructerc.evaluation.weights import WEIGHTINGS, class_weights, get_weighting, label_counts

__all__ = [
    "METRICS",
    "OUT_OF_LABEL",
    "WEIGHTINGS",
    "ClassScores",
    "Comparison",
    "Interval",
    "McNemar",
    "Metric",
    "OutOfLabel",
    "PairedComparison",
    "Scores",
    "SourceScores",
    "Unit",
    "aligned",
    "bootstrap_interval",
    "class_weights",
    "compare_rows",
    "evaluate",
    "evaluate_by_source",
    "evaluate_rows",
    "expected_calibration_error",
    "get_weighting",
    "interval_of_rows",
    "label_counts",
    "label_set_of_rows",
    "mcnemar",
    "notices_of_rows",
    "paired_bootstrap",
    "rows_by_source",
    "with_neutral",
]
