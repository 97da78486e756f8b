"""Files that are written whole, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO


def json_bytes(record: Any) -> bytes:
    r"""Plain values as a JSON file, indented, whatever texts they hold.

    Raises:
        ValueError: A number is none that JSON has.

    Example:
        >>> json_bytes({"text": "\ud800"})
        b'{\n  "text": "\\ud800"\n}\n'
    """
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can escape and UTF-8 cannot hold
        return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Writes a file so that a reader sees the old content or the new one, never a part of it.

    The content goes to a temporary file in the same folder (which is created where missing), to the disk, and is
    then renamed.

    Args:
        path: The file; replaced where it exists.
        content: Text (written as UTF-8, line ends untouched) or bytes.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomically(Path(folder) / "runs" / "report.txt", "done").read_text(encoding="utf-8")
        'done'
    """
    with replacing(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
    return Path(path)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of `path` when the block ends, and vanishes where it fails.

    As `write_atomically`, for what is too large to be held in memory.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
