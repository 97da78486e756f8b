"""Running a server: from its address on standard error to the last answer after an interrupt."""

from __future__ import annotations

import logging
import socket
import sys
from typing import Any

import uvicorn

from instructerc.errors import UsageError


class _Server(uvicorn.Server):
    """Says where it listens, which is known only then where the port was left to the system."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            name = f"[{host}]" if ":" in host else host
            sys.stderr.write(f"listening at http://{name}:{port} (Ctrl-C ends it)\n")
            sys.stderr.flush()


def run_server(app: Any, *, host: str, port: int, patience: float) -> None:
    """Runs until it is interrupted or told to end; then answers what it took.

    Args:
        app: The application.
        host: Address to listen at.
        port: 0 takes a free one.
        patience: Seconds that open requests get at the end.

    Raises:
        UsageError: The address cannot be listened at.
    """
    _log_to_standard_error()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # ours has the route in place of the path
        server_header=False,
        timeout_graceful_shutdown=max(1, round(patience)),
    )
    try:
        with _bound(config) as opened:
            _Server(config).run(sockets=[opened])
    except KeyboardInterrupt:  # which uvicorn raises anew once it has ended in order
        pass


def _bound(config: uvicorn.Config) -> socket.socket:
    """The socket, bound before anything starts: a port that is taken is a message and no stack of them."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    opened = socket.socket(family=family)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((config.host, config.port))
    except OSError as error:
        opened.close()
        raise UsageError(
            f"http://{config.host}:{config.port} cannot be listened at ({error.strerror}): choose another --port"
        ) from None
    return opened


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name, level in (("instructerc", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
