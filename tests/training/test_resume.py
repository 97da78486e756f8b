"""An interrupted training ends as the uninterrupted one would have, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from instructerc.backbones.adapters import PARAMETERS
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_conversation
from instructerc.training.checkpoints import COMPLETE, complete_checkpoints, last_checkpoint
from tests.training.runs import (
    ALL,
    LORA,
    KillAtStep,
    KillAtValidation,
    Killed,
    Log,
    rows,
    train,
    validations,
    weights,
)

SETTINGS: dict[str, Any] = {"epochs": 3, "save_every": 4, "keep": "all"}
KILLS = {
    "before any checkpoint": (KillAtStep(2), 0),
    "in the middle of an epoch": (KillAtStep(11), 8),
    "at the first step of an epoch": (KillAtStep(7), 6),
    "at the last step of an epoch, which is a multiple of save_every": (KillAtStep(12), 8),
    "between validation and checkpoint": (KillAtValidation(2), 8),
    "at the last validation of all": (KillAtValidation(3), 16),
}


@pytest.fixture(scope="module")
def whole(llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Uninterrupted trainings, made when first asked for."""

    class Runs(dict[tuple[str, str], Path]):
        def __missing__(self, key: tuple[str, str]) -> Path:
            folder = tmp_path_factory.mktemp("whole")
            adapter = {"lora": LORA, "all": ALL}[key[0]]
            train(llama_folder, folder, adapter=adapter, batching=key[1], **SETTINGS)
            return self.setdefault(key, folder)

    return Runs()


def assert_equal(found: Path, expected: Path) -> None:
    assert weights(found) == weights(expected)
    for epoch in (1, 2, 3):
        name = f"epochs/epoch-{epoch}/{PARAMETERS}"
        assert (found / name).read_bytes() == (expected / name).read_bytes(), f"epoch {epoch}"
    assert validations(found) == validations(expected)


@pytest.mark.parametrize(
    ("method", "kill"), [*(("lora", kill) for kill in KILLS), ("all", "in the middle of an epoch")]
)
def test_a_resumed_training_ends_bit_equal(
    llama_folder: Path, tmp_path: Path, whole: dict[tuple[str, str], Path], method: str, kill: str
) -> None:
    killer, checkpoint = KILLS[kill]
    adapter = {"lora": LORA, "all": ALL}[method]
    with pytest.raises(Killed):
        train(llama_folder, tmp_path, adapter=adapter, batching="padded", watcher=killer, **SETTINGS)
    log = Log()
    train(llama_folder, tmp_path, adapter=adapter, batching="padded", resume=True, watcher=log, **SETTINGS)
    assert log.start == (18, checkpoint)
    assert min(log.steps) == checkpoint + 1
    assert_equal(tmp_path, whole[method, "padded"])


def test_token_trees_resume_bit_equal(llama_folder: Path, tmp_path: Path, whole: dict[tuple[str, str], Path]) -> None:
    with pytest.raises(Killed):
        train(llama_folder, tmp_path, adapter=LORA, batching="tree", watcher=KillAtStep(11), **SETTINGS)
    train(llama_folder, tmp_path, adapter=LORA, batching="tree", resume=True, **SETTINGS)
    assert_equal(tmp_path, whole["lora", "tree"])


def test_a_training_may_be_killed_again_and_again(
    llama_folder: Path, tmp_path: Path, whole: dict[tuple[str, str], Path]
) -> None:
    arguments = {"adapter": LORA, "batching": "padded", "resume": True, **SETTINGS}
    for step in (5, 9, 14):
        with pytest.raises(Killed):
            train(llama_folder, tmp_path, watcher=KillAtStep(step), **arguments)
    train(llama_folder, tmp_path, **arguments)
    assert_equal(tmp_path, whole["lora", "padded"])


