"""Where a training can go on: `checkpoints/checkpoint-N`, each whole or not there."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from instructerc.errors import NotWrittenError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, a quota that is used up, a file as large as files may be."""

_FAILED_WRITES = ("PytorchStreamWriter failed", "unexpected pos", "file write failed")
"""What torch says where the disk is full, as a RuntimeError without a number."""

PREFIX = "checkpoint-"
COMPLETE = "complete"
"""Written last into a checkpoint: one without it was torn by a kill, and is never resumed from."""


def complete_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints that are whole, oldest first."""
    return sorted((path for path in _checkpoints(folder) if (path / COMPLETE).is_file()), key=step_of)


def _checkpoints(folder: Path) -> list[Path]:
    """What training has written, whole or not; a copy that somebody laid beside it (`checkpoint-8-old`) is not ours."""
    return [path for path in folder.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal()]


def step_of(checkpoint: Path) -> int:
    """The optimiser step that a checkpoint was written after.

    Example:
        >>> step_of(Path("run/checkpoints/checkpoint-120"))
        120
    """
    return int(checkpoint.name.removeprefix(PREFIX))


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; None where there is none."""
    return next(reversed(complete_checkpoints(folder)), None)


def finish_checkpoint(checkpoint: Path) -> None:
    """Marks a checkpoint as whole, then removes what came before it and what a kill has torn."""
    (checkpoint / COMPLETE).write_text("", encoding="utf-8")
    for other in _checkpoints(checkpoint.parent):
        if other != checkpoint:
            shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def saying_what_is_full(place: Path) -> Iterator[None]:
    """Turns the errors of a full disk, which each library words in its own way, into one that says how to go on.

    Raises:
        NotWrittenError: Something in the block could not be written.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        ours = isinstance(error, OSError | SafetensorError) or any(text in str(error) for text in _FAILED_WRITES)
        if not ours:
            raise
        raise _not_written(place, error) from error


@contextlib.contextmanager
def saying_where_it_is_full(folder: Path) -> Iterator[None]:
    """The same for a whole block, which may fail in other ways too: only a disk or quota without room is meant.

    Raises:
        NotWrittenError: There was no room in the folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise _not_written(folder, error) from error


def _not_written(place: Path, error: BaseException) -> NotWrittenError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
    return NotWrittenError(
        f"{place}: could not be written ({reason}): make room there and go on with --resume; what was written before "
        "is whole"
    )


def remove_after(folder: Path, step: int) -> None:
    """Removes torn checkpoints, and any after `step`."""
    for path in _checkpoints(folder):
        if not (path / COMPLETE).is_file() or step_of(path) > step:
            shutil.rmtree(path, ignore_errors=True)
