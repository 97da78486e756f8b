"""Wanted files out of an archive, and nothing else."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from instructerc.assets import Asset, write_atomically
from instructerc.errors import ChecksumError, DownloadError

_LARGEST_MEMBER = 64 * 1024 * 1024
_SUFFIX = ".zip"


def unpack(archive: Path, targets: Mapping[Asset, Path]) -> None:
    """Writes the files that are wanted, found by their last name, also inside archives of the archive.

    Names inside the archive are never used as paths: each file goes where `targets` says. An archive that holds a name
    which would leave its folder is refused all the same.

    Args:
        archive: A zip file.
        targets: What is wanted, and where it goes.

    Raises:
        DownloadError: It is no zip file, is damaged or unsafe, or lacks files; names all that are lacking.
        ChecksumError: A file in it is not the published one.
    """
    wanted = {PurePosixPath(asset.name).name: (asset, target) for asset, target in targets.items()}
    try:
        found = dict(_members(archive.read_bytes(), archive, frozenset(wanted)))
    # zipfile trusts what an archive says of itself, and fails at it in every way that Python has.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        LookupError,
    ) as error:
        raise DownloadError(f"{archive}: is no whole zip archive ({error}): delete it and download it again") from None
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DownloadError(f"{archive}: lacks {', '.join(missing)}: it is not the published archive")
    for name, (asset, _) in wanted.items():
        _check(archive, found[name], asset)
    for name, (_, target) in wanted.items():
        write_atomically(target, found[name])


def _members(
    data: bytes, archive: Path, wanted: frozenset[str], *, nested: bool = False
) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        for member in opened.infolist():
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts[:1]):
                raise DownloadError(
                    f"{archive}: holds {member.filename!r}, which leaves its folder: it is refused whole"
                )
            is_archive = path.suffix == _SUFFIX and not nested
            if member.is_dir() or "__MACOSX" in path.parts or not (path.name in wanted or is_archive):
                continue
            if member.file_size > _LARGEST_MEMBER:
                raise DownloadError(
                    f"{archive}: {member.filename!r} unpacks to {member.file_size} bytes: it is refused"
                )
            content = opened.read(member)
            if is_archive:
                yield from _members(content, archive, wanted, nested=True)
            else:
                yield path.name, content


def _check(archive: Path, content: bytes, asset: Asset) -> None:
    found = hashlib.sha256(content).hexdigest()
    if asset.sha256 is not None and found != asset.sha256:
        raise ChecksumError(
            f"{archive}: SHA-256 of its {asset.name} is {found}, expected {asset.sha256}: the archive was changed; "
            "delete it and download it again"
        )
