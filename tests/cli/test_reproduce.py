"""`instructerc reproduce` plans, runs what is missing, and writes the table."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.cli.reproduce import complete_table
from instructerc.testing import tiny_corpus, tiny_llama
from tests.experiments.recipes import values, write_corpus
from tests.reproduction.examples import write_table

RUNNER = CliRunner()


def invoke(*arguments: str, exit_code: int = 0) -> Any:
    result = RUNNER.invoke(app, ["reproduce", *arguments])
    assert result.exit_code == exit_code, result.output
    return result


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['instructerc', 'reproduce', '--help']\n"
        "from instructerc.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('LOADED', *{'torch', 'transformers', 'numpy', 'yaml', 'matplotlib'}.intersection(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert ran.stdout.rpartition("LOADED")[2].split() == []


def test_the_listing_has_every_table() -> None:
    output = invoke("ls", "--corpora", "meld").stdout
    rows = {line.split()[0]: line.split() for line in output.splitlines() if line}
    assert rows["ablation"][1:7] == ["6", "0", "409,549", "about", "4.1", "h"]
    assert rows["zero-shot"][1:4] == ["1", "0", "0"]
    assert "default rate" in output


def test_a_plan_is_a_script_of_the_missing_cells(tmp_path: Path) -> None:
    lines = invoke("ablation", "--corpora", "meld", "--seeds", "1,2", "--plan", "--out", "o u t").stdout.splitlines()
    commands = [shlex.split(line) for line in lines if not line.startswith("#")]
    assert len(commands) == 10
    assert all(words[:3] == ["instructerc", "run", "meld"] for words in commands)
    assert commands[0][-2:] == ["o u t/ablation/full-meld-1", "--resume"]
    assert lines[0].startswith("# ablation: 12 of 12 cells are missing: 819,098 examples, about 8.2 h (default rate)")
    assert "# without-lora-meld-2: is the same run as one above" in lines
    assert any(
        line.endswith("meld: is not there: `instructerc data download meld`, or name its parent by --data")
        for line in lines
    )
    assert not list(tmp_path.iterdir())


def test_a_plan_is_json_on_request() -> None:
    found = json.loads(invoke("plain", "--corpora", "meld", "--plan", "--json", "--set", "training.epoch=1").stdout)
    assert [cell["cell"] for cell in found] == ["llama2-meld-42"]
    assert found[0]["state"] == "refused"
    assert "did you mean 'training.epochs'?" in found[0]["reason"]


def test_a_table_without_results_holds_what_was_reported(tmp_path: Path) -> None:
    output = invoke("window", "--table-only", "--corpora", "meld", "--fractions", "1,5").stdout.splitlines()
    assert [line.split()[:5] for line in output[1:]] == [
        ["meld", "instructerc", "1", "65.91", "—"],
        ["meld", "instructerc", "5", "66.97", "—"],
    ]
    folder = tmp_path / "runs" / "reproduce"
    assert sorted(path.name for path in folder.iterdir()) == [f"window.{kind}" for kind in ("csv", "json", "md", "png")]
    record = json.loads(invoke("window", "--table-only", "--corpora", "meld", "--json").stdout)
    assert len(record["lines"]) == 4


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["windo"], "unknown table 'windo': did you mean 'window'?"),
        (["window", "--plan", "--table-only"], "choose one"),
        (["window", "--rows", "a,,b"], "--rows 'a,,b': has an empty part"),
        (["window", "--corpora", "mled"], "did you mean 'meld'?"),
        (["window", "--seeds", "x"], "write different whole numbers"),
        (["window", "--seeds", "1,1"], "a seed stands twice"),
        (["ablation", "--fractions", "1"], "varies nothing beside its rows"),
        (["window", "--launcher", "sbatch --wrap 'x"], """--launcher "sbatch --wrap 'x": a quote is not closed"""),
        (["window", "--launcher", "sbatch \\"], "nothing follows its last backslash"),
        (["window", "--launcher", ""], "--launcher '': names no program"),
        (["window", "--launcher", " ", "--table-only"], "--launcher ' ': names no program"),
        (["window", "--launcher", "''"], "names no program"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], reason: str) -> None:
    assert reason in invoke(*arguments, exit_code=2).stderr


def test_the_shell_completes_names() -> None:
    assert complete_table("p") == ["pairing", "plain"]
    assert "ls" in complete_table("")


GRID = """
title: Two windows
corpora: {tiny: corpus}
axis: {title: turns, values: {"0": {window.size: 0}, "3": {window.size: 3}}}
rows:
  - {name: tiny, overrides: {}, reported: {tiny: [50.0, 60.0]}}
  - {name: broken, overrides: {data.labels: [joy]}}
