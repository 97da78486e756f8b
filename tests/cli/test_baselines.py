from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from instructerc.baselines.registry import BASELINES
from instructerc.cli import app
from instructerc.recognition.predictions import read_predictions
from instructerc.testing import tiny_corpus
from tests.baselines.encoders import talk, tiny_encoder
from tests.experiments.recipes import write_corpus


def _run(*arguments: Any) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["baselines", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus")


def test_it_prints_a_table(corpus: Path) -> None:
    code, out, err = _run(corpus, "--baselines", "majority,tfidf", "--samples", 50)
    assert code == 0
    assert "baseline tfidf" in err
    head, majority, tfidf = out.splitlines()
    assert head.split() == ["baseline", "W-F1", "95", "%", "interval", "macro", "F1", "accuracy", "seconds"]
    assert majority.split()[:2] == ["majority", "33.33"]
    assert tfidf.startswith("tfidf")


def test_what_it_writes_is_evaluated_and_compared_as_any_predictions(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, _ = _run(corpus, "--baselines", "majority,tfidf", "--out", out, "--json")
    assert code == 0
    record = json.loads(printed)
    assert record == json.loads((out / "baselines.json").read_text(encoding="utf-8"))
    assert (record["corpus"], record["split"], list(record["baselines"])) == ("corpus", "test", ["majority", "tfidf"])
    assert record["notices"] == []
    files = [out / name / "predictions.jsonl" for name in ("majority", "tfidf")]
    assert [len(read_predictions(file)) for file in files] == [24, 24]
    evaluated = CliRunner().invoke(app, ["evaluate", str(files[1]), "--json"])
    found = record["baselines"]["tfidf"]
    assert json.loads(evaluated.stdout)["scores"]["weighted_f1"] == pytest.approx(found["weighted_f1"])
    assert json.loads(evaluated.stdout)["interval"]["low"] == pytest.approx(found["interval"]["low"])
    compared = CliRunner().invoke(app, ["compare", str(files[1]), str(files[0]), "--json"])
    assert json.loads(compared.stdout)["better"] == "first"


def test_results_are_not_overwritten(corpus: Path, tmp_path: Path) -> None:
    assert _run(corpus, "--baselines", "majority", "--out", tmp_path / "out")[0] == 0
    code, _, err = _run(corpus, "--baselines", "majority", "--out", tmp_path / "out")
    assert code == 2
    assert "holds results of baselines already: name another folder, or delete it" in err


def test_what_a_stopped_command_left_is_begun_anew(corpus: Path, tmp_path: Path) -> None:
    left = tmp_path / "out" / "majority" / "predictions.jsonl"
    left.parent.mkdir(parents=True)
    left.write_text('{"conversation": "test-00", "turn": 0, "emo', encoding="utf-8")
    assert _run(corpus, "--baselines", "majority", "--out", tmp_path / "out")[0] == 0
    assert len(read_predictions(left)) == 24


def test_an_encoder_is_fine_tuned_with_the_options(corpus: Path, tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "encoder")
    options = ("--encoder", folder, "--history", 1, "--epochs", 2, "--seed", 4, "--split", "validation")
    code, out, err = _run(corpus, "--baselines", "encoder", *options, "--json")
    assert code == 0
    record = json.loads(out)
    assert record["baselines"]["encoder"]["settings"] == {
        "name": str(folder),
        "revision": None,
        "history": 1,
        "epochs": 2,
        "learning_rate": 5e-5,
        "batch_size": 16,
        "longest": 256,
        "seed": 4,
    }
    assert record["notices"] == ["The encoder chose its epoch on validation, the split that is measured."]
    assert "epoch 2: validation W-F1" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baselines", "tfdif"], "did you mean 'tfidf'"),
        (["--baselines", ","], "names none"),
        (["--baselines", "majority", "--history", "2"], "history goes with encoder, and majority was chosen"),
        (["--epochs", "0"], "epochs is 0: give 1 or more"),
        (["--split", "tset"], "did you mean 'test'"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(corpus: Path, arguments: list[str], message: str) -> None:
    code, out, err = _run(corpus, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_missing_library_is_named_before_anything_is_fitted(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "sentence_transformers" else find(name, *rest)
    )
    code, _, err = _run(corpus)
    assert code == 2
    assert "pip install 'instructerc[demonstrations]'" in err
    assert "baseline majority" not in err


def test_a_split_without_labels_is_an_error(tmp_path: Path) -> None:
    validation = (talk("v", ("hello", None)),)
    folder = write_corpus(tmp_path / "corpus", replace(tiny_corpus(), validation=validation))
    code, _, err = _run(folder, "--baselines", "majority", "--split", "validation")
    assert code == 1
    assert "no labelled turn in its validation split" in err


def test_the_help_names_every_baseline() -> None:
    code, out, _ = _run("--help")
    assert code == 0
    assert all(name in out for name in BASELINES)
