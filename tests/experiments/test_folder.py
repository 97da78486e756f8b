"""The run folder: whose it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from instructerc.errors import TrainingError, UsageError
from instructerc.experiments.data import prepare_data
from instructerc.experiments.folder import STATE, claim, held, read_state, refuse_taken, timed
from instructerc.experiments.resolve import resolve

QUICK = resolve("quickstart")


@pytest.fixture(scope="module")
def data() -> Any:
    return prepare_data(QUICK.recipe)


@pytest.mark.parametrize("name", ["model", "checkpoints", "predictions.jsonl", "report.md"])
def test_files_that_no_run_has_written_are_never_replaced(tmp_path: Path, data: Any, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("mine", encoding="utf-8")
    for resume in (False, True):
        with pytest.raises(UsageError, match=f"holds no run, but {re.escape(name)}, which a run would replace"):
            claim(tmp_path, QUICK, data, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_recipe_of_ones_own_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("# My recipe\ntraining:\n  epochs: 2\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"holds no run, but recipe\.yaml"):
        refuse_taken(tmp_path)


def test_a_claim_that_a_kill_tore_can_be_made_again(tmp_path: Path, data: Any) -> None:
    claim(tmp_path, QUICK, data, resume=False)
    (tmp_path / STATE).unlink()
    claim(tmp_path, QUICK, data, resume=False)
    assert read_state(tmp_path)["data"] == data.hash


def test_other_files_in_the_folder_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    refuse_taken(tmp_path)
    refuse_taken(tmp_path / "not there yet")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"recipe": 3}', "null", "\udcff"])
def test_a_damaged_state_is_named(tmp_path: Path, data: Any, content: str) -> None:
    (tmp_path / STATE).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(TrainingError, match=r"run\.json: is damaged .*: remove the folder and start anew"):
        claim(tmp_path, QUICK, data, resume=True)


def test_time_is_added_up_also_where_an_error_ends_it(tmp_path: Path, data: Any) -> None:
    claim(tmp_path, QUICK, data, resume=False)
    with timed(tmp_path):
        pass
    first = read_state(tmp_path)["seconds"]
    with pytest.raises(KeyboardInterrupt), timed(tmp_path):
        raise KeyboardInterrupt
    assert read_state(tmp_path)["seconds"] > first > 0
    assert isinstance(json.loads((tmp_path / STATE).read_text(encoding="utf-8"))["recipe"], str)


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no flock")
def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from instructerc.experiments.folder import held\n"
        "with held(Path(sys.argv[1])):\n"
        "    print('in', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "in\n"
        with pytest.raises(UsageError, match="another run is at work in it"), held(tmp_path):
            pass
        child.kill()
    with held(tmp_path):  # a kill has let go of it
        pass


def test_a_key_that_an_older_release_did_not_know_is_no_change_while_it_has_its_default(
    tmp_path: Path, data: Any
) -> None:
    claim(tmp_path, QUICK, data, resume=False)
    record = json.loads((tmp_path / STATE).read_text(encoding="utf-8"))
    assert "  attention: auto\n" in record["recipe"]
    record["recipe"] = record["recipe"].replace("  attention: auto\n", "")
    (tmp_path / STATE).write_text(json.dumps(record), encoding="utf-8")
    claim(tmp_path, QUICK, data, resume=True)
    changed = resolve("quickstart", ["backbone.attention=eager"])
    with pytest.raises(TrainingError, match=r'backbone\.attention was null, is "eager"'):
        claim(tmp_path, changed, data, resume=True)