"""


@pytest.mark.slow
def test_a_table_of_ones_own_is_run_and_failing_cells_are_reported(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    llama = tiny_llama(tmp_path / "llama")
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(json.dumps(values(tmp_path / "corpus", llama)), encoding="utf-8")
    table = write_table(tmp_path, GRID)
    arguments = [str(table), "--recipe", str(recipe), "--set", "training.epochs=1", "--seeds", "1"]
    ran = invoke(*arguments, exit_code=1)
    assert "cells: 2 run" in ran.stderr
    assert ran.stderr.count("error: broken-tiny-") == 2
    record = json.loads((tmp_path / "runs" / "reproduce" / "small.json").read_text(encoding="utf-8"))
    by_row = {(line["row"], line["value"]): line for line in record["lines"]}
    assert by_row["broken", "0"]["reproduced"] is None
    for value, reported in (("0", 50), ("3", 60)):
        line = by_row["tiny", value]
        report = json.loads(Path(f"runs/reproduce/small/tiny-tiny-{value}-1/report.json").read_text(encoding="utf-8"))
        assert line["reproduced"] == pytest.approx(100 * report["scores"]["test"]["weighted_f1"])
        assert line["difference"] == pytest.approx(line["reproduced"] - reported)
        assert line["interval"][0] <= line["interval"][1]
        assert line["seconds"] > 0
    # Results outlive the run folders, and nothing is run again.
    (tmp_path / "runs" / "reproduce" / "small").rename(tmp_path / "elsewhere")
    again = invoke(*arguments, "--rows", "tiny")
    assert "cells: 2 done before" in again.stderr
    assert not (tmp_path / "runs" / "reproduce" / "small").exists()
    assert f"{by_row['tiny', '3']['reproduced']:.2f}" in again.stdout


MIXED = """
corpora: {second: data/first, first: data/second, third: data/third}
rows: [{name: mix, mixture: true, overrides: {data.leaks: published}}]
"""


def test_a_mixture_of_ones_own_corpora_is_measured_on_each(tmp_path: Path) -> None:
    tiny = replace(tiny_corpus(), train=tiny_corpus().train[:9])  # more joy than anger, whatever there is to test on
    silent = tuple(
        replace(chat, utterances=tuple(replace(turn, emotion=None) for turn in chat.utterances)) for chat in tiny.test
    )
    for name, test in (("first", tiny.test[:1]), ("second", tiny.test[:3]), ("third", silent)):
        write_corpus(tmp_path / "data" / name, replace(tiny, test=test))
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(json.dumps(values(tmp_path / "corpus", tiny_llama(tmp_path / "llama"))), encoding="utf-8")
    settings = ["--recipe", str(recipe), "--set", "training.epochs=1", "--seeds", "1"]
    lines = json.loads(invoke(str(write_table(tmp_path, MIXED)), *settings, "--json").stdout)["lines"]
    [path] = tmp_path.glob("runs/reproduce/results/small/*.json")
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    turns = {corpus: figure["turns"] for corpus, figure in figures.items()}
    assert turns == {
        "second": sum(len(chat.utterances) for chat in tiny.test[:1]),
        "first": sum(len(chat.utterances) for chat in tiny.test[:3]),
    }
    assert [line["reproduced"] is None for line in lines] == [False, False, True]
    assert "nothing measured: no labelled turn in test" in lines[2]["marks"]
