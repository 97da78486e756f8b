"""What stands around every request."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.serving.guard import Guard
from instructerc.serving.limits import Limits
from tests.serving.conftest import client_of, running


class Nobody:
    """Watches, and remembers statuses."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def began(self) -> None:
        pass

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        self.statuses.append(status)


def guarded(app: Any, watcher: Nobody, **limits: Any) -> Any:
    async def whole(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for name in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{name}.complete"})
            return
        await guard(scope, receive, send)

    guard = Guard(app, Limits(**limits), frozenset(), watcher)
    return whole


def test_a_fault_that_nobody_foresaw_is_a_line_and_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("the secret")

    watcher = Nobody()
    with running(guarded(broken, watcher)) as url:
        response = httpx.get(url)
    assert response.status_code == 500
    assert response.json()["error"]["message"] == "ZeroDivisionError: the server's log has more"
    assert watcher.statuses == [500]
    assert "the secret" in caplog.text


def test_the_work_ends_when_whoever_asked_goes_away() -> None:
    ended: list[bool] = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended.append(True)
            raise

    watcher = Nobody()
    with running(guarded(endless, watcher)) as url, pytest.raises(httpx.ReadTimeout):
        httpx.get(url, timeout=0.3)
    assert ended == [True]
    assert watcher.statuses == [499]


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    async def scene(url: str) -> bytes:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        answer = await reader.readuntil(b"}}")
        writer.close()
        return answer

    watcher = Nobody()
    with running(guarded(app, watcher, timeout=0.2)) as url:
        answer = asyncio.run(scene(url))
    assert b"408" in answer
    assert b"did not arrive within 0.2 seconds" in answer
    assert watcher.statuses == [408]


def test_an_answer_that_takes_too_long_is_given_up(recognizer: EmotionRecognizer) -> None:
    turns = [{"speaker": "Ann", "text": f"turn {turn}"} for turn in range(300)]
    with client_of(recognizer, limits=Limits(timeout=0.01)) as client:
        response = client.post("/v1/recognize", json={"conversations": [{"turns": turns}]})
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "timeout"
