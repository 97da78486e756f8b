"""Who may ask: bearer tokens from a file."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from pathlib import Path

from instructerc.errors import UsageError

SHORTEST = 16


def read_tokens(path: Path) -> frozenset[bytes]:
    """The hashes of the tokens in a file, one a line; blank lines and those that begin with # are passed over.

    Raises:
        UsageError: There is no token in it, or one that could be guessed.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}): write one token a line") from None
    tokens = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    short = [number for number, token in enumerate(tokens, 1) if len(token) < SHORTEST]
    if short or not tokens:
        fault = f"token {short[0]} has fewer than {SHORTEST} characters" if short else "holds no token"
        raise UsageError(f"{path}: {fault}: make one with `openssl rand -hex 32`")
    return frozenset(map(_hashed, tokens))


def is_allowed(header: str | None, tokens: frozenset[bytes]) -> bool:
    """Whether an Authorization header carries one of the tokens; compared in a time that tells nothing of them.

    Example:
        >>> is_allowed("Bearer 0123456789abcdef", frozenset([_hashed("0123456789abcdef")]))
        True
    """
    kind, _, token = (header or "").partition(" ")
    given = _hashed(token.strip())
    found = [hmac.compare_digest(given, known) for known in tokens]
    return kind.lower() == "bearer" and any(found)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine alone.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
