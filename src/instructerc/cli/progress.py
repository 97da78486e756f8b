"""How a run shows itself in a terminal: on stderr, so that stdout holds results only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from instructerc.experiments.watching import RunWatcher


class TerminalWatcher:
    """Shows phases as lines, training and recognition as bars with time left.

    Args:
        progress: A running rich progress display.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._training: TaskID | None = None
        self._recognition: TaskID | None = None
        self._encoding: TaskID | None = None

    def phase(self, text: str) -> None:
        """What the run does next."""
        self._progress.console.print(f"· {text}", markup=False, highlight=False)

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self._progress.console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)

    def started(self, *, steps: int, done: int) -> None:
        """Training begins."""
        self._training = self._progress.add_task("training", total=steps, completed=done)

    def step(self, done: int, loss: float | None) -> None:
        """Steps that are done."""
        if self._training is not None:
            text = None if loss is None else f"training, loss {loss:.3f}"  # None leaves the last one standing
            self._progress.update(self._training, completed=done, description=text)

    def validated(self, epoch: int, figures: Mapping[str, float], *, best: bool) -> None:
        """Validation figures of an epoch."""
        if figures:
            mark = "  best so far" if best else ""
            self.phase(f"epoch {epoch}: validation W-F1 {100 * figures['weighted_f1']:.2f}{mark}")

    def encoded(self, done: int, total: int) -> None:
        """So many utterances are encoded."""
        if self._encoding is None:
            self._encoding = self._progress.add_task("encoding utterances", total=total)
        self._progress.update(self._encoding, completed=done, total=total)

    def recognizing(self, *, turns: int) -> None:
        """Recognition begins."""
        self._recognition = self._progress.add_task("recognising turns", total=turns)

    def recognized(self, turns: int) -> None:
        """So many more turns are done."""
        if self._recognition is not None:
            self._progress.advance(self._recognition, turns)


@contextlib.contextmanager
def terminal_watcher() -> Iterator[TerminalWatcher]:
    """A watcher whose display ends with the block."""
    with _bars() as progress:
        yield TerminalWatcher(progress)


@contextlib.contextmanager
def json_watcher() -> Iterator[RunWatcher]:
    """A watcher that writes an event a line on stderr, for programs that collect logs."""
    from instructerc.experiments.events import EventWatcher
    from instructerc.experiments.watching import Silent

    def write(line: str) -> None:
        sys.stderr.write(line)
        sys.stderr.flush()

    yield EventWatcher(write, Silent())


@contextlib.contextmanager
def counting_turns(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar that counts turns, with their rate and the time left; ends with the block.

    Args:
        what: What is being done.
        total: Turns in all; None where that is not known.
    """
    with _bars("{task.fields[rate]}") as progress:
        task = progress.add_task(what, total=total, rate="")

        def advance(turns: int) -> None:
            progress.advance(task, turns)
            speed = progress.tasks[0].speed
            progress.update(task, rate="" if speed is None else f"{speed:,.0f} turns/s")

        yield advance


def _bars(*fields: str) -> Progress:
    """Bars with their counts, `fields` of theirs, and times, on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        *(TextColumn(field, markup=False) for field in fields),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))
