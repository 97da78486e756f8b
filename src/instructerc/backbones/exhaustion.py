"""When memory runs out: recognised whatever the device calls it, and said with what to lower."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from instructerc.errors import MemoryExhaustedError

_TEXTS = ("can't allocate memory", "not enough memory", "out of memory", "unable to allocate")
"""What a CPU, CUDA, MPS and NumPy say, each as an error of another type."""


def is_exhausted(error: BaseException) -> bool:
    """Whether an error says that there was no memory left.

    Example:
        >>> is_exhausted(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"))
        True
        >>> is_exhausted(RuntimeError("shapes do not match"))
        False
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _TEXTS)


@contextlib.contextmanager
def naming_remedies(what: str, remedies: str) -> Iterator[None]:
    """Turns the error of a full memory into one that says what to do.

    Args:
        what: What was going on.
        remedies: What to lower, by the names that users know.

    Raises:
        MemoryExhaustedError: Memory ran out in the block.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_exhausted(error):
            raise
        raise MemoryExhaustedError(f"memory ran out while {what}: {remedies}") from error


def release() -> None:
    """Gives back what hangs in reference cycles and in the allocator's reserve."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
