"""How the processes of a run are started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file

from instructerc.errors import TrainingError, UsageError
from instructerc.experiments.launching import (
    CONFIGURATIONS,
    Launch,
    launch_run,
    processes_of,
    require_hardware,
    strategy_names,
)
from instructerc.experiments.resolve import resolve
from instructerc.testing import tiny_llama

CLUSTER = Path(__file__).parents[2] / "examples" / "cluster"


@pytest.mark.parametrize(
    ("given", "gpus", "processes"), [(None, 8, 8), (2, 8, 2), (2, 0, 2)], ids=["one a GPU", "fewer", "on a CPU"]
)
def test_a_process_a_gpu_unless_somebody_says_otherwise(given: int | None, gpus: int, processes: int) -> None:
    assert processes_of(given, gpus) == processes


@pytest.mark.parametrize(("given", "gpus", "message"), [(None, 0, "--processes 2"), (9, 8, "give 8 or less")])
def test_processes_without_a_place_are_refused(given: int | None, gpus: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        processes_of(given, gpus)


def test_accelerate_is_told_where_the_configuration_is() -> None:
    command = Launch(launcher="accelerate", processes=4, strategy="fsdp2").command(["run", "meld"])
    assert command[1:4] == ["-m", "accelerate.commands.launch", "--num_processes"]
    assert command[command.index("--config_file") + 1] == str(CONFIGURATIONS / "fsdp2.yaml")
    assert command[-4:] == ["-m", "instructerc", "run", "meld"]


def test_a_configuration_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("distributed_type: MULTI_GPU\n")
    launch = Launch(launcher="accelerate", processes=2, strategy=str(tmp_path / "mine.yaml"))
    assert str(tmp_path / "mine.yaml") in launch.command(["run", "meld"])


@pytest.mark.parametrize(
    ("launcher", "processes", "strategy", "message"),
    [
        ("mpirun", 2, "data-parallel", "choose one of accelerate, torchrun"),
        ("accelerate", 0, "data-parallel", "give 1 or more"),
        ("torchrun", 2, "fsdp2", "take --launch accelerate"),
        ("accelerate", 2, "zerro3", r"choose one of data-parallel, fsdp2, .*accelerate config"),
    ],
)
def test_what_nobody_can_start_is_refused(launcher: str, processes: int, strategy: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Launch(launcher=launcher, processes=processes, strategy=strategy)


def test_weights_that_would_not_be_split_are_not_promised() -> None:
    launch = Launch(launcher="accelerate", processes=2, strategy="fsdp2")
    with pytest.raises(UsageError, match="without GPUs"):
        require_hardware(launch, 0)
    require_hardware(launch, 2)
    require_hardware(Launch(launcher="accelerate", processes=2), 0)


def test_deepspeed_is_asked_for_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="pip install deepspeed"):
        Launch(launcher="accelerate", processes=2, strategy="zero2")


@pytest.mark.parametrize("name", [name for name in strategy_names() if name != "data-parallel"])
def test_accelerate_reads_the_configurations_that_ship(name: str) -> None:
    config = load_config_from_file(str(CONFIGURATIONS / f"{name}.yaml"))
    kind = config.distributed_type.value if hasattr(config.distributed_type, "value") else config.distributed_type
    assert kind == ("FSDP" if name == "fsdp2" else "DEEPSPEED")
    if name.startswith("zero"):
        assert config.deepspeed_config["zero_stage"] == int(name[4])


def test_the_examples_for_clusters_are_whole_documents() -> None:
    files = sorted(CLUSTER.glob("*.yaml"))
    assert files
    for file in files:
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            assert {"apiVersion", "kind", "metadata", "spec"} <= document.keys()
    ran = subprocess.run(["bash", "-n", str(CLUSTER / "slurm.sbatch")], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_processes_that_fail_are_an_error_that_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    monkeypatch.setattr(Launch, "command", lambda *_, **__: failing)
    resolved = resolve("quickstart", [f"output.folder={json.dumps(str(tmp_path / 'run'))}"])
    with pytest.raises(TrainingError, match=r"exit status 3.*--resume"):
        launch_run(Launch(launcher="torchrun", processes=2), resolved, resume=False, json=False)


def instructerc(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "instructerc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["accelerate", "torchrun"])
def test_a_recipe_in_two_processes_is_one_run_with_one_report(tmp_path: Path, launcher: str) -> None:
    llama, folder = tiny_llama(tmp_path / "llama"), tmp_path / "run"
    values = {"backbone.name": llama, "backbone.dtype": "float32", "data.limit": 6, "training.epochs": 2}
    options = [text for key, value in values.items() for text in ("--set", f"{key}={value}")]
    arguments = ("run", "quickstart", "--out", str(folder), *options, "--launch", launcher, "--processes", "2")
    ran = instructerc(*arguments)
    assert ran.returncode == 0, ran.stderr
    assert "2 processes train" in ran.stderr
    assert ran.stdout.count("W-F1") == 1, "the first process speaks for all"
    assert (folder / "report.json").is_file()
    again = instructerc(*arguments)
    assert again.returncode != 0
    assert "holds a run" in again.stderr
    assert "Traceback" not in again.stderr
    more = instructerc(*arguments, "--resume", "--json")
    assert more.returncode == 0, more.stderr
    printed = json.loads(more.stdout[more.stdout.index("{") :])  # where it is installed, DeepSpeed speaks first
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert printed["weighted_f1"] == report["scores"]["test"]["weighted_f1"]
