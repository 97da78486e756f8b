"""Calibration: how sure a model is, fitted on validation and kept with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from instructerc.assets import write_atomically
from instructerc.errors import UsageError
from instructerc.evaluation.calibration import fit_temperature
from instructerc.experiments.data import RunData
from instructerc.recognition.artefact import FILE, read_artefact
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import Progress


def calibrate(recognizer: EmotionRecognizer, data: RunData, folder: Path, *, progress: Progress | None = None) -> float:
    """Fits a model's temperature on the validation split, and writes it into its artefact.

    The model's name changes with it, as its probabilities do.

    Args:
        recognizer: The model as it lies in the folder. It stays as it was: load the folder anew.
        data: What it was trained on.
        folder: The folder of the model, or of its run.
        progress: Told how many more turns are done.

    Returns:
        The temperature: above 1 where the model was too sure.

    Raises:
        UsageError: There are no validation turns with a label, or the model generates its answers.
    """
    if recognizer.mode != "score":
        raise UsageError("recognition.calibration needs probabilities: set recognition.mode to score, or leave it out")
    examples = data.examples("validation")
    if not examples:
        raise UsageError("recognition.calibration is fitted on validation, which has no labelled turns: set it to none")
    scores = recognizer.scores(examples, progress=progress)
    gold = [example.candidates.index(example.target or "") for example in examples]
    temperature = fit_temperature(log_likelihoods=scores, gold=gold)
    artefact, place = read_artefact(folder)
    text = json.dumps(replace(artefact, temperature=temperature).to_json(), ensure_ascii=False, indent=2)
    write_atomically(place / FILE, text + "\n")
    return temperature
