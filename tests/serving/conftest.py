"""A tiny model behind a real server on a real port."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.serving.app import create_app
from instructerc.testing import tiny_llama
from tests.recognition.trained import trained


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    return trained(tiny_llama(folder / "llama"), folder / "model")


@pytest.fixture(scope="session")
def recognizer(model_folder: Path) -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(model_folder, device="cpu")


@contextmanager
def running(app: Any) -> Iterator[str]:
    """Serves an application in a thread; gives its address."""
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        opened.close()


@contextmanager
def client_of(recognizer: Any, **settings: Any) -> Iterator[httpx.Client]:
    """A client of a server of its own."""
    with running(create_app(recognizer, **settings)) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def client(recognizer: EmotionRecognizer) -> Iterator[httpx.Client]:
    with client_of(recognizer) as found:
        yield found
