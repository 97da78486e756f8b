"""Several processes that train one model: who this process is, and how it agrees with the others.

```
torchrun, accelerate, Slurm   set RANK, WORLD_SIZE, LOCAL_RANK: known before any process speaks to another
                              data are read and encoded; only then `join` opens the process group
                              training; rank 0 alone writes
```
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from instructerc.errors import UsageError

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: rank 0 may be writing the model of an epoch to slow storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0.
        count: How many there are.
        local: Its number among those of this machine: the accelerator that it takes.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> Ranks:
        """What the launcher says; a process that nobody launched is alone.

        Raises:
            UsageError: The launcher's variables are no numbers, or contradict each other.
        """
        texts = {name: environment.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
        if not texts["WORLD_SIZE"] or texts["WORLD_SIZE"] == "1":
            return cls()
        try:
            found = cls(
                rank=int(texts["RANK"]), count=int(texts["WORLD_SIZE"]), local=int(texts["LOCAL_RANK"] or texts["RANK"])
            )
        except ValueError:
            found = cls(rank=-1)
        if not (0 <= found.rank < found.count and found.local >= 0):
            shown = ", ".join(f"{name}={text!r}" for name, text in texts.items())
            raise UsageError(
                f"the launcher's variables fit no process ({shown}): start with torchrun, accelerate launch or "
                "instructerc run --launch, or unset them"
            )
        return found

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks to people."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.count == 1

    def take_device(self) -> None:
        """Makes this process's accelerator the one that `cuda` means; nothing where it is alone, or has none."""
        import torch

        if self.alone or not torch.cuda.is_available():
            return
        if self.local >= torch.cuda.device_count():
            raise UsageError(
                f"process {self.local} of this machine has no GPU: it has {torch.cuda.device_count()}: start as many "
                "processes (--processes)"
            )
        torch.cuda.set_device(self.local)

    def join(self, device: torch.device) -> None:
        """Opens the process group; what takes minutes and needs nobody else comes before."""
        if not self.alone:
            from accelerate import PartialState

            PartialState(cpu=forces_cpu(device), backend=self.backend(device), timeout=PATIENCE)

    def found(self) -> int:
        """How many processes are in the group that this one has joined."""
        import torch.distributed as group

        return group.get_world_size() if group.is_available() and group.is_initialized() else 1

    def backend(self, device: torch.device) -> str | None:
        """What processes speak over: gloo on a CPU; None leaves it to accelerate, or there is nobody to speak to."""
        return "gloo" if device.type == "cpu" and not self.alone else None

    def leave(self) -> None:
        """Closes the process group, once all have arrived: what comes now, rank 0 does alone."""
        import torch.distributed as group

        if not self.alone and group.is_initialized():
            from accelerate.state import AcceleratorState

            self.wait()
            group.destroy_process_group()
            AcceleratorState._reset_state(reset_partial_state=True)  # another run of this process opens a new one

    def wait(self) -> None:
        """Until all have come here."""
        if not self.alone:
            import torch.distributed as group

            group.barrier()

    def gather(self, items: Sequence[Item]) -> list[list[Item]]:
        """What each process has, by rank; everybody gets all of it."""
        if self.alone:
            return [list(items)]
        import torch.distributed as group

        found: list[list[Item] | None] = [None] * self.count
        group.all_gather_object(found, list(items))
        return [part for part in found if part is not None]


ALONE = Ranks()
"""A process that nobody launched."""


def forces_cpu(device: torch.device) -> bool:
    """Whether launchers must be told that a model is on the CPU: they would take an accelerator, or stay apart.

    DeepSpeed alone works on a CPU only where it is not told.
    """
    return device.type == "cpu" and os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() != "true"
