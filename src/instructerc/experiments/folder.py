"""The folder of a run: whose it is, and what a resume has to meet again."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from instructerc.assets import write_atomically
from instructerc.errors import RecipeError, TrainingError, UsageError
from instructerc.experiments.data import RunData
from instructerc.experiments.documents import read_value
from instructerc.experiments.events import EVENTS
from instructerc.experiments.keys import schema_keys
from instructerc.experiments.provenance import git_revision, versions
from instructerc.experiments.resolve import HEAD, Resolved
from instructerc.experiments.rules import flat_values

RECIPE = "recipe.yaml"
STATE = "run.json"
PREDICTIONS = "predictions.jsonl"
BELIEFS = "beliefs.json"
LOCK = ".lock"

REPLACED = (
    *("model", "epochs", "checkpoints", "stages", "tensorboard", "curves.jsonl", EVENTS),
    *(BELIEFS, PREDICTIONS, "answers.jsonl"),
    *("report.json", "report.md", "report.html", "confusion.png", "curves.png"),
)
"""What a run writes, and clears away before it begins."""

MOVABLE = (
    *("output.folder", "data.folder", "training.start", "training.teachers"),
    *("training.row_tokens", "training.micro_batch", "training.auto_batch", "recognition.batch_size"),
    *("endpoint.concurrency", "endpoint.timeout", "endpoint.retries", "endpoint.price_input", "endpoint.price_output"),
)
"""Keys that may change between a run and its resume: files may have been moved, and what they hold is hashed; a run
that met the end of its memory goes on with smaller passes; and how fast a server is asked changes no answer."""


FITTED_LATER = ("recognition.calibration", "recognition.decision")
"""Keys that a resume may set where the run did without: what they fit on validation, they fit after training, and what
was predicted without it is predicted anew."""


def refuse_taken(folder: Path) -> None:
    """Sees to it that a new run in this folder destroys nothing.

    Raises:
        UsageError: The folder holds a run, or files of that name which no run has written.
    """
    if (folder / STATE).is_file():
        raise UsageError(f"{folder}: holds a run: go on with it by --resume, choose --out, or remove it")
    foreign = [name for name in REPLACED if (folder / name).exists()]
    if (folder / RECIPE).is_file() and not (folder / RECIPE).read_bytes().startswith(HEAD.encode()):
        foreign.append(RECIPE)
    if foreign:
        raise UsageError(
            f"{folder}: holds no run, but {', '.join(foreign)}, which a run would replace: choose another folder "
            "(--out), or move them away"
        )


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps a second run out of the folder for as long as this one is at work; a kill lets go of it.

    Raises:
        UsageError: Another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{folder}: another run is at work in it: wait for its end, or choose --out") from None
        except OSError:  # a file system without locks
            pass
        yield


def claim(folder: Path, resolved: Resolved, data: RunData, *, resume: bool) -> None:
    """Makes the folder this run's, or makes sure that it already is.

    Raises:
        UsageError: It holds another run, or files that a run would replace.
        TrainingError: Recipe, data or prompts are no longer those that the run began with.
    """
    if resume and (folder / STATE).is_file():
        if _require_same(folder, resolved, data):
            write_atomically(folder / RECIPE, resolved.to_yaml())
            _write_state(folder, {**_raw_state(folder), "recipe": resolved.to_yaml()})
        return
    refuse_taken(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / RECIPE, resolved.to_yaml())
    state: dict[str, Any] = {"recipe": resolved.to_yaml(), "data": data.hash, "prompt": data.spec.hash}
    if data.start is not None:
        state["start"] = data.start.hash
    if data.teaching.teachers:
        state["teachers"] = [teacher.hash for teacher in data.teaching.teachers]
    # Last: a folder without it is nobody's.
    _write_state(folder, {**state, "revision": git_revision(), "versions": versions(), "seconds": 0.0})


def read_state(folder: Path) -> dict[str, Any]:
    """What is known of the run in a folder.

    Raises:
        TrainingError: The file is damaged.
    """
    path = folder / STATE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in ("recipe", "data", "prompt", "revision", "versions", "seconds") if key not in record]
        if missing or not isinstance(record, dict):
            raise ValueError(f"it lacks {', '.join(missing)}")
        record["recipe"] = flat_values(read_value(record["recipe"]))
    except (ValueError, TypeError, AttributeError, RecipeError) as error:
        raise TrainingError(f"{path}: is damaged ({error}): remove the folder and start anew") from None
    return record


@contextlib.contextmanager
def timed(folder: Path) -> Iterator[None]:
    """Adds what a training takes to the run's account, also where it ends with an error."""
    started = time.monotonic()
    try:
        yield
    finally:
        record = _raw_state(folder)
        record["seconds"] += time.monotonic() - started
        _write_state(folder, record)


def _raw_state(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return record


def _write_state(folder: Path, record: Mapping[str, Any]) -> None:
    write_atomically(folder / STATE, json.dumps(record, indent=2) + "\n")


def _require_same(folder: Path, resolved: Resolved, data: RunData) -> bool:
    """Makes sure that this is the run that began here; whether more is to be fitted after its training now."""
    known = read_state(folder)
    before, now = known["recipe"], flat_values(read_value(resolved.to_yaml()))
    paths = [path for path in {**before, **now} if before.get(path) != now.get(path) and path not in MOVABLE]
    # A key that an older release did not know yet has a default that does what that release did.
    paths = [path for path in paths if path in before or now[path] != schema_keys()[path].default]
    off = {path: schema_keys()[path].default for path in FITTED_LATER}
    fitted = [path for path in paths if path in off and before.get(path, off[path]) == off[path]]
    paths = [path for path in paths if path not in fitted]
    faults = [f"{path} was {_shown(before.get(path))}, is {_shown(now.get(path))}" for path in paths]
    if known["data"] != data.hash:
        faults.append("the data changed")
    elif known["prompt"] != data.spec.hash and not faults:
        faults.append("the words of the prompts changed")
    if known.get("start") != (data.start.hash if data.start else None):
        faults.append("training.start is another model")
    if known.get("teachers", []) != [teacher.hash for teacher in data.teaching.teachers]:
        faults.append("training.teachers are other models")
    if faults:
        raise TrainingError(
            f"{folder}: this is not the run that began here, and figures would mix two: {'; '.join(faults)}: "
            "undo the change, or start anew in another folder (--out)"
        )
    return bool(fitted)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
