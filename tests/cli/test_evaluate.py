from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.recognition.predictions import PredictionWriter, TurnPrediction
from tests.reporting.examples import rows


def _file(path: Path, predictions: list[TurnPrediction]) -> str:
    with PredictionWriter(path) as writer:
        for conversation in dict.fromkeys(row.conversation for row in predictions):
            writer.append([row for row in predictions if row.conversation == conversation])
    return str(path)


@pytest.fixture
def first(tmp_path: Path) -> str:
    return _file(tmp_path / "first.jsonl", rows())


@pytest.fixture
def second(tmp_path: Path) -> str:
    return _file(tmp_path / "second.jsonl", [replace(row, emotion=row.gold or row.emotion) for row in rows()])


def _run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_evaluate_prints_the_figures(first: str) -> None:
    code, out, err = _run("evaluate", first)
    assert (code, err) == (0, "")
    assert out.startswith("Weighted F1 45.83")
    assert "Never predicted" in out
    assert "1 turn without a gold label not judged." in out


def test_evaluate_prints_json_and_nothing_else(first: str) -> None:
    code, out, _ = _run("evaluate", first, "--json", "--samples", "50")
    record = json.loads(out)
    assert code == 0
    assert record["scores"]["support"] == 4
    assert record["scores"]["labels"] == ["neutral", "joy", "anger"]
    assert record["interval"]["samples"] == 50
    assert record["notices"]


def test_evaluate_writes_the_report_where_it_is_told(first: str, tmp_path: Path) -> None:
    code, out, err = _run("evaluate", first, "--json", "--out", str(tmp_path / "report"))
    assert code == 0
    assert json.loads(out)
    assert err.split("\n")[2] == str(tmp_path / "report" / "report.html")
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert len(report["provenance"]["Predictions"]["sha256"]) == 64
    assert "scikit-learn" in report["provenance"]["Evaluation"]


def test_evaluate_takes_labels_neutral_and_metric(first: str) -> None:
    labels = "neutral,joy,anger,fear"
    code, out, _ = _run(
        "evaluate", first, "--labels", labels, "--neutral", "joy", "--metric", "micro_f1_without_neutral", "--json"
    )
    record = json.loads(out)
    assert code == 0
    assert record["scores"]["labels"] == labels.split(",")
    assert record["scores"]["neutral"] == "joy"
    assert record["interval"]["metric"] == "micro_f1_without_neutral"


def test_a_label_set_that_rows_only_hint_at_is_said(tmp_path: Path) -> None:
    path = _file(tmp_path / "bare.jsonl", [replace(row, probabilities=None) for row in rows()])
    _, out, _ = _run("evaluate", path)
    assert "Note: Label set taken from the rows: anger, joy, neutral. Name it to be sure." in out
    _, out, _ = _run("evaluate", path, "--labels", "ekman")
    assert "taken from the rows" not in out


def test_answers_outside_the_label_set_are_wrong_or_their_nearest_label(tmp_path: Path) -> None:
    odd = [replace(row, emotion=row.gold or "joy", out_of_label=True) for row in rows()]
    path = _file(tmp_path / "odd.jsonl", odd)
    _, wrong, _ = _run("evaluate", path, "--json")
    _, nearest, _ = _run("evaluate", path, "--json", "--out-of-label", "nearest")
    assert (json.loads(wrong)["scores"]["accuracy"], json.loads(nearest)["scores"]["accuracy"]) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--labels", "meldd"], 2, "unknown label set 'meldd': did you mean 'meld'?"),
        (["--labels", "joy,fear"], 1, "gold labels outside the label set: 'neutral' (first at position 0), 'anger'"),
        (["--neutral", "calm"], 2, "neutral 'calm' is none of the labels: neutral, joy, anger"),
        (["--metric", "weighted"], 2, "unknown metric 'weighted'"),
        (["--out-of-label", "right"], 2, "unknown worth of an answer outside the label set 'right'"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(first: str, arguments: list[str], code: int, message: str) -> None:
    found, out, err = _run("evaluate", first, *arguments)
    assert (found, out) == (code, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    code, _, err = _run("evaluate", str(tmp_path / "none.jsonl"))
    assert code == 1
    assert "none.jsonl: No such file" in err
    path = tmp_path / "broken.jsonl"
    path.write_text('{"conversation": "a", "turn": 0}\nnonsense\n', encoding="utf-8")
    code, _, err = _run("evaluate", str(path))
    assert code == 1
    assert "broken.jsonl:1: emotion: is missing" in err
    assert "broken.jsonl:2: is no JSON object" in err


def test_rows_without_gold_labels_cannot_be_evaluated(tmp_path: Path) -> None:
    path = _file(tmp_path / "bare.jsonl", [replace(row, gold=None) for row in rows()])
    code, _, err = _run("evaluate", path)
    assert code == 1
    assert "none of 5 rows carries a gold label" in err


def test_compare_says_which_is_better(first: str, second: str) -> None:
    code, out, err = _run("compare", first, second)
    assert (code, err) == (0, "")
    assert f"{second} is 54.17 points of Weighted F1 ahead, which may be chance" in out


def test_compare_prints_json(first: str, second: str) -> None:
    code, out, _ = _run("compare", first, second, "--json", "--samples", "50")
    record = json.loads(out)
    assert code == 0
    assert record["better"] == "second"
    assert record["beyond_chance"] is False
    assert record["files"] == {"first": first, "second": second}
    assert record["mcnemar"]["only_second"] == 2


def test_compare_refuses_files_of_different_turns(first: str, tmp_path: Path) -> None:
    other = _file(tmp_path / "other.jsonl", rows()[1:])
    code, out, err = _run("compare", first, other)
    assert (code, out) == (1, "")
    assert "conversation 'a', turn 0 is missing in the second" in err


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_help_loads_nothing_heavy(command: str) -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom instructerc.cli import app\n"
        f"assert CliRunner().invoke(app, ['{command}', '--help']).exit_code == 0\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'numpy', 'matplotlib', 'jinja2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
