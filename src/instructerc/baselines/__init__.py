"""Baselines: what a fine-tuned language model has to beat, on the same split."""

from __future__ import annotations

from instructerc.baselines.baseline import Baseline, FittedBaseline
from instructerc.baselines.majority import Majority
from instructerc.baselines.registry import BASELINES, TITLES, baseline, run_baselines
from instructerc.baselines.tfidf import TfidfLogisticRegression

__all__ = [
    "BASELINES",
    "TITLES",
    "Baseline",
    "FittedBaseline",
    "Majority",
    "TfidfLogisticRegression",
    "baseline",
    "run_baselines",
]
