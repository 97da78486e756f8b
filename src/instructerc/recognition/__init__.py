"""Recognition: conversations in, emotions out."""

from __future__ import annotations

from instructerc.recognition.predictions import PredictionWriter, TurnPrediction, read_predictions

__all__ = ["PredictionWriter", "TurnPrediction", "read_predictions"]
