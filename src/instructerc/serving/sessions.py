"""Live conversations of a server's clients: opened, added to, closed; closed by themselves when idle."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from instructerc.errors import InstructERCError
from instructerc.recognition.predictions import TurnPrediction


class UnknownSessionError(InstructERCError):
    """No live conversation has that id, or no longer."""


class TooManySessionsError(InstructERCError):
    """As many live conversations are open as a server keeps open."""


class TooManyTurnsError(InstructERCError):
    """A live conversation is as long as a server lets it become."""


class Labelled(Protocol):
    """What chooses among labels."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What it chooses from."""
        ...


class LiveSession(Protocol):
    """A conversation that goes on."""

    @property
    def recognizer(self) -> Labelled:
        """What answers."""
        ...

    @property
    def predictions(self) -> tuple[TurnPrediction, ...]:
        """What was answered."""
        ...

    def add(self, speaker: str, text: str) -> TurnPrediction:
        """Adds a turn and names its emotion."""
        ...

    def predict_next(self, speaker: str) -> TurnPrediction:
        """What a speaker will feel at the next turn."""
        ...

    def release(self) -> None:
        """Frees memory."""
        ...


@dataclass(slots=True)
class _Open:
    session: LiveSession
    touched: float


@dataclass(slots=True)
class Sessions:
    """The live conversations that are open. Its methods are called in the model's thread, one at a time.

    Attributes:
        most: How many are open at once.
        warm: How many keep what they have read in memory, those used last; the others read it again.
        turns: How long one may become.
        idle: Seconds after which one that nobody adds to is closed.
        clock: Seconds that never go back.
    """

    most: int
    warm: int
    turns: int
    idle: float
    clock: Callable[[], float] = time.monotonic
    _open: dict[str, _Open] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._open)

    def open(self, make: Callable[[str], LiveSession]) -> str:
        """Opens one, made with its id, which nobody can guess; returns the id.

        Raises:
            TooManySessionsError: Too many are open.
        """
        self.expire()
        if len(self._open) >= self.most:
            raise TooManySessionsError(
                f"{self.most} live conversations are open already: close one, or ask again later"
            )
        name = secrets.token_urlsafe(16)
        self._open[name] = _Open(make(name), self.clock())
        return name

    def add(self, name: str, speaker: str, text: str) -> TurnPrediction:
        """Adds a turn and names its emotion; a turn that cannot be read leaves the conversation as it was.

        Raises:
            UnknownSessionError: None has that id.
            TooManyTurnsError: It is as long as it may become.
        """
        session = self.get(name)
        if len(session.predictions) >= self.turns:
            raise TooManyTurnsError(
                f"the conversation has {self.turns} turns, as many as it may have: open another one"
            )
        return session.add(speaker, text)

    def get(self, name: str) -> LiveSession:
        """The one of that id, which is then not idle.

        Raises:
            UnknownSessionError: None has that id.
        """
        self.expire()
        if name not in self._open:
            raise UnknownSessionError(f"no live conversation {name[:40]!r}: it was closed, or was idle for too long")
        found = self._open.pop(name)
        self._open[name] = found  # the last one used is the last one here
        found.touched = self.clock()
        if len(self._open) > self.warm:
            [*self._open.values()][-self.warm - 1].session.release()
        return found.session

    def close(self, name: str) -> None:
        """Closes one.

        Raises:
            UnknownSessionError: None has that id.
        """
        self.get(name).release()
        del self._open[name]

    def expire(self) -> None:
        """Closes those that are idle."""
        oldest = self.clock() - self.idle
        for name in [name for name, found in self._open.items() if found.touched < oldest]:
            self._open.pop(name).session.release()
