"""`instructerc report`, as somebody who wants to look at predictions uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from instructerc.cli import app
from instructerc.recognition.predictions import TurnPrediction

EMOTIONS = ("joy", "anger", "joy")


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    rows = [
        TurnPrediction(conversation="c", turn=turn, speaker="***", text="so 🙂 <b>", emotion=emotion)
        for turn, emotion in enumerate(EMOTIONS)
    ]
    path = tmp_path / "emotions.jsonl"
    path.write_text("".join(json.dumps(row.to_json()) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_page_stands_beside_the_predictions(predictions: Path) -> None:
    result = report(predictions)
    assert (result.exit_code, result.stdout.strip()) == (0, str(predictions.with_suffix(".html")))
    page = predictions.with_suffix(".html").read_text(encoding="utf-8")
    assert "so 🙂 &lt;b&gt;" in page
    assert "<b>" not in page


def test_plot_table_and_tasks_are_written_on_request(predictions: Path, tmp_path: Path) -> None:
    plot, table, tasks = tmp_path / "totals.png", tmp_path / "table.csv", tmp_path / "tasks"
    result = report(predictions, "--plot", plot, "--table", table, "--label-studio", tasks)
    assert result.exit_code == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert len(table.read_text(encoding="utf-8-sig").splitlines()) == 1 + len(EMOTIONS)
    assert len(json.loads((tasks / "tasks.json").read_text(encoding="utf-8"))) == 1
    assert "joy" in (tasks / "labels.xml").read_text(encoding="utf-8")


def test_a_file_without_predictions_is_told(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    result = report(empty)
    assert result.exit_code != 0
    assert "no predictions in it" in result.stderr
