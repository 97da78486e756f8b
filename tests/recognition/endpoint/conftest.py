from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chat_server import ChatServer, serve


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve(ChatServer()) as chat:
        yield chat
