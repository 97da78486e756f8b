"""A run tells programs what happens, in its folder and on stderr."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from instructerc.experiments.events import EVENTS, EventFile, EventWatcher
from instructerc.experiments.run import RunResult, run_recipe
from tests.experiments.recipes import Log, recipe, values, write_corpus


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVENTS).read_text(encoding="utf-8").splitlines()]


def named(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [row for row in found if row["event"] == name]


def test_a_run_leaves_what_happened_and_when(finished: RunResult) -> None:
    found = rows(finished.folder)
    assert [found[0]["event"], found[-1]["event"]] == ["began", "ended"]
    assert found[0]["recipe"] == "tiny"
    assert found[-1]["weighted_f1"] == finished.weighted_f1
    times = [datetime.fromisoformat(row["time"]) for row in found]
    assert times == sorted(times)
    assert all(time.tzinfo is not None for time in times)
    assert [row["epoch"] for row in named(found, "epoch")] == [1, 2]
    assert named(found, "training")[0]["steps"] == 12
    assert named(found, "loss")
    phases = [row["text"] for row in named(found, "phase")]
    assert phases[0] == "reading data", "what came before there was a folder is there as well"
    assert phases[-1].startswith("finished in 0 min ")
    assert f"W-F1 {100 * finished.weighted_f1:.2f}" in phases[-1]


def test_a_run_that_fails_says_so_and_a_resume_adds_to_it(llama_folder: Path, tmp_path: Path) -> None:
    class Stop(Log):
        def validated(self, epoch: int, figures: Any, *, best: bool) -> None:
            raise KeyboardInterrupt

    resolved = recipe(tmp_path, values(write_corpus(tmp_path / "corpus"), llama_folder))
    with pytest.raises(KeyboardInterrupt):
        run_recipe(resolved, watcher=Stop())
    (failed,) = named(rows(tmp_path / "run"), "failed")
    assert failed["error"] == "KeyboardInterrupt"
    with (tmp_path / "run" / EVENTS).open("a") as file:
        file.write('{"event": "torn by a ki')
    run_recipe(resolved, resume=True)
    lines = (tmp_path / "run" / EVENTS).read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines if "torn" not in line]
    assert events.count("began") == 2
    assert events[-1] == "ended"


def test_what_a_watcher_is_told_goes_on_to_the_next() -> None:
    lines: list[str] = []
    log = Log()
    watcher = EventWatcher(lines.append, log)
    watcher.phase("training")
    watcher.started(steps=4, done=1)
    watcher.step(2, None)
    watcher.step(3, 0.5)
    watcher.recognizing(turns=7)
    watcher.encoded(3, 3)
    assert log.phases == ["training"]
    assert log.steps == [2, 3]
    assert log.turns == 7
    events = [json.loads(line) for line in lines]
    assert [row["event"] for row in events] == ["phase", "training", "loss", "recognizing", "encoded"]


def test_counting_on_is_said_now_and_then() -> None:
    lines: list[str] = []
    watcher = EventWatcher(lines.append, Log())
    for _ in range(1_000):
        watcher.recognized(2)
    assert [json.loads(line)["turns"] for line in lines] == [2], "not a row a turn"


def test_a_text_that_json_cannot_hold_is_escaped(tmp_path: Path) -> None:
    file = EventFile()
    EventWatcher(file, Log()).note("half a pair: \ud83d, and a line\nbreak")
    file.open(tmp_path)
    (row,) = rows(tmp_path)
    assert row["text"] == "half a pair: \ud83d, and a line\nbreak"


def test_a_row_without_room_ends_nothing(tmp_path: Path) -> None:
    file = EventFile()
    file.open(tmp_path)
    (tmp_path / EVENTS).unlink()
    (tmp_path / EVENTS).mkdir()  # nothing can be appended to it
    EventWatcher(file, Log()).note("lost")
