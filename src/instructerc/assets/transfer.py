"""One HTTP request that starts or continues a file."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from instructerc import __version__
from instructerc.errors import ChecksumError, DownloadError, LicenceGatedError

_BLOCK_BYTES = 1 << 16
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class InterruptedTransferError(Exception):
    """The connection broke or the server is busy; trying again may help. Never leaves this package."""


class Transfer:
    """Appends to a file what is missing of it.

    Args:
        url: Address of the file.
        part: Where its first bytes are, and the others go.
        sha256: Its sum where known; proves that a continued file is right.
        size: Its length in bytes where known.
        timeout: Seconds without a byte after which the connection counts as broken.
        progress: Told how many bytes are here and how many there are in all.
    """

    def __init__(
        self,
        url: str,
        part: Path,
        *,
        sha256: str | None,
        size: int | None,
        timeout: float,
        progress: Callable[[int, int | None], None],
    ) -> None:
        self.url = url
        self.part = part
        self.sha256 = sha256
        self.size = size
        self.timeout = timeout
        self.progress = progress
        self._validator: str | None = None

    def run(self) -> None:
        """Requests what is missing; returns when the file is complete.

        Raises:
            InterruptedTransferError: Trying again may help; what arrived is kept.
            DownloadError: Trying again would not help.
            LicenceGatedError: The server refuses the file to us.
            ChecksumError: The server sends more bytes than the file has.
        """
        here = self._usable_bytes()
        if here and here == self.size:
            return
        try:
            with urlopen(self._request(here), timeout=self.timeout) as response:  # noqa: S310 - `download` admits http(s) only
                self._receive(response, here)
        except HTTPError as error:
            error.close()
            self._judge(error.code, error.reason)
        except (OSError, http.client.HTTPException) as error:
            raise InterruptedTransferError(f"connection failed ({_reason(error)})") from None

    def _usable_bytes(self) -> int:
        here = self.part.stat().st_size if self.part.exists() else 0
        provable = self.sha256 is not None or self._validator is not None
        if here and (not provable or (self.size is not None and here > self.size)):
            self.part.unlink()
            return 0
        return here

    def _request(self, here: int) -> Request:
        # A compressed transfer would make Range and Content-Length speak of other bytes than ours.
        headers = {"User-Agent": f"instructerc/{__version__}", "Accept-Encoding": "identity"}
        if here:
            headers["Range"] = f"bytes={here}-"
            if self._validator is not None:
                headers["If-Range"] = self._validator
        return Request(self.url, headers=headers)  # noqa: S310

    def _receive(self, response: http.client.HTTPResponse, here: int) -> None:
        if response.status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
            self.part.unlink(missing_ok=True)
            raise InterruptedTransferError("the server continued at another byte than was asked for")
        if response.status != 206:
            here = 0  # the server ignores Range, or the file changed since: everything comes anew
        etag = response.headers.get("ETag")
        self._validator = None if etag is None or etag.startswith("W/") else etag
        length = response.headers.get("Content-Length", "")
        total = here + int(length) if length.isdigit() else self.size
        with _open(self.part, "ab" if here else "wb") as file:
            self._copy(response, file, here, total)

    def _copy(self, response: http.client.HTTPResponse, file: IO[bytes], here: int, total: int | None) -> None:
        self.progress(here, total)
        while block := response.read(_BLOCK_BYTES):
            _write(file, block, self.part)
            here += len(block)
            self.progress(here, total)
            if self.size is not None and here > self.size:
                file.close()
                self.part.unlink()
                raise ChecksumError(
                    f"{self.url}: sends more than the {self.size} bytes that the file has: it was replaced there"
                )
        file.flush()
        os.fsync(file.fileno())
        if total is not None and here < total:
            raise InterruptedTransferError(f"connection closed after {here} of {total} bytes")

    def _judge(self, status: int, reason: str) -> None:
        if status == 416:
            self.part.unlink(missing_ok=True)
            raise InterruptedTransferError("the server has fewer bytes than are already here")
        if status in _TRY_AGAIN:
            raise InterruptedTransferError(f"the server answers {status} {reason}")
        if status in (401, 403):
            raise LicenceGatedError(
                f"{self.url}: the server answers {status} {reason}: it does not hand this file to everybody; "
                "ask its publisher for access, and put the file in place by hand"
            )
        raise DownloadError(
            f"{self.url}: the server answers {status} {reason}: the file is not published there (any more); "
            "get it from its publisher by another way, and put it in place by hand"
        )


def _reason(error: Exception) -> str:
    """Why a connection failed, in the system's words: urllib wraps them in its own."""
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, OSError) else error
    words = cause.strerror if isinstance(cause, OSError) else None
    return words or str(cause) or type(cause).__name__


def _open(part: Path, mode: str) -> IO[bytes]:
    try:
        return part.open(mode)
    except OSError as error:
        raise DownloadError(f"{part}: cannot be written ({error.strerror}): choose another folder") from None


def _write(file: IO[bytes], block: bytes, part: Path) -> None:
    try:
        file.write(block)
    except OSError as error:
        raise DownloadError(f"{part}: cannot be written ({error.strerror}): free some space and run it again") from None
