"""Baselines: what a fine-tuned language model has to beat, on the same split."""

from __future__ import annotations

from instructerc.baselines.baseline import Baseline, FittedBaseline
from instructerc.baselines.embeddings import EmbeddingLogistic, EmbeddingNearest
from instructerc.baselines.encoder import EncoderClassifier
from instructerc.baselines.majority import Majority
from instructerc.baselines.measuring import BaselineResult, measure_baselines
from instructerc.baselines.registry import BASELINES, TITLES, baseline, configured, run_baselines
from instructerc.baselines.tfidf import TfidfLogisticRegression

__all__ = [
    "BASELINES",
    "TITLES",
    "Baseline",
    "BaselineResult",
    "EmbeddingLogistic",
    "EmbeddingNearest",
    "EncoderClassifier",
    "FittedBaseline",
    "Majority",
    "TfidfLogisticRegression",
    "baseline",
    "configured",
    "measure_baselines",
    "run_baselines",
]
