"""Which server and model are asked, how, and where the key comes from: an environment variable, and nowhere else."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from instructerc.assets import offline_switch
from instructerc.errors import OfflineError, UsageError

Answers = Literal["structured", "text"]
"""`structured` has the server admit nothing but the labels; `text` lets the model write, as the paper does."""

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_VARIABLE = "OPENAI_API_KEY"

_ANSWERING = ("model", "url", "key_variable", "answers", "temperature", "max_tokens")
"""Settings that a saved model keeps; the others say how fast one asks and what it costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """A model behind an OpenAI-compatible endpoint, and how it is asked.

    Attributes:
        model: What the server calls the model.
        url: Base address of the server, such as "http://localhost:8000/v1"; None is OpenAI's own.
        key_variable: Environment variable that holds the key. None is OPENAI_API_KEY for OpenAI itself and no key for
            any other server, so that no key goes where nobody sent it.
        answers: `structured` or `text`.
        temperature: Of the sampling; 0 takes the likeliest token.
        max_tokens: Longest answer, in tokens.
        concurrency: Questions that are under way at once.
        timeout: Seconds without an answer after which a question is sent again.
        retries: How often a question is sent again after a rate limit, a server's error or a broken connection.
        price_input: Price of a million tokens read; None where it is not known.
        price_output: Price of a million tokens written; None where it is not known.

    Raises:
        UsageError: The address is none, or carries a password; `answers` is something else.

    Example:
        >>> EndpointSettings(model="gpt-4o-mini").variable
        'OPENAI_API_KEY'
        >>> EndpointSettings(model="qwen", url="http://127.0.0.1:8000/v1").variable is None
        True
    """

    model: str
    url: str | None = None
    key_variable: str | None = None
    answers: Answers = "structured"
    temperature: float = 0.0
    max_tokens: int = 64
    concurrency: int = 8
    timeout: float = 60.0
    retries: int = 5
    price_input: float | None = None
    price_output: float | None = None

    def __post_init__(self) -> None:
        if self.answers not in get_args(Answers):
            raise UsageError(f"endpoint.answers is {self.answers!r}: choose one of {', '.join(get_args(Answers))}")
        if self.url is not None and (fault := fault_of_url(self.url)):
            raise UsageError(f"endpoint.url {fault}")

    @property
    def address(self) -> str:
        """Base address of the server."""
        return self.url or OPENAI_URL

    @property
    def variable(self) -> str | None:
        """The environment variable with the key; None where the server is asked without one."""
        if self.key_variable is None and urlsplit(self.address).hostname == urlsplit(OPENAI_URL).hostname:
            return OPENAI_VARIABLE
        return self.key_variable

    def key(self) -> str | None:
        """The key; None where the server is asked without one.

        Raises:
            UsageError: The environment variable is not set.
        """
        if self.variable is None:
            return None
        key = os.environ.get(self.variable, "").strip()
        if not key:
            raise UsageError(
                f"environment variable {self.variable} is not set: it has to hold the key for {self.address}; "
                "endpoint.key_variable names another one"
            )
        return key

    def require_reachable(self) -> None:
        """Refuses to ask a server elsewhere where an offline switch is on; one on this machine may be asked.

        Raises:
            OfflineError: The switch is on, and the address is not this machine's.
        """
        switch = offline_switch()
        if switch is not None and not is_loopback(self.address):
            raise OfflineError(
                f"{self.address} is a server elsewhere, and {switch} forbids to use the network: unset {switch}, or "
                "set endpoint.url to a server on this machine (http://localhost:…)"
            )

    def to_json(self) -> dict[str, Any]:
        """What a saved model keeps of it; `from_json` takes it back."""
        return {name: getattr(self, name) for name in _ANSWERING}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> EndpointSettings:
        """Reads what `to_json` wrote.

        Raises:
            TypeError: A key is missing or unknown.
        """
        return cls(**record)


def fault_of_url(url: str) -> str | None:
    """What is wrong with the base address of a server; None where nothing is.

    Example:
        >>> fault_of_url("localhost:8000/v1")
        "is 'localhost:8000/v1': write it as http://HOST:PORT/v1 or https://HOST/v1"
        >>> fault_of_url("http://localhost:8000/v1") is None
        True
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        return f"is {url!r}: write it as http://HOST:PORT/v1 or https://HOST/v1"
    if parts.username is not None or parts.password is not None:
        return "carries a name or password, which would be saved with the run: put the key into an environment variable"
    return None if valid else f"is {url!r}: write it as http://HOST:PORT/v1 or https://HOST/v1"


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own.

    Example:
        >>> is_loopback("http://localhost:8000/v1"), is_loopback("http://[::1]:8000"), is_loopback("http://10.0.0.1")
        (True, True, False)
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False
