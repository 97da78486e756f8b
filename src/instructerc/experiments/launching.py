"""One recipe in several processes of this machine: what `instructerc run --launch` starts.

```
instructerc run RECIPE --launch accelerate --strategy zero3 --processes 8
  │  reads the data, and so meets every fault of recipe and files once, in one process
  └─ accelerate launch … -m instructerc run COPY-OF-THE-RECIPE      rank 0 is the run, the others help it train
```

On several machines the launcher stands in front, and this is not needed: docs/distributed.md.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from instructerc.errors import TrainingError, UsageError
from instructerc.experiments.resolve import Resolved

Launcher = Literal["accelerate", "torchrun"]

CONFIGURATIONS = Path(__file__).parent.parent / "launch"
"""Configurations of accelerate that the package ships."""

DATA_PARALLEL = "data-parallel"
"""The strategy without a configuration: every process holds the whole model."""


def strategy_names() -> tuple[str, ...]:
    """How processes may share a model.

    Example:
        >>> strategy_names()
        ('data-parallel', 'fsdp2', 'zero2', 'zero3', 'zero3-offload')
    """
    return (DATA_PARALLEL, *sorted(path.stem for path in CONFIGURATIONS.glob("*.yaml")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the processes of a run are started.

    Attributes:
        launcher: What starts them.
        processes: How many.
        strategy: One of `strategy_names`, or a file of accelerate's.

    Raises:
        UsageError: There is no such launcher, strategy or number, or a library is missing.
    """

    launcher: str
    processes: int
    strategy: str = DATA_PARALLEL

    def __post_init__(self) -> None:
        if self.launcher not in get_args(Launcher):
            raise UsageError(f"--launch {self.launcher}: choose one of {', '.join(get_args(Launcher))}")
        if self.processes < 1:
            raise UsageError(f"--processes {self.processes}: give 1 or more")
        if self.launcher == "torchrun" and self.strategy != DATA_PARALLEL:
            raise UsageError(
                f"--strategy {self.strategy}: torchrun knows {DATA_PARALLEL} alone: take --launch accelerate"
            )
        if self.strategy.startswith("zero") and importlib.util.find_spec("deepspeed") is None:
            raise UsageError(f"--strategy {self.strategy} needs DeepSpeed: pip install deepspeed")
        if self.configuration is not None and not self.configuration.is_file():
            raise UsageError(
                f"--strategy {self.strategy}: choose one of {', '.join(strategy_names())}, or give a file that "
                "accelerate config has written"
            )

    @property
    def configuration(self) -> Path | None:
        """The file that tells accelerate how to share the model; None where each process holds all of it."""
        if self.strategy == DATA_PARALLEL:
            return None
        shipped = CONFIGURATIONS / f"{self.strategy}.yaml"
        return shipped if shipped.is_file() else Path(self.strategy).expanduser()

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command that starts all processes, with these arguments of `instructerc`.

        Example:
            >>> launch = Launch(launcher="torchrun", processes=2)
            >>> " ".join(launch.command(["run", "meld"])[1:])
            '-m torch.distributed.run --standalone --nproc-per-node 2 -m instructerc run meld'
        """
        program = ["-m", "instructerc", *arguments]
        if self.launcher == "torchrun":
            own = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(self.processes)]
            return [sys.executable, *own, *program]
        own = ["-m", "accelerate.commands.launch", "--num_processes", str(self.processes)]
        if self.configuration is not None:
            own += ["--config_file", str(self.configuration)]
        else:
            own += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
            # Also on a CPU: told of one, accelerate starts a single process.
            own += ["--multi_gpu"] if self.processes > 1 else []
        return [sys.executable, *own, *program]


def require_hardware(launch: Launch, gpus: int) -> None:
    """Sees to it that a strategy does what its name says.

    Raises:
        UsageError: It needs GPUs, and there is none.
    """
    if launch.strategy == "fsdp2" and not gpus:
        raise UsageError(
            "--strategy fsdp2: without GPUs accelerate would put the whole model into each process: leave it out"
        )


def gpu_count() -> int:
    """The GPUs of this machine that this process may use."""
    import torch

    return int(torch.cuda.device_count())


def processes_of(given: int | None, gpus: int) -> int:
    """How many processes to start: one a GPU where nobody says it.

    Raises:
        UsageError: There is no GPU, and no number; or there are fewer GPUs than processes.
    """
    if given is None and not gpus:
        raise UsageError(
            "--launch: this machine shows no GPU: say how many processes shall train on its CPU, such as --processes 2"
        )
    if gpus and given is not None and given > gpus:
        raise UsageError(f"--processes {given}: this machine shows {gpus} GPUs: give {gpus} or less")
    return gpus if given is None else given


def launch_run(launch: Launch, resolved: Resolved, *, resume: bool, json: bool) -> None:
    """Starts the processes of a run, and waits for their end; they print what a run prints.

    Raises:
        TrainingError: They ended with an error, which they have printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / f"{resolved.source.stem}.yaml"
        recipe.write_text(resolved.to_yaml(), encoding="utf-8")
        flags = [flag for flag, given in (("--resume", resume), ("--json", json)) if given]
        code = _wait(launch.command(["run", str(recipe), *flags]))
    if code:
        raise TrainingError(
            f"the processes ended with exit status {code}; what they said stands above: mend it, and go on with "
            "--resume where a checkpoint was written"
        )


def _wait(command: Sequence[str]) -> int:
    """Runs the command; what ends this process ends it too."""
    process = subprocess.Popen(command)  # noqa: S603 — our own Python with a launcher that was checked
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the launcher hears it as well, and ends its processes
                continue
    finally:
        signal.signal(signal.SIGTERM, before)
