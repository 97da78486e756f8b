"""`instructerc predict`, as somebody with a folder of conversations uses it."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from instructerc.cli import app
from instructerc.cli.predict import _line
from instructerc.corpora.jsonl import write_jsonl
from instructerc.recognition.predictions import TurnPrediction, read_predictions
from instructerc.testing import tiny_corpus, tiny_llama
from tests.training.runs import train

FAULTY = '{"id": "torn", "utter\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    train(tiny_llama(folder / "llama"), folder / "run", epochs=1)
    return str(folder / "run")


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "chats.jsonl", tiny_corpus().test)


def predict(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)], input=stdin)


def test_rows_go_to_standard_output(model: str, chats: Path) -> None:
    result = predict(chats, "--model", model)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["conversation"] for row in rows[::4]] == [chat.id for chat in tiny_corpus().test]
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1)


def test_standard_input_is_read(model: str, chats: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = chats.read_text(encoding="utf-8") + FAULTY
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    result = predict("-", "--model", model, stdin=text)
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 24
    assert "set aside: <standard input>:7: not JSON" in result.stderr


def test_what_is_below_the_threshold_is_left_open(model: str, chats: Path) -> None:
    result = predict(chats, "--model", model, "--threshold", "1")
    assert {json.loads(line)["emotion"] for line in result.stdout.splitlines()} == {"uncertain"}


def test_a_reader_sees_what_an_open_turn_would_have_been() -> None:
    row = TurnPrediction(
        conversation="c", turn=0, speaker="Ann", text="Well.", emotion="joy", probabilities={"joy": 0.75, "anger": 0.25}
    )
    assert _line(row) == "Ann: Well.\n    joy  75 %"
    assert _line(replace(row, emotion="uncertain")) == "Ann: Well.\n    uncertain  (joy 75 %)"
    assert _line(replace(row, probabilities=None)) == "Ann: Well.\n    joy"


def test_labels_of_ones_own_are_chosen_among_and_warned_of(
    model: str, chats: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = predict(chats, "--model", model, "--label", "calm", "--label", "tense=on edge")
    assert list(json.loads(result.stdout.splitlines()[0])["probabilities"]) == ["calm", "tense"]
    assert "measure it on some of your own turns" in caplog.text
    twice = predict(chats, "--model", model, "--label", "calm", "--label", "calm=at ease")
    assert twice.exit_code == 2
    assert "give each once" in twice.stderr


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_a_file_is_written_and_run_again_stays_as_it_is(model: str, chats: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    assert predict(chats, "--model", model, "--out", out).exit_code == 0
    before = out.read_bytes()
    result = predict(chats, "--model", model, "--out", out)
    assert result.exit_code == 0
    assert "24 turns of 6 conversations, 6 of them from before" in result.stderr
    assert out.read_bytes() == before


def test_faults_are_listed_and_the_exit_code_tells(model: str, chats: Path, tmp_path: Path) -> None:
    chats.write_text(FAULTY + chats.read_text(encoding="utf-8"), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    result = predict(chats, "--model", model, "--out", out)
    assert result.exit_code == 3
    assert f"{tmp_path / 'out.errors.jsonl'}: 1 fault" in result.stderr
    assert json.loads((tmp_path / "out.errors.jsonl").read_text(encoding="utf-8"))["line"] == 1
    assert len(read_predictions(out)) == 24
    assert predict(chats, "--model", model, "--out", out, "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jsonl", "--model", "m"], "no such file"),
        (["{chats}", "--model", "nowhere"], "nowhere: holds no artefact.json"),
        (["{chats}", "--model", "m", "--out", "out.xlsx"], "name it .jsonl, .csv, .parquet"),
        (["{chats}", "--model", "m", "--format", "docx"], "unknown format 'docx'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(chats: Path, arguments: list[str], said: str) -> None:
    result = predict(*(argument.format(chats=chats) for argument in arguments))
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_what_was_killed_and_run_again_is_what_nobody_killed(model: str, tmp_path: Path) -> None:
    chats = [
        conversation.__class__(f"{conversation.id}-{number}", conversation.utterances)
        for number in range(150)
        for conversation in tiny_corpus().train
    ]
    source = write_jsonl(tmp_path / "chats.jsonl", chats)
    command = [sys.executable, "-m", "instructerc", "predict", str(source), "--model", model, "--out"]
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    draw, kills = random.Random(0), 0
    while kills < 3:
        started = out.stat().st_size if out.exists() else 0
        with subprocess.Popen([*command, str(out)], stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and (out.stat().st_size if out.exists() else 0) <= started:
                time.sleep(0.01)
            time.sleep(draw.random() / 4)
            process.send_signal(signal.SIGKILL)
        kills += 1
    subprocess.run([*command, str(out)], check=True, capture_output=True)
    assert out.read_bytes() == whole.read_bytes()
