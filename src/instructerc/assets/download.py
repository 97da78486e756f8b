"""Download of one file: resumed where it was cut, checked before it gets its name.

```
GET, Range: bytes=N-   ─→   name.part   ─ size, SHA-256 ─→   name
```
The name never belongs to a partial file. A `.part` is only continued where the result can be proved: by a known
SHA-256, or, inside one call, by the server's ETag.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.assets.cache import cache_directory, offline_switch
from instructerc.assets.checksum import sha256_of, verify
from instructerc.errors import ChecksumError, DownloadError, OfflineError, UsageError

if TYPE_CHECKING:
    from instructerc.assets.transfer import Transfer

Progress = Callable[[str, int, "int | None"], None]
"""Called with the asset's name, the bytes that are here, and the bytes in all (None where nobody knows)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that somebody else publishes.

    Attributes:
        name: Its path inside the folder that it belongs into, with `/`.
        url: Where it is published, http or https.
        sha256: Its sum; None where nobody recorded it, and then only its size can be checked.
        size: Its length in bytes; None where that is unknown.
    """

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How stubbornly a download goes on after a broken connection.

    Attributes:
        attempts: Tries in a row that bring no new byte before it gives up.
        first_wait: Seconds before the second try; doubles with each further one.
    """

    attempts: int = 4
    first_wait: float = 1.0

    def wait(self, failures: int) -> None:
        """Sleeps after the failure with that number, counted from 1."""
        time.sleep(self.first_wait * 2 ** (failures - 1))


DEFAULT_RETRY = Retry()
"""Four tries in a row, after 1, 2 and 4 seconds."""


def ignore_progress(name: str, done: int, total: int | None) -> None:
    """Shows nothing."""


def download(
    asset: Asset,
    target: Path,
    *,
    progress: Progress = ignore_progress,
    retry: Retry = DEFAULT_RETRY,
    timeout: float = 30.0,
) -> Path:
    """Brings a published file to `target`; does nothing where it already lies there.

    Args:
        asset: What to download.
        target: Where to; its folder is created.
        progress: Told about every block that arrives.
        retry: How often, and after which wait, a broken connection is taken up again.
        timeout: Seconds without a byte after which a connection counts as broken.

    Returns:
        The target.

    Raises:
        OfflineError: An environment variable forbids downloads.
        DownloadError: The server does not deliver it, or it cannot be written.
        LicenceGatedError: The server refuses it to us (401, 403).
        ChecksumError: It arrived, or lies there, and is another file.
    """
    from instructerc.assets.transfer import Transfer  # urllib's TLS stack takes long to load, and is needed here only

    target = Path(target)
    if target.exists():
        _check(target, asset)
        return target
    _refuse(asset, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{target.parent}: cannot be created ({error.strerror}): choose another folder") from None
    with _one_at_a_time(target):
        if not target.exists():
            part = target.with_name(target.name + ".part")
            transfer = Transfer(
                asset.url, part, sha256=asset.sha256, size=asset.size, timeout=timeout, progress=_named(progress, asset)
            )
            _fetch(asset, part, transfer, retry)
            part.replace(target)
    return target


def _named(progress: Progress, asset: Asset) -> Callable[[int, int | None], None]:
    return lambda done, total: progress(asset.name, done, total)


def _refuse(asset: Asset, target: Path) -> None:
    if not asset.url.lower().startswith(("http://", "https://")):
        raise UsageError(f"{asset.name}: {asset.url!r} is no http or https address")
    switch = offline_switch()
    if switch is not None:
        raise OfflineError(
            f"{asset.name} is not here, and {switch} forbids downloads: unset it, or put {asset.url} at {target}"
        )


def _one_at_a_time(target: Path) -> AbstractContextManager[object]:
    """Two processes must not append to the same `.part`."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    locks = cache_directory() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(target.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return WeakFileLock(locks / f"{name[:32]}.lock")


def _fetch(asset: Asset, part: Path, transfer: Transfer, retry: Retry) -> None:
    if asset.sha256 is None:
        part.unlink(missing_ok=True)
    continued = part.exists()
    if continued and sha256_of(part) == asset.sha256:
        return  # killed between the last byte and the renaming
    _transfer(asset, part, transfer, retry)
    try:
        _check(part, asset)
    except ChecksumError:
        part.unlink()
        if not continued:
            raise
        # What an earlier run left may be at fault, not the server: once more, from the first byte.
        _fetch(asset, part, transfer, retry)


def _transfer(asset: Asset, part: Path, transfer: Transfer, retry: Retry) -> None:
    from instructerc.assets.transfer import InterruptedTransferError

    failures, best = 0, 0
    while True:
        try:
            transfer.run()
        except InterruptedTransferError as error:
            here = part.stat().st_size if part.exists() else 0
            failures = 1 if here > best else failures + 1
            best = max(best, here)
            if failures >= retry.attempts:
                kept = f"; {part} keeps the first {here} bytes" if here and asset.sha256 else ""
                raise DownloadError(
                    f"{asset.url}: {error}, after {retry.attempts} tries{kept}: check the connection and run it again"
                ) from None
            retry.wait(failures)
        else:
            return


def _check(path: Path, asset: Asset) -> None:
    if not path.is_file():
        raise DownloadError(
            f"{path}: is no file, so {asset.name} cannot be put there: remove it or choose another folder"
        )
    size = path.stat().st_size
    if asset.size is not None and size != asset.size:
        raise ChecksumError(
            f"{path}: has {size} bytes, expected {asset.size} ({asset.url}): the file was changed or is not complete; "
            "delete it and download it again"
        )
    if asset.sha256 is not None:
        verify(path, asset.sha256)
