"""What happens in a run, as rows for programs: `events.jsonl` in the run folder, and `--log json` on stderr.

```
{"time": "2026-03-01T09:30:00.125+00:00", "event": "began", "recipe": "meld", "resume": false, …}
{"time": …, "event": "loss", "step": 10, "loss": 1.62}
{"time": …, "event": "epoch", "epoch": 1, "best": true, "weighted_f1": 0.51, …}
{"time": …, "event": "ended", "seconds": 812.4, "weighted_f1": 0.58}
```

A resumed run adds its rows to the file. No text of any conversation is in them.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from instructerc.experiments.watching import RunWatcher

EVENTS = "events.jsonl"
"""File of a run folder."""

SPACING = 10.0
"""Seconds between two rows that only count on."""

Sink = Callable[[str], None]
"""Takes a row, as a line of JSON with its end."""


class EventFile:
    """A sink that keeps rows until the run has a folder, and appends to its file from then on.

    A line that a kill has torn stays behind; the next row begins on a line of its own.
    """

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._path: Path | None = None

    def __call__(self, line: str) -> None:
        """Takes a row; one that finds no room is lost, and ends nothing."""
        if self._path is None:
            self._waiting.append(line)
            return
        with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(line)

    def open(self, folder: Path) -> None:
        """Writes what waits into the folder's file; what follows goes there at once."""
        path = folder / EVENTS
        torn = path.is_file() and not path.read_bytes().endswith(b"\n")
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + "".join(self._waiting))
        self._waiting.clear()
        self._path = path


class EventWatcher:
    """Makes a row of everything that it is told, and passes it on.

    Args:
        sink: Takes the rows.
        then: Is told the same.
    """

    def __init__(self, sink: Sink, then: RunWatcher) -> None:
        self._sink = sink
        self._then = then
        self._recognized = 0
        self._spoke = -SPACING

    def event(self, name: str, **values: Any) -> None:
        """A row with the time of now."""
        row = {"time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "event": name, **values}
        self._sink(json.dumps(row, ensure_ascii=True, default=str) + "\n")

    def phase(self, text: str) -> None:
        """What the run does next."""
        self.event("phase", text=text)
        self._then.phase(text)

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self.event("note", text=text)
        self._then.note(text)

    def started(self, *, steps: int, done: int) -> None:
        """Training begins."""
        self.event("training", steps=steps, done=done)
        self._then.started(steps=steps, done=done)

    def step(self, done: int, loss: float | None) -> None:
        """A step is done; a row where its loss was just measured."""
        if loss is not None:
            self.event("loss", step=done, loss=loss)
        self._then.step(done, loss)

    def validated(self, epoch: int, figures: Mapping[str, float], *, best: bool) -> None:
        """An epoch has ended."""
        self.event("epoch", epoch=epoch, best=best, **figures)
        self._then.validated(epoch, figures, best=best)

    def encoded(self, done: int, total: int) -> None:
        """Utterances are encoded; a row now and then."""
        if self._due() or done >= total:
            self.event("encoded", done=done, total=total)
        self._then.encoded(done, total)

    def recognizing(self, *, turns: int) -> None:
        """Recognition begins."""
        self.event("recognizing", turns=turns)
        self._then.recognizing(turns=turns)

    def recognized(self, turns: int) -> None:
        """More turns are done; a row now and then, with all of them."""
        self._recognized += turns
        if self._due():
            self.event("recognized", turns=self._recognized)
        self._then.recognized(turns)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._spoke < SPACING:
            return False
        self._spoke = now
        return True
