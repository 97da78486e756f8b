"""`instructerc run` explains, passes on what it is told, and sums up several seeds."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.cli.progress import TerminalWatcher
from instructerc.cli.run import parse_seeds
from instructerc.errors import UsageError
from instructerc.experiments.resolve import Resolved

RUNNER = CliRunner()


@dataclass
class FakeResult:
    folder: Path
    weighted_f1: float
    baselines: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, float] = field(default_factory=dict)
    marks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"folder": self.folder.as_posix(), "weighted_f1": self.weighted_f1}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Resolved, bool]]:
    """Replaces the run by one that costs nothing; its figure is the seed in percent."""
    made: list[tuple[Resolved, bool]] = []

    def run_recipe(resolved: Resolved, *, resume: bool, watcher: object) -> FakeResult:
        made.append((resolved, resume))
        assert isinstance(watcher, TerminalWatcher)
        assert resolved.recipe.output.folder is not None
        marks = ("test-selected epoch",) if resolved.recipe.checkpoints.select == "test" else ()
        sources = {} if isinstance(resolved.recipe.data.corpus, str) else {"meld": 0.5}
        return FakeResult(resolved.recipe.output.folder, resolved.recipe.seed / 100, sources=sources, marks=marks)

    module = ModuleType("instructerc.experiments.run")
    module.run_recipe = run_recipe  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run's default folder is seen from where the command is called: here it may hold somebody's real run."""
    monkeypatch.chdir(tmp_path)


def invoke(*arguments: str, exit_code: int = 0) -> str:
    result = RUNNER.invoke(app, ["run", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def test_explain_prints_each_value_and_its_origin_and_runs_nothing(calls: list[Any]) -> None:
    output = invoke("quickstart", "--set", "training.epochs=9", "--explain")
    rows = {line.split()[0]: line for line in output.splitlines()}
    assert rows["training.epochs"].split() == ["training.epochs", "command", "line", "9"]
    assert "recipe quickstart.yaml:" in rows["data.corpus"]
    assert rows["training.schedule"].split()[1:] == ["default", '"linear"']
    assert not calls


def test_explain_is_json_on_request() -> None:
    rows = json.loads(invoke("quickstart", "--explain", "--json"))
    assert rows[0]["key"] == "name"
    assert rows[0]["value"] == "quickstart"
    assert rows[0]["origin"].startswith("recipe quickstart.yaml:")


def test_one_run_prints_its_figure_and_its_folder(calls: list[Any]) -> None:
    assert invoke("quickstart").split() == [
        "W-F1",
        "42.00",
        "seed",
        "42",
        "context",
        "past",
        str(Path("runs/quickstart-42")),
    ]
    assert [resume for _, resume in calls] == [False]


def test_resume_and_folder_are_passed_on(calls: list[Any]) -> None:
    invoke("quickstart", "--resume", "--out", "true")
    [(resolved, resume)] = calls
    assert resume
    assert resolved.recipe.output.folder == Path("true")


def test_no_figure_stands_without_its_marks(calls: list[tuple[Resolved, bool]]) -> None:
    overrides = ("--set", "checkpoints.select=test", "--set", "data.corpus=[meld, emorynlp]")
    out = invoke("quickstart", *overrides, "--seeds", "1,3")
    assert "W-F1 1.00 (test-selected epoch)" in out
    assert "W-F1 2.00 ± 1.41 (test-selected epoch)" in out
    assert "     50.00  on meld" in out


def test_several_seeds_give_mean_and_deviation(calls: list[Any]) -> None:
    lines = invoke("quickstart", "--seeds", "1,2,3").splitlines()
    assert lines[-1].startswith("W-F1 2.00 ± 1.00")
    assert [resolved.recipe.seed for resolved, _ in calls] == [1, 2, 3]
    assert len({resolved.recipe.output.folder for resolved, _ in calls}) == 3


def test_several_seeds_are_json_on_request(calls: list[Any]) -> None:
    found = json.loads(invoke("quickstart", "--seeds", "1,3", "--json"))
    assert found["weighted_f1"]["mean"] == pytest.approx(0.02)
    assert len(found["runs"]) == len(calls) == 2


def test_one_seed_is_one_run(calls: list[Any]) -> None:
    assert json.loads(invoke("quickstart", "--seeds", "7", "--json"))["weighted_f1"] == 0.07
    assert len(calls) == 1


@pytest.mark.parametrize("text", ["", "a", "1,,2", "-1", "1.5", "1,1", "1,01", "99999999999", "²"])
def test_a_wrong_seed_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"--seeds .*: write different whole numbers"):
        parse_seeds(text)


def test_all_faults_of_a_recipe_reach_the_screen(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("training:\n  epoch: 3\n  warmup: 7\n", encoding="utf-8")
    message = invoke(str(file), "--set", "sed=1", exit_code=2)
    assert f"{file}:2: training.epoch: unknown key: did you mean 'training.epochs'?" in message
    assert f"{file}:3: training.warmup: 7 is wrong" in message
    assert "command line: sed: unknown key: did you mean 'seed'?" in message


def test_batching_on_the_command_line_is_the_key(calls: list[tuple[Resolved, bool]]) -> None:
    invoke("quickstart", "--batching", "padded")
    [(resolved, _)] = calls
    assert resolved.recipe.training.batching == "padded"
    assert "training.batching" in invoke("quickstart", "--batching", "tree", "--explain")


def test_a_misspelt_batching_is_answered_as_a_key_is(calls: list[tuple[Resolved, bool]]) -> None:
    RUNNER.invoke(app, ["run", "quickstart", "--batching", "trees"])
    assert not calls


@pytest.mark.parametrize("options", [["--processes", "2"], ["--strategy", "zero3"]])
def test_processes_without_a_launcher_are_refused(options: list[str], calls: list[Any]) -> None:
    shown = RUNNER.invoke(app, ["run", "quickstart", *options])
    assert shown.exit_code == 2
    assert "--launch accelerate" in shown.stderr
    assert not calls


def test_a_process_that_helps_another_prints_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, calls: list[Any]
) -> None:
    helped: list[Resolved] = []

    def help_train(resolved: Resolved, *, resume: bool) -> None:
        assert not resume
        helped.append(resolved)

    monkeypatch.setattr(sys.modules["instructerc.experiments.run"], "help_train", help_train, raising=False)
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    shown = RUNNER.invoke(app, ["run", "quickstart", "--seeds", "1,2"])
    assert shown.exit_code == 0, shown.output
    assert not shown.stdout
    assert [resolved.recipe.seed for resolved in helped] == [1, 2]
    assert not calls


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--log", "xml"], "choose one of text, json"), (["--log", "json", "--launch", "torchrun"], "events.jsonl")],
)
def test_a_log_of_another_kind_is_refused(options: list[str], message: str, calls: list[Any]) -> None:
    shown = RUNNER.invoke(app, ["run", "quickstart", *options])
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert not calls
