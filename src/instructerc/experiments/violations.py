"""Checking values against the schema, and saying all that is wrong with them in people's words."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.errors import Problem, RecipeError, nearest
from instructerc.experiments.documents import COMMAND_LINE
from instructerc.experiments.keys import Key, children, nearest_key, schema_keys
from instructerc.experiments.rules import SILENCERS, value_at

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from instructerc.experiments.schema import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where each key was written.

    Attributes:
        file: The recipe's file.
        lines: Line of each key of the file, by its path.
        overridden: Paths that the command line gave.
    """

    file: Path
    lines: Mapping[str, int]
    overridden: frozenset[str] = frozenset()

    def problem(self, path: str, reason: str) -> Problem:
        """The fault of the key at `path`, at the place that gave it or else the section around it."""
        here = path
        while here:
            inside = any(given.startswith(f"{here}.") for given in self.overridden)
            if here in self.overridden or inside:
                return Problem(COMMAND_LINE, None, path, reason)
            if here in self.lines:
                return Problem(self.file, self.lines[here], path, reason)
            here = here.rpartition(".")[0]
        return Problem(self.file, None, path or None, reason)


def check(values: Mapping[str, Any], places: Places) -> Recipe:
    """The recipe that nested values spell.

    Raises:
        RecipeError: They break the schema or a rule between keys; lists every fault, in the order of the file.
    """
    from pydantic import ValidationError

    from instructerc.experiments.schema import Recipe

    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        faults = _faults(error, values)
    # Rules between keys are only asked once each key alone is right, so ask again without the wrong ones.
    try:
        Recipe.model_validate(_without(values, faults))
    except ValidationError as error:
        more = _faults(error, values)
        faults = {**{path: reason for path, reason in more.items() if not _follows(path, reason, faults)}, **faults}
    problems = [places.problem(path, reason) for path, reason in faults.items()]
    problems.sort(key=lambda problem: (problem.file == COMMAND_LINE, problem.line or 0))
    raise RecipeError("", [str(problem) for problem in problems])


def _follows(path: str, reason: str, faults: Mapping[str, str]) -> bool:
    """Whether a key seems to be without effect only since the key that would give it one is wrong itself."""
    return any(rule.key in faults and rule.reason == reason and rule.covers(path) for rule in SILENCERS)


def _faults(error: ValidationError, values: Mapping[str, Any]) -> dict[str, str]:
    """Reason by path; pydantic names a union's every branch, people want one fault a key."""
    faults: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] == "rules":
            faults.update(dict(detail["ctx"]["broken"]))
            continue
        path, reason = _fault(detail, values)
        faults.setdefault(path, reason)
    # Of a list, or a section that may be null, pydantic also says that it is not null.
    return {path: reason for path, reason in faults.items() if not any(f.startswith(f"{path}.") for f in faults)}


def _fault(detail: ErrorDetails, values: Mapping[str, Any]) -> tuple[str, str]:
    path = _known_path(detail["loc"])
    if detail["type"] == "extra_forbidden":
        unknown = ".".join(part for part in detail["loc"] if isinstance(part, str))  # not the number of a list's item
        return unknown, _unknown_key(unknown)
    if not path:
        return "", "is no mapping of keys: begin with `name: …`"
    key = schema_keys()[path]
    names = [part for part in detail["loc"] if isinstance(part, str)]
    if detail["type"] == "missing" and names[-1:] == [detail["loc"][-1]] and len(names) == path.count(".") + 1:
        return path, f"is missing: takes {key.takes}"
    return path, _wrong_value(key, detail["input"], value_at(values, path))


def _known_path(location: Sequence[int | str]) -> str:
    """The longest known key that a location of pydantic's begins with; union branches and indices come after it."""
    path = ""
    for part in location:
        if isinstance(part, int):
            continue  # which item of a list
        longer = f"{path}.{part}" if path else str(part)
        if longer not in schema_keys():
            break
        path = longer
    return path


def _unknown_key(path: str) -> str:
    found = nearest_key(path)
    if found:
        return f"unknown key: did you mean {found!r}?"
    parent = path.rpartition(".")[0]
    return f"unknown key: {f'{parent!r} knows' if parent else 'a recipe knows'} {', '.join(children(parent))}"


def _wrong_value(key: Key, culprit: Any, whole: Any) -> str:
    value = whole if isinstance(culprit, Mapping) or culprit is None else culprit
    hint = nearest(str(value), key.choices) if key.choices else None
    suggestion = f"did you mean {hint!r}? " if hint else ""
    default = "" if key.section or key.required else f" (default {_shown(key.default)})"
    return f"{_shown(value)} is wrong: {suggestion}It takes {key.takes}{default}"


def _shown(value: Any) -> str:
    """A value as a recipe writes it, cut where it is long."""
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _without(values: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    pruned = copy.deepcopy(dict(values))
    for path in paths:
        parent, _, name = path.rpartition(".")
        holder = value_at(pruned, parent) if parent else pruned
        if isinstance(holder, dict):
            holder.pop(name, None)
        elif parent:
            # The key is missing in a section that cannot do without it: take the section away.
            pruned.pop(parent.partition(".")[0], None)
    return pruned
