"""A cluster of several processes on this machine: the same output as one process, whatever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.corpora.jsonl import write_jsonl
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.scale.labelling import label_partition
from instructerc.scale.partitions import partitions
from instructerc.scale.ray_engine import ScaleSettings, label_with_ray
from instructerc.testing import tiny_corpus

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    # Ray warns of itself, and leaves files to be closed by its end.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning"),
]

FILES = 6


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for number in range(FILES):
        chats = [replace(chat, id=f"{chat.id}-{number}-{turn}") for turn in range(30) for chat in tiny_corpus().test]
        write_jsonl(folder / f"day-{number}" / "chats.jsonl", chats)
    (folder / "day-0" / "torn.jsonl").write_text('{"id": "torn\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def expected(source: Path, recognizer: EmotionRecognizer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("expected")
    for part in partitions(str(source), size=2**20):
        label_partition(recognizer, part, str(out))
    return files(out)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def actors(parent: int) -> list[int]:
    """The processes of actors below a process."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    found = [line.split(maxsplit=1) for line in listed.splitlines() if "ray::" in line and "Labeller" in line]
    return [int(pid) for pid, _ in found if int(pid) != parent]


def test_two_workers_make_what_one_process_makes_and_lose_nothing_when_killed(
    source: Path, expected: dict[str, bytes], model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killed: list[int] = []

    def kill() -> None:
        """Waits for an actor at work, and takes it away; twice."""
        deadline = time.monotonic() + 120
        while len(killed) < 2 and time.monotonic() < deadline:
            for pid in actors(os.getpid())[:1]:
                if pid not in killed and any(out.rglob("*.done.json")):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            time.sleep(0.05)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    settings = ScaleSettings(model=str(model_folder), workers=2, cores=0.5)
    summary = label_with_ray(str(source), str(out), settings)
    killer.join(1)
    assert killed
    assert files(out) == expected
    assert (summary.partitions, summary.turns, summary.set_aside) == (FILES + 1, FILES * 720, 1)

    (out / "day-3" / "chats.done.json").unlink()  # as a kill leaves it
    again = label_with_ray(str(source), str(out), settings)
    assert again.resumed == FILES
    assert files(out) == expected


def test_the_command_says_how_it_goes_on_and_ends_with_the_faults(
    source: Path, expected: dict[str, bytes], model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "instructerc", "predict", str(source), "--model", str(model_folder)]
    done = subprocess.run(
        [*command, "--engine", "ray", "--workers", "1", "--out", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert f"{out}: 4,320 turns of 1,080 conversations in 7 partitions" in done.stderr
    assert "day-1/chats: 720 turns; " in done.stderr
    assert "1 faults of the input" in done.stderr
    assert files(out) == expected


def test_without_a_folder_or_the_library_the_error_says_what_to_give(
    monkeypatch: pytest.MonkeyPatch, source: Path, model_folder: Path, tmp_path: Path
) -> None:
    arguments = ["predict", str(source), "--model", str(model_folder), "--engine", "ray"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "--out FOLDER: give both" in result.stderr
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "pip install 'instructerc[scale]'" in result.stderr
