"""Whether a file is the one we know."""

from __future__ import annotations

import hashlib
from pathlib import Path

from instructerc.errors import ChecksumError

_BLOCK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def verify(path: Path, sha256: str) -> None:
    """Checks that a file has the content it should have.

    Args:
        path: The file.
        sha256: The expected sum, hexadecimal, in any case.

    Raises:
        ChecksumError: It has another content; the message names both sums.
    """
    found = sha256_of(path)
    if found != sha256.lower():
        raise ChecksumError(
            f"{path}: SHA-256 is {found}, expected {sha256.lower()}: the file was changed or is not complete; "
            "delete it and download it again"
        )
