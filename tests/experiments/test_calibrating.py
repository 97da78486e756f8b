"""How sure a model is, fitted after training and kept with it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from instructerc.backbones.adapters import PARAMETERS
from instructerc.errors import TrainingError, UsageError
from instructerc.evaluation import evaluate_rows
from instructerc.experiments.calibrating import calibrate
from instructerc.experiments.data import prepare_data
from instructerc.experiments.run import RunResult, run_recipe
from instructerc.recognition.predictions import read_predictions
from instructerc.recognition.recognizer import EmotionRecognizer
from tests.experiments.recipes import Log, recipe, values


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory, finished: RunResult) -> RunResult:
    folder = tmp_path_factory.mktemp("calibrated")
    given = json.loads((finished.folder.parent / "tiny.yaml").read_text(encoding="utf-8"))
    return run_recipe(recipe(folder, given, "recognition.calibration=temperature"))


def test_a_run_measures_what_its_calibrated_model_says(calibrated: RunResult, finished: RunResult) -> None:
    recognizer = EmotionRecognizer.from_pretrained(calibrated.folder, device="cpu")
    assert recognizer.temperature != 1
    before = read_predictions(finished.folder / "predictions.jsonl")
    after = read_predictions(calibrated.folder / "predictions.jsonl")
    assert {row.model for row in after} == {recognizer.model_hash}
    assert [row.emotion for row in after] == [row.emotion for row in before]
    assert [row.probabilities for row in after] != [row.probabilities for row in before]
    assert calibrated.weighted_f1 == finished.weighted_f1


def test_a_resumed_run_is_not_calibrated_twice(calibrated: RunResult) -> None:
    resolved = recipe(
        calibrated.folder.parent,
        json.loads((calibrated.folder.parent / "tiny.yaml").read_text(encoding="utf-8")),
        "recognition.calibration=temperature",
    )
    before = (calibrated.folder / "model" / "artefact.json").read_bytes()
    watcher = Log()
    run_recipe(resolved, resume=True, watcher=watcher)
    assert "calibrating" not in watcher.phases
    assert (calibrated.folder / "model" / "artefact.json").read_bytes() == before


def test_it_is_fitted_on_validation_alone(
    tmp_path: Path, calibrated: RunResult, corpus_folder: Path, llama_folder: Path
) -> None:
    data = prepare_data(recipe(tmp_path, values(corpus_folder, llama_folder)).recipe)
    folder = tmp_path / "model"
    shutil.copytree(calibrated.folder / "model", folder)
    recognizer = EmotionRecognizer.from_pretrained(folder, device="cpu")
    assert data.corpus is not None
    alone = replace(data, corpus=replace(data.corpus, train=(), test=()))
    assert calibrate(recognizer, alone, folder) == recognizer.temperature
    without = replace(data, corpus=replace(data.corpus, validation=()))
    with pytest.raises(UsageError, match="no labelled turns: leave it out"):
        calibrate(recognizer, without, folder)


def test_answers_that_are_generated_have_nothing_to_calibrate(
    tmp_path: Path, finished: RunResult, corpus_folder: Path, llama_folder: Path
) -> None:
    data = prepare_data(recipe(tmp_path, values(corpus_folder, llama_folder)).recipe)
    recognizer = EmotionRecognizer.from_pretrained(finished.folder, device="cpu", mode="generate")
    with pytest.raises(UsageError, match=r"set recognition\.mode to score, or leave it out"):
        calibrate(recognizer, data, finished.folder)
    given = values(corpus_folder, llama_folder)
    with pytest.raises(UsageError, match=r"recognition\.calibration: needs probabilities"):
        recipe(tmp_path, given, "recognition.calibration=temperature", "recognition.mode=generate")


def test_decisions_are_fitted_to_weighted_f1_and_kept_with_the_model(tmp_path: Path, finished: RunResult) -> None:
    given = json.loads((finished.folder.parent / "tiny.yaml").read_text(encoding="utf-8"))
    given["training"]["epochs"] = 1  # a model that errs
    plain = run_recipe(recipe(tmp_path / "plain", given))
    fitted = run_recipe(
        recipe(tmp_path / "fitted", given, "recognition.decision=weighted-f1", "recognition.calibration=temperature")
    )
    recognizer = EmotionRecognizer.from_pretrained(fitted.folder, device="cpu")
    assert set(recognizer.offsets) <= set(recognizer.labels)
    assert recognizer.asking(labels=["calm", "tense"]).offsets == {}
    data = prepare_data(recipe(tmp_path / "again", given).recipe)
    unfitted = EmotionRecognizer.from_pretrained(plain.folder, device="cpu")
    before, after = (
        evaluate_rows(model.answer(data.examples("validation")), labels=recognizer.labels)
        for model in (unfitted, recognizer)
    )
    assert after.weighted_f1 >= before.weighted_f1
    assert fitted.report.provenance["Method"]["decision"] == "weighted-f1 on validation"
    rows = read_predictions(fitted.folder / "predictions.jsonl")
    assert {row.model for row in rows} == {recognizer.model_hash}
    for row in rows:
        assert row.probabilities is not None
        assert row.emotion == max(row.probabilities, key=row.probabilities.__getitem__), "readers see one rule"


def test_decisions_are_fitted_to_what_a_corpus_is_reported_in(tmp_path: Path, finished: RunResult) -> None:
    given = json.loads((finished.folder.parent / "tiny.yaml").read_text(encoding="utf-8"))
    given["training"]["epochs"] = 1
    decision = "recognition.decision=micro-f1-without-neutral"
    result = run_recipe(recipe(tmp_path, given, decision, "evaluation.split=validation"))
    plain = run_recipe(recipe(tmp_path / "plain", given, "evaluation.split=validation"))
    found, before = (run.report.main.micro_f1_without_neutral for run in (result, plain))
    assert found is not None
    assert before is not None
    assert found >= before
    assert "epoch 1, chosen by validation micro f1 without neutral with fitted decisions" in result.report.summary
    assert "epoch 1, chosen by validation W-F1" in plain.report.summary


def test_a_finished_run_may_be_fitted_later_but_not_otherwise(tmp_path: Path, finished: RunResult) -> None:
    given = json.loads((finished.folder.parent / "tiny.yaml").read_text(encoding="utf-8"))
    given["training"]["epochs"] = 1
    wanted = ("recognition.decision=macro-f1", "recognition.calibration=temperature")
    at_once = run_recipe(recipe(tmp_path / "at once", given, *wanted))
    run_recipe(recipe(tmp_path / "later", given))
    trained = (tmp_path / "later" / "run" / "model" / PARAMETERS).read_bytes()
    later = run_recipe(recipe(tmp_path / "later", given, *wanted), resume=True)
    assert (later.folder / "model" / PARAMETERS).read_bytes() == trained
    assert later.report.main == at_once.report.main
    rows, expected = (read_predictions(run.folder / "predictions.jsonl") for run in (later, at_once))
    assert [row.probabilities for row in rows] == [row.probabilities for row in expected]
    assert "decision: macro-f1" in (later.folder / "recipe.yaml").read_text(encoding="utf-8")
    run_recipe(recipe(tmp_path / "later", given, *wanted), resume=True)  # and is that run from now on
    for other in ("likeliest", "weighted-f1"):
        with pytest.raises(TrainingError, match=r'recognition\.decision was "macro-f1"'):
            run_recipe(recipe(tmp_path / "later", given, f"recognition.decision={other}", wanted[1]), resume=True)


def test_generated_answers_have_no_decision_to_fit(tmp_path: Path, corpus_folder: Path, llama_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"recognition\.decision: needs probabilities"):
        recipe(
            tmp_path,
            values(corpus_folder, llama_folder),
            "recognition.decision=weighted-f1",
            "recognition.mode=generate",
        )
