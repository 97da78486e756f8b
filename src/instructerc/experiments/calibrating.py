"""What is fitted on validation after training and kept with the model: how sure it is, and what it decides on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from instructerc.assets import write_atomically
from instructerc.errors import UsageError
from instructerc.evaluation.calibration import fit_temperature
from instructerc.evaluation.confusion import Metric
from instructerc.evaluation.offsets import fit_offsets
from instructerc.experiments.data import RunData
from instructerc.recognition.artefact import FILE, read_artefact
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import Progress

DECISIONS: Mapping[str, Metric] = {
    "weighted-f1": "weighted_f1",
    "macro-f1": "macro_f1",
    "micro-f1-without-neutral": "micro_f1_without_neutral",
}
"""What `recognition.decision` may ask offsets to be fitted for."""


def calibrate(
    recognizer: EmotionRecognizer,
    data: RunData,
    folder: Path,
    *,
    sureness: bool = True,
    decision: Metric | None = None,
    progress: Progress | None = None,
) -> float:
    """Fits a model's temperature, its offsets or both on the validation split, and writes them into its artefact.

    The model's name changes with them, as its probabilities do.

    Args:
        recognizer: The model as it lies in the folder. It stays as it was: load the folder anew.
        data: What it was trained on.
        folder: The folder of the model, or of its run.
        sureness: Whether the temperature is fitted.
        decision: The figure that offsets are fitted for, to what the temperature makes of the likelihoods; None fits
            none.
        progress: Told how many more turns are done.

    Returns:
        The temperature: above 1 where the model was too sure.

    Raises:
        UsageError: There are no validation turns with a label, or the model generates its answers.
        EvaluationError: The figure leaves a neutral label out, and there is none.
    """
    keys = " and ".join(f"recognition.{key}" for key, on in (("calibration", sureness), ("decision", decision)) if on)
    if recognizer.mode != "score":
        raise UsageError(f"{keys}: probabilities are needed: set recognition.mode to score, or leave it out")
    examples = data.examples("validation")
    if not examples:
        raise UsageError(f"{keys}: fitted on validation, which has no labelled turns: leave it out")
    scores = recognizer.scores(examples, progress=progress)
    gold = [example.candidates.index(example.target or "") for example in examples]
    temperature = fit_temperature(log_likelihoods=scores, gold=gold) if sureness else recognizer.temperature
    offsets = dict(recognizer.offsets)
    if decision is not None:
        labels = recognizer.labels
        found = fit_offsets(
            log_probabilities=[[value / temperature for value in row] for row in scores],
            gold=gold,
            metric=decision,
            neutral=labels.index(data.labels.neutral) if data.labels.neutral in labels else None,
        )
        offsets = dict(zip(recognizer.labels, found, strict=True)) if any(found) else {}
    artefact, place = read_artefact(folder)
    fitted = replace(artefact, temperature=temperature, offsets=offsets)
    write_atomically(place / FILE, json.dumps(fitted.to_json(), ensure_ascii=False, indent=2) + "\n")
    return temperature
