"""Who is told how a run goes on."""

from __future__ import annotations

from typing import Protocol

from instructerc.training.stage import Silent as SilentStage
from instructerc.training.stage import Watcher


class RunWatcher(Watcher, Protocol):
    """Is told how a run goes on; shows it to somebody."""

    def phase(self, text: str) -> None:
        """What the run does next, in a few words."""

    def encoded(self, done: int, total: int) -> None:
        """So many utterances are encoded, of so many: demonstrations are looked for among them."""

    def recognizing(self, *, turns: int) -> None:
        """Recognition begins: so many turns in all."""

    def recognized(self, turns: int) -> None:
        """So many more turns are done."""


class Silent(SilentStage):
    """Watches without a word."""

    def phase(self, text: str) -> None:
        """Nothing."""

    def encoded(self, done: int, total: int) -> None:
        """Nothing."""

    def recognizing(self, *, turns: int) -> None:
        """Nothing."""

    def recognized(self, turns: int) -> None:
        """Nothing."""
