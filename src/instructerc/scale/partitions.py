"""What a source is cut into: its files, and large JSON Lines files into ranges of whole lines.

The cut depends on the source alone, never on who works on it: whatever dies, the same partitions are found again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from instructerc.corpora.formats import KNOWN_SUFFIXES, check_format, detect_content
from instructerc.errors import UnreadableFileError, UsageError

LINES = frozenset({"conversations", "chat-lines"})
"""Formats in which a line is a conversation: their files can be cut."""

_BLOCK = 2**20
_HEAD = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A part of a source that is labelled as one.

    Attributes:
        name: Of its output, below the folder of the output and without an end: `2024/calls`, or `2024/calls-00003`.
        source: Address of the file.
        version: Changes with the file, as its file system tells.
        start: Its first byte.
        end: The byte behind its last one; None is the end of the file.
        first_line: Number of its first line, counted from 1.
        size: Bytes.
    """

    name: str
    source: str
    version: str
    start: int = 0
    end: int | None = None
    first_line: int = 1
    size: int = 0

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with what is to be labelled."""
        text = json.dumps([self.source, self.version, self.start, self.end])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Partition:
        """Reads what `to_json` wrote."""
        return cls(**record)


def partitions(source: str, *, size: int, format: str | None = None) -> list[Partition]:  # noqa: A002
    """The partitions of a source, in the order of their names.

    Args:
        source: A file or a folder, local or at any address that fsspec knows (`s3://bucket/calls`). Of a folder all
            files are taken whose ends are known, those in folders below it too; hidden ones are left out.
        size: Bytes of a partition of a JSON Lines file, about: it ends with a whole line. Other files are not cut.
        format: Format of every file; None detects each.

    Raises:
        UnreadableFileError: There is nothing that can be read.
        UsageError: The size is below a megabyte, or nothing here reaches such an address.
    """
    check_format(format)
    if size < _BLOCK:
        raise UsageError(f"a partition of {size:,} bytes is too small to be worth its way: take {_BLOCK:,} or more")
    files, root, reach = _files(source)
    found: dict[str, Partition] = {}
    for path in files:
        relative = PurePosixPath(path).relative_to(root) if path != root else PurePosixPath(PurePosixPath(path).name)
        whole = Partition(
            name=str(relative.with_suffix("")),
            source=reach.unstrip_protocol(path) if not is_local(reach) else path,
            version=reach.ukey(path),
            size=int(reach.size(path) or 0),
        )
        if whole.name in found:  # calls.csv beside calls.jsonl
            whole = replace(whole, name=f"{whole.name}{relative.suffix.replace('.', '-')}")
        for part in _cut(reach, path, whole, size, format):
            found[part.name] = part
    return [found[name] for name in sorted(found)]


def open_source(source: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    Raises:
        UsageError: A library for it is missing, or nobody knows such an address.
    """
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(source)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{source}: cannot be reached ({error}): install what is named there") from None
    return system, path


def is_local(system: Any) -> bool:
    """Whether a file system is this machine's."""
    return "file" in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol)


def _files(source: str) -> tuple[list[str], str, Any]:
    system, root = open_source(source)
    if not system.exists(root):
        raise UnreadableFileError(f"{source}: no such file or folder: check the name")
    if not system.isdir(root):
        return [root], root, system
    files = []
    for path in system.find(root):
        parts = PurePosixPath(path).relative_to(root).parts
        known = PurePosixPath(path).suffix.lower() in KNOWN_SUFFIXES
        if known and not any(part.startswith((".", "_")) for part in parts):
            files.append(path)
    if not files:
        ends = ", ".join(KNOWN_SUFFIXES)
        raise UnreadableFileError(f"{source}: the folder holds no file that ends in one of {ends}")
    return sorted(files), root, system


def _cut(system: Any, path: str, whole: Partition, size: int, format: str | None) -> Iterator[Partition]:  # noqa: A002
    if whole.size <= size or not _has_lines(system, path, format):
        yield whole
        return
    bounds = [(0, 1), *_borders(system, path, size), (whole.size, 0)]
    for number, ((start, line), (end, _)) in enumerate(itertools.pairwise(bounds)):
        name = f"{whole.name}-{number:05}"
        yield replace(whole, name=name, start=start, end=end, first_line=line, size=end - start)


def _has_lines(system: Any, path: str, format: str | None) -> bool:  # noqa: A002
    if format is not None:
        return format in LINES
    from pathlib import Path

    if PurePosixPath(path).suffix.lower() not in (".jsonl", ".ndjson"):
        return False
    with system.open(path, "rb") as file:
        head = file.read(_HEAD)
    try:
        return detect_content(Path(path), head) in LINES
    except UnreadableFileError:  # the partition says so, where it is read
        return False


def _borders(system: Any, path: str, size: int) -> Iterator[tuple[int, int]]:
    """Where each further partition begins, and the number of that line: the first at or behind a multiple of `size`.

    Reads the file once, in blocks.
    """
    wanted, position, lines = size, 0, 0
    with system.open(path, "rb") as file:
        while block := file.read(_BLOCK):
            begin = 0
            while position + len(block) >= wanted:
                place = block.find(b"\n", max(wanted - position - 1, begin))
                if place < 0:
                    break
                lines += block.count(b"\n", begin, place + 1)
                begin = place + 1
                yield position + begin, lines + 1
                wanted = max(wanted + size, position + begin + 1)
            lines += block.count(b"\n", begin)
            position += len(block)
