"""What a run shows in a terminal."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from rich.progress import Progress

from instructerc.cli.progress import TerminalWatcher, json_watcher, terminal_watcher


@pytest.fixture
def progress() -> Progress:
    return Progress("{task.description}", console=Console(file=io.StringIO(), width=100))


def shown(progress: Progress) -> str:
    file = progress.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_phases_are_lines_of_plain_text(progress: Progress) -> None:
    TerminalWatcher(progress).phase("loading [bold]models/[red]")
    assert shown(progress) == "· loading [bold]models/[red]\n"


def test_notes_stand_under_their_phase_and_are_not_wrapped(progress: Progress) -> None:
    TerminalWatcher(progress).note("token trees; " + "word " * 30 + "end")
    assert shown(progress) == "  token trees; " + "word " * 30 + "end\n"


def test_training_is_a_bar_that_keeps_the_last_loss(progress: Progress) -> None:
    watcher = TerminalWatcher(progress)
    watcher.step(1, 0.5)  # before it has started there is no bar
    watcher.started(steps=20, done=4)
    (bar,) = progress.tasks
    assert (bar.total, bar.completed, bar.description) == (20, 4, "training")
    watcher.step(10, 1.25)
    watcher.step(11, None)
    assert (bar.completed, bar.description) == (11, "training, loss 1.250")


def test_recognition_is_a_bar_of_turns(progress: Progress) -> None:
    watcher = TerminalWatcher(progress)
    watcher.recognized(3)
    watcher.recognizing(turns=8)
    watcher.recognized(3)
    watcher.recognized(2)
    (bar,) = progress.tasks
    assert (bar.total, bar.completed) == (8, 5)


def test_validations_are_lines_and_the_best_is_marked(progress: Progress) -> None:
    watcher = TerminalWatcher(progress)
    watcher.validated(1, {"weighted_f1": 0.5}, best=True)
    watcher.validated(2, {"weighted_f1": 0.25}, best=False)
    watcher.validated(3, {}, best=True)
    assert shown(progress).splitlines() == [
        "· epoch 1: validation W-F1 50.00  best so far",
        "· epoch 2: validation W-F1 25.00",
    ]


def test_everything_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal_watcher() as watcher:
        watcher.phase("reading data")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "· reading data" in captured.err


def test_for_programs_each_event_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    with json_watcher() as watcher:
        watcher.phase("training")
        watcher.validated(1, {"weighted_f1": 0.5}, best=True)
    shown = capsys.readouterr()
    assert not shown.out
    phase, epoch = map(json.loads, shown.err.splitlines())
    assert (phase["event"], phase["text"]) == ("phase", "training")
    assert (epoch["epoch"], epoch["best"], epoch["weighted_f1"]) == (1, True, 0.5)