def test_a_torn_checkpoint_is_never_chosen(llama_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(llama_folder, tmp_path, watcher=KillAtStep(9), **SETTINGS)
    checkpoints = tmp_path / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["checkpoint-8"]
    torn = checkpoints / "checkpoint-9"
    torn.mkdir()
    (torn / PARAMETERS).write_bytes(b"half of ")
    assert last_checkpoint(checkpoints) == checkpoints / "checkpoint-8"
    log = Log()
    train(llama_folder, tmp_path, resume=True, watcher=log, **SETTINGS)
    assert log.start == (18, 8)
    assert not torn.exists()


def test_a_checkpoint_that_is_torn_while_it_is_written_is_not_chosen(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    real = Trainer._save_rng_state

    def torn(self: Any, folder: str) -> None:
        if folder.endswith("checkpoint-8"):
            raise Killed
        real(self, folder)

    monkeypatch.setattr(Trainer, "_save_rng_state", torn)
    with pytest.raises(Killed):
        train(llama_folder, tmp_path, **SETTINGS)
    assert (tmp_path / "checkpoints" / "checkpoint-8").is_dir()
    assert last_checkpoint(tmp_path / "checkpoints") == tmp_path / "checkpoints" / "checkpoint-6"


def test_one_checkpoint_is_kept_and_it_holds_trained_tensors_only(llama_folder: Path, tmp_path: Path) -> None:
    train(llama_folder, tmp_path, adapter=LORA, epochs=2, save_every=4)
    (checkpoint,) = complete_checkpoints(tmp_path / "checkpoints")
    assert checkpoint.name == "checkpoint-12"
    names = {path.name for path in checkpoint.iterdir()}
    assert {PARAMETERS, COMPLETE, "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"} <= names
    assert "model.safetensors" not in names
    assert "adapter_model.safetensors" not in names


def test_a_finished_training_is_not_trained_again(llama_folder: Path, tmp_path: Path) -> None:
    first = train(llama_folder, tmp_path, epochs=2)
    before = weights(tmp_path)
    log = Log()
    second = train(llama_folder, tmp_path, epochs=2, resume=True, watcher=log)
    assert log.start == (12, 12)
    assert log.steps == []
    assert second == first
    assert weights(tmp_path) == before


def test_a_training_that_stopped_early_is_not_trained_further(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.training.test_stage import worsening

    worsening(monkeypatch, [0.6, 0.5])
    first = train(llama_folder, tmp_path, epochs=4, early_stopping=1)
    log = Log()
    second = train(llama_folder, tmp_path, epochs=4, early_stopping=1, resume=True, watcher=log)
    assert log.steps == []
    assert second == first


def test_without_resume_everything_starts_anew(llama_folder: Path, tmp_path: Path) -> None:
    train(llama_folder, tmp_path, epochs=3, keep="all")
    log = Log()
    train(llama_folder, tmp_path, epochs=1, watcher=log)
    assert log.start == (6, 0)
    assert len(validations(tmp_path)) == 1
    assert not (tmp_path / "epochs").exists()
    assert last_checkpoint(tmp_path / "checkpoints") == tmp_path / "checkpoints" / "checkpoint-6"


def test_resume_in_an_empty_folder_starts(llama_folder: Path, tmp_path: Path) -> None:
    log = Log()
    train(llama_folder, tmp_path / "new", epochs=1, resume=True, watcher=log)
    assert log.start == (6, 0)


def test_curves_after_a_resume_have_no_row_twice(llama_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(llama_folder, tmp_path, watcher=KillAtStep(11), **SETTINGS)
    with (tmp_path / "curves.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 11, "lo')
    train(llama_folder, tmp_path, resume=True, **SETTINGS)
    places = [(row["step"], "loss" in row) for row in rows(tmp_path)]
    assert places == [(6, False), (10, True), (12, False), (18, False)]


def test_a_kill_leaves_a_model_that_can_be_used(llama_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(llama_folder, tmp_path, watcher=KillAtStep(8))
    recognizer = EmotionRecognizer.from_pretrained(tmp_path, device="cpu")
    assert len(recognizer.recognize(tiny_conversation())) == 4


CHILD = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from tests.training.runs import LORA, train
train(Path(sys.argv[1]), Path(sys.argv[2]), adapter=LORA, epochs=40, save_every=1, resume=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_killed_process_goes_on_where_it_was(llama_folder: Path, tmp_path: Path) -> None:
    settings = {"adapter": LORA, "epochs": 40, "save_every": 1}
    train(llama_folder, tmp_path / "whole", **settings)
    folder = tmp_path / "killed"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = 0
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(llama_folder), str(folder)], env=environment)
        try:
            wanted = done + 40
            while child.poll() is None and done < wanted:
                checkpoint = last_checkpoint(folder / "checkpoints")
                done = int(checkpoint.name.rpartition("-")[2]) if checkpoint else done
                time.sleep(0.003)
        finally:
            child.kill()
            child.wait()
        assert child.returncode == -signal.SIGKILL, "it was to be killed while it trained"
    log = Log()
    train(llama_folder, folder, resume=True, watcher=log, **settings)
    assert log.start is not None
    assert log.start[1] >= 100
    assert weights(folder) == weights(tmp_path / "whole")
    assert validations(folder) == validations(tmp_path / "whole")
