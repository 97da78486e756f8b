"""Programs of the tests in several processes, which speak over gloo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def torchrun(module: str, *arguments: object, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Runs a module of the tests in so many processes of this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["-m", module, *map(str, arguments)]
    return subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=300, check=False
    )
