"""What a server takes from its clients, and no more."""

from __future__ import annotations

from dataclasses import dataclass, fields

from instructerc.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what clients may ask for; whatever is over one is refused, with the bound in the message.

    Attributes:
        body: Bytes of a request.
        conversations: Conversations of a request.
        turns: Turns of a request, and of a live conversation.
        text: Characters of a turn.
        labels: Labels of a request that brings its own.
        sessions: Live conversations at once.
        warm: Live conversations whose keys and values stay in memory; the others are read again at their next turn.
        idle: Seconds after which a live conversation that nobody adds to is closed.
        queue: Turns that may wait for the model; what comes on top is told to come back later.
        timeout: Seconds that a request may wait for its answer.
        batch: Turns of several requests that the model reads together.
    """

    body: int = 2**21
    conversations: int = 64
    turns: int = 2_000
    text: int = 5_000
    labels: int = 64
    sessions: int = 256
    warm: int = 32
    idle: float = 900.0
    queue: int = 8_192
    timeout: float = 120.0
    batch: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise UsageError(f"limit {field.name!r} is {getattr(self, field.name)}: set it to something above 0")
