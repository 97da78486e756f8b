from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.publisher import Publisher, publish


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def publisher(online: None) -> Iterator[Publisher]:
    with publish(Publisher()) as running:
        yield running
