"""What stands around every request, before anything of it is understood: who asks, how much, for how long.

It reads a body no further than it may be, ends the work when whoever asked goes away, and keeps a log that says what
was asked for and never what was said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Protocol

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from instructerc.serving.limits import Limits
from instructerc.serving.tokens import is_allowed, is_loopback

log = logging.getLogger("instructerc.access")

OPEN = frozenset({"/healthz", "/"})
"""Addresses that need no token: they say nothing and compute nothing."""


class Watcher(Protocol):
    """Is told of every request."""

    def began(self) -> None:
        """One came in."""
        ...

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """One was answered."""
        ...


def fault_response(status: int, code: str, message: str, details: list[str] | None = None) -> JSONResponse:
    """A fault as a client gets it."""
    return JSONResponse({"error": {"code": code, "message": message, "details": details or []}}, status_code=status)


class Guard:
    """Wraps an ASGI application.

    Args:
        app: The application.
        limits: What clients may ask for.
        tokens: Hashes of the tokens that clients must show. Where there are none, only requests to this machine by its
            own name are answered: a page of somebody else's, open in a browser here, has another one.
        watcher: Is told of every request.
    """

    def __init__(self, app: ASGIApp, limits: Limits, tokens: frozenset[bytes], watcher: Watcher) -> None:
        self._app, self._limits, self._tokens, self._watcher = app, limits, tokens, watcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        self._watcher.began()
        status = 499  # as is usual where nobody waited for the answer

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            response = self._refusal(scope) or await self._answer(scope, receive, watched)
            if response is not None:
                await response(scope, receive, watched)
        finally:
            seconds = time.monotonic() - started
            # The path as it was sent may hold the id of a live conversation: the route is enough.
            route = getattr(scope.get("route"), "path", "unknown")
            self._watcher.ended(scope["method"], route, status, seconds)
            log.info("%s %s %d %.0f ms", scope["method"], route, status, 1000 * seconds)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._tokens:
            host = headers.get("host", "")
            if is_loopback(_without_port(host)):
                return None
            return fault_response(403, "unknown_host", "without tokens only requests to localhost are answered")
        if scope["path"] in OPEN or is_allowed(headers.get("authorization"), self._tokens):
            return None
        response = fault_response(401, "no_token", "send one of the server's tokens as `Authorization: Bearer …`")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Lets the application answer; returns what is to be answered instead."""
        try:
            body = await asyncio.wait_for(self._body(scope, receive), self._limits.timeout)
        except asyncio.TimeoutError:
            return fault_response(
                408, "too_slow", f"the request did not arrive within {self._limits.timeout:g} seconds"
            )
        except ConnectionError:
            return None
        if body is None:
            most = self._limits.body
            return fault_response(413, "too_large", f"the request has more than {most:,} bytes: send less at once")
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await _unless_gone(self._app(scope, _replayed(body), sending), receive)
        except Exception as error:
            log.exception("unexpected")
            if not begun:
                return fault_response(500, "internal", f"{type(error).__name__}: the server's log has more")
        return None

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None where it is too large, as soon as that is known."""
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limits.body:
            return None
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            body += message.get("body", b"")
            if len(body) > self._limits.body:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _replayed(body: bytes) -> Receive:
    """Gives the body to an application, and after it nothing more."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never  # it is cancelled with the application

    return receive


async def _unless_gone(work: object, receive: Receive) -> None:
    """Does something for a client, and stops where the client goes away."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    finally:
        for one in (task, gone):
            one.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _without_port(host: str) -> str:
    """The name in a Host header.

    Example:
        >>> _without_port("localhost:8000"), _without_port("[::1]:8000"), _without_port("127.0.0.1")
        ('localhost', '::1', '127.0.0.1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host
