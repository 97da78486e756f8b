"""Where the figures of a run come from: versions, revision, hashes, machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from instructerc import __version__

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of this package, of Python, and of the libraries that figures depend on."""
    found = {"instructerc": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_revision() -> str | None:
    """Commit of the source tree that runs, with `+changes` where files differ from it; None outside a checkout."""
    folder = Path(__file__).parent
    try:
        # An environment may lie inside somebody's own repository, whose commit says nothing about this package.
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 — fixed arguments
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],  # noqa: S607 — whichever git the user has
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
    )
    return done.stdout.strip()


def machine() -> dict[str, Any]:
    """What computes: processor cores and accelerator, no name of the host."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {"system": platform.system(), "cores": os.cpu_count(), "threads": torch.get_num_threads(), "device": device}


def peak_memory_mib() -> float | None:
    """Largest resident memory of this process so far, in MiB; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if platform.system() == "Darwin" else 1024)
