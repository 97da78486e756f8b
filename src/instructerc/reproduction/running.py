"""Which cells are done, and runs for those that are not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from instructerc.errors import ArtefactError, InstructERCError, UsageError
from instructerc.reproduction.costs import passes_of
from instructerc.reproduction.grid import Cell
from instructerc.reproduction.results import REPORT, CellResult, Results, harvest
from instructerc.reproduction.settings import differing, key_of, setting_of

if TYPE_CHECKING:
    from instructerc.experiments.watching import RunWatcher

State = Literal["done", "same run", "finished", "missing", "refused"]
"""Of a cell: it has a result; another cell's run is the same; its folder holds a report that no result was made of;
it has to be run; its recipe is wrong, or its result is of another setting."""

STDERR = 2
"""File descriptor of the standard error stream."""

Watching = Callable[[], "AbstractContextManager[RunWatcher]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a cell is.

    Attributes:
        cell: The cell.
        state: See `State`.
        reason: Why it is refused; empty otherwise.
        passes: Examples that its run learns from; None where that is not known.
        result: Its result, where it or the same run has one.
        key: Of its setting; empty where its recipe is wrong.
    """

    cell: Cell
    state: State
    reason: str = ""
    passes: float | None = None
    result: CellResult | None = None
    key: str = ""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the cells.

    Attributes:
        ran: Names of cells that were run.
        skipped: Names of cells that were done before.
        handed: Names of cells that a launcher took, and whose report is not there yet; cells of the same run count too.
        failed: Why cells failed, by name.
        taken: Keys of the settings of `handed`.
    """

    ran: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


def status_of(cell: Cell, results: Results) -> Status:
    """How far a cell is; nothing is run, and nothing written.

    Raises:
        ArtefactError: A result is damaged, or of another version.
    """
    try:
        resolved = cell.resolve()
    except UsageError as error:
        return Status(cell=cell, state="refused", reason=str(error))
    setting, passes = setting_of(resolved), passes_of(resolved)
    key = key_of(setting)
    own = results.read(cell)
    if own is not None and own.key != key:
        return Status(cell=cell, state="refused", reason=_other(own, setting, results), passes=passes, key=key)
    if own is not None:
        return Status(cell=cell, state="done", passes=passes, result=own, key=key)
    if _finished(cell, key):
        return Status(cell=cell, state="finished", passes=passes, key=key)
    same = results.with_key(key)
    if same is not None:
        return Status(cell=cell, state="same run", passes=passes, result=same.of(cell), key=key)
    return Status(cell=cell, state="missing", passes=passes, key=key)


def absent_data(cell: Cell) -> list[Path]:
    """Folders of corpora of the catalogue that a cell reads, and that are not there."""
    from instructerc.corpora import SOURCES

    corpus, given = cell.overrides["data.corpus"], cell.overrides.get("data.folder")
    names = [corpus] if isinstance(corpus, str) else list(corpus)
    sources = [SOURCES[name] for name in names if name in SOURCES and SOURCES[name].access != "bundled"]
    folders = [
        source.folder if given is None else Path(given) if isinstance(corpus, str) else Path(given) / source.name
        for source in sources
    ]
    return [folder for folder in folders if not folder.exists()]


def run_missing(
    cells: Sequence[Cell],
    results: Results,
    *,
    watching: Watching,
    launcher: Sequence[str] = (),
    say: Callable[[str], None] = lambda _text: None,
) -> Outcome:
    """Runs the cells that have no result, one after another, and keeps a result of each.

    A cell that fails is noted, and the others go on.

    Args:
        cells: The cells.
        results: Where results go.
        watching: Makes what is told how a run goes on.
        launcher: Words in front of each cell's command line, which then runs it, cells of the same run once; empty runs
            it here. What it prints goes to stderr.
        say: Is told in a line what happens.
    """
    outcome = Outcome()
    for number, cell in enumerate(cells, start=1):
        say(f"{cell.table} {number}/{len(cells)}: {cell.name}")
        try:
            _bring(cell, results, outcome, watching, launcher)
        except Exception as error:  # of any kind: memory that ran out ends one cell, not the night
            reason = str(error) if isinstance(error, InstructERCError) else f"{type(error).__name__}: {error}"
            outcome.failed[cell.name] = reason
            say(f"failed: {reason}")
    return outcome


def _bring(cell: Cell, results: Results, outcome: Outcome, watching: Watching, launcher: Sequence[str]) -> None:
    """A cell's result: the one that is there, else that of its run."""
    status = status_of(cell, results)
    if status.state == "refused":
        raise UsageError(status.reason)
    if status.result is not None:
        if status.state == "same run":
            results.write(cell, status.result)
        outcome.skipped.append(cell.name)
        return
    if status.state == "finished":
        results.write(cell, harvest(cell))
        outcome.skipped.append(cell.name)
        return
    if launcher:
        if status.key not in outcome.taken:
            _launch(cell, launcher)
        if not _finished(cell, status.key):
            outcome.taken.add(status.key)
            outcome.handed.append(cell.name)
            return
    else:
        _run(cell, watching)
    results.write(cell, harvest(cell))
    outcome.ran.append(cell.name)


def _run(cell: Cell, watching: Watching) -> None:
    from instructerc.experiments.run import run_recipe

    with watching() as watcher:
        run_recipe(cell.resolve(), resume=True, watcher=watcher)


def _launch(cell: Cell, launcher: Sequence[str]) -> None:
    """Hands a cell's command line to a program of the user's.

    Raises:
        UsageError: There is no such program.
        ArtefactError: It ended with an error.
    """
    try:
        # Stdout holds results only, and `sys.stderr` need not be a file where this is called from a notebook.
        done = subprocess.run([*launcher, *cell.command()], check=False, stdout=STDERR)  # noqa: S603 — the user's own
    except OSError as error:
        raise UsageError(f"--launcher {launcher[0]!r}: cannot be started ({error.strerror}): check its path") from None
    if done.returncode:
        raise ArtefactError(f"{cell.folder}: the launcher ended with exit code {done.returncode}: see what it printed")


def _finished(cell: Cell, key: str) -> bool:
    """Whether the run folder holds the report of this very run."""
    from instructerc.experiments.resolve import resolve

    recipe = cell.folder / "recipe.yaml"
    if not recipe.is_file() or not (cell.folder / REPORT).is_file():
        return False
    try:
        return key_of(setting_of(resolve(str(recipe)))) == key
    except UsageError:  # written by a version with other keys: the run itself will say what differs
        return False


def _other(own: CellResult, setting: dict[str, Any], results: Results) -> str:
    changed = [f"{path} was {before!r}, is {now!r}" for path, before, now in differing(own.setting, setting)]
    shown = "; ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
    return (
        f"{results.folder}: holds a result of this cell under another setting ({shown}): "
        "undo the change, or choose another --out or --results"
    )
