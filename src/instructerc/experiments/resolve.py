"""A recipe's file, the command line's overrides and the defaults → one checked recipe that knows its origins.

```
recipe quickstart.yaml   training: {epochs: 4}
command line             --set training.learning_rate=1e-4
                         │
Resolved.explain         training.epochs         4        recipe quickstart.yaml:31
                         training.learning_rate  0.0001   command line
                         training.schedule       linear   default
```
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from instructerc.errors import Problem, RecipeError, UnknownNameError
from instructerc.experiments.documents import COMMAND_LINE, Document, read_document, read_value, write_document
from instructerc.experiments.rules import SILENCERS, flat_values, silenced, value_at
from instructerc.experiments.violations import Places, check

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe

RECIPES = Path(__file__).parents[1] / "recipes"
"""The folder of the recipes that the package ships."""

HEAD = "# Resolved from"
"""What a recipe that this module wrote begins with."""

LEARNING_RATES: Mapping[str, float] = {"lora": 2e-4, "all": 2e-5}
"""Published learning rate of each `adapter.method` (method §7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an effective value comes from.

    Attributes:
        kind: Who said it.
        file: The recipe's file; None for the other kinds.
        line: Line of the file, counted from 1.
        because: The key that a derived default depends on; empty for a plain one.

    Example:
        >>> str(Origin(kind="recipe", file=Path("my.yaml"), line=3)), str(Origin(kind="default", because="seed"))
        ('recipe my.yaml:3', 'default (by seed)')
    """

    kind: Literal["default", "recipe", "command line", "unused"]
    file: Path | None = None
    line: int | None = None
    because: str = ""

    def __str__(self) -> str:
        if self.file is not None:
            return f"{self.kind} {self.file.name}" + (f":{self.line}" if self.line else "")
        return f"{self.kind} (by {self.because})" if self.because else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One row of `--explain`: a key, its effective value, and who said so."""

    path: str
    value: Any
    origin: Origin

    def to_json(self) -> dict[str, Any]:
        """The row as plain values."""
        return {"key": self.path, "value": self.value, "origin": str(self.origin)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A checked recipe, every default filled in.

    Attributes:
        recipe: The recipe; `output.folder` is never None here, nor `training.learning_rate` where something is trained.
        origins: Where each key that is no default comes from, by its path.
        source: The recipe's file.
    """

    recipe: Recipe
    origins: Mapping[str, Origin]
    source: Path

    def to_yaml(self) -> str:
        """The recipe as YAML that `resolve` reads back: what a run folder keeps.

        Keys without effect are left out, so that the text breaks no rule.
        """
        head = f"{HEAD} {self.source.name}; `instructerc run` takes this file as it is.\n"
        values = _without_silenced(self.recipe.model_dump(mode="json"))
        return head + write_document(values)


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that the package ships.

    Example:
        >>> "quickstart" in recipe_names()
        True
    """
    return tuple(sorted(file.stem for file in RECIPES.glob("*.yaml")))


def find_recipe(name_or_path: str) -> Path:
    """The file of a shipped recipe, or the path itself where it looks like one (`x.yaml`, `folder/x`).

    Raises:
        UnknownNameError: It is neither.
    """
    if name_or_path in recipe_names():
        return RECIPES / f"{name_or_path}.yaml"
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml") or path.name != name_or_path or path.is_file():
        return path
    raise UnknownNameError("recipe", name_or_path, recipe_names())


def resolve(name_or_path: str, overrides: Sequence[str] = ()) -> Resolved:
    """Reads a recipe, applies `KEY=VALUE` overrides (the last one of a key wins), checks everything.

    Args:
        name_or_path: A shipped recipe's name, or the path of a file.
        overrides: Texts `training.epochs=3`; values as YAML writes them.

    Raises:
        UnknownNameError: There is no such recipe.
        RecipeError: Something is wrong; every fault is listed, each with its place and its key.

    Example:
        >>> resolve("quickstart", ["training.epochs=1"]).recipe.training.epochs
        1
    """
    file = find_recipe(name_or_path)
    document = read_document(file)
    given = _read_overrides(overrides)
    document = _step_back(document, given)
    values = _merged(document.values, given)
    # Not `setdefault`: a name that is null is a fault that `check` reports.
    if "name" not in values:
        values["name"] = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-.") or "experiment"
    recipe = check(values, Places(file=file, lines=document.lines, overridden=frozenset(given)))
    origins = {
        path: Origin(kind="recipe", file=file, line=line)
        for path, line in document.lines.items()
        if not isinstance(value_at(values, path), dict)
    }
    origins |= {path: Origin(kind="command line") for path in flat_values(given)}
    return _with_derived(Resolved(recipe=recipe, origins=origins, source=file))


def with_seed(resolved: Resolved, seed: int) -> Resolved:
    """The same experiment from another seed, in its own folder (`…/seed-3` inside a folder that was given).

    Example:
        >>> with_seed(resolve("quickstart"), 3).recipe.output.folder.as_posix()
        'runs/quickstart-3'
    """
    recipe = resolved.recipe
    output = recipe.output
    if "output.folder" in resolved.origins and output.folder is not None:
        output = output.model_copy(update={"folder": output.folder / f"seed-{seed}"})
    else:
        output = output.model_copy(update={"folder": _default_folder(recipe.name, seed)})
    recipe = recipe.model_copy(update={"seed": seed, "output": output})
    origins = {**resolved.origins, "seed": Origin(kind="command line")}
    return Resolved(recipe=recipe, origins=origins, source=resolved.source)


def explain(resolved: Resolved) -> list[Explanation]:
    """Every effective value with its origin, in the order of the schema."""
    from instructerc.experiments.keys import schema_keys

    values = resolved.recipe.model_dump(mode="json")
    rows = []
    for path, key in schema_keys().items():
        value = value_at(values, path)
        parent = path.rpartition(".")[0]
        holder = value_at(values, parent) if parent else values
        if (key.section and value is not None) or not isinstance(holder, Mapping):
            continue  # a section is explained by its keys, an absent one or a list of them by itself
        rows.append(Explanation(path=path, value=value, origin=_origin(resolved, values, path)))
    return rows


def _origin(resolved: Resolved, values: Mapping[str, Any], path: str) -> Origin:
    silencer = silenced(values, path)
    if silencer is not None:
        return Origin(kind="unused", because=silencer.key)
    # A section that was given as one value (`data.prompts: FILE`) speaks for its keys.
    parent = path.rpartition(".")[0]
    return resolved.origins.get(path) or resolved.origins.get(parent) or Origin(kind="default")


def _read_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """`KEY=VALUE` texts → values by path, the last one of a path last."""
    given: dict[str, Any] = {}
    problems: list[str] = []
    for text in overrides:
        path, equals, value = text.partition("=")
        path = path.strip()
        if not equals or not all(part.strip() for part in path.split(".")):
            reason = f"--set {text!r} is no KEY=VALUE: write `--set training.epochs=3`"
            problems.append(str(Problem(COMMAND_LINE, None, None, reason)))
            continue
        try:
            given.pop(path, None)
            given[path] = read_value(value)
        except RecipeError as error:
            problems.extend(f"{violation} (in --set {text!r}; quote it?)" for violation in error.violations)
    if problems:
        raise RecipeError("", problems)
    return given


def _step_back(document: Document, given: Mapping[str, Any]) -> Document:
    """Drops keys of the file that the command line replaced, or took the effect from (see `rules`)."""
    said = _merged({}, given)
    # A key that the command line does not name is not null there: it says nothing, and silences nothing.
    named = [f"{path}." for path in flat_values(said)]
    active = [
        silencer
        for silencer in SILENCERS
        if silencer.holds(said) and any(path.startswith(f"{silencer.key}.") for path in named)
    ]
    values, lines = copy.deepcopy(document.values), {}
    for path, line in document.lines.items():
        if any(silencer.covers(path) for silencer in active):
            _remove(values, path)
        elif not any(path.startswith(f"{other}.") for other in given):
            lines[path] = line
    return Document(values, lines)


def _remove(values: dict[str, Any], path: str) -> None:
    parent, _, name = path.rpartition(".")
    holder = value_at(values, parent) if parent else values
    if isinstance(holder, dict):
        holder.pop(name, None)


def _merged(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(dict(values))
    for path, value in given.items():
        *parents, name = path.split(".")
        holder = merged
        for part in parents:
            if not isinstance(holder.get(part), dict):
                holder[part] = {}
            holder = holder[part]
        holder[name] = value
    return merged


def _with_derived(resolved: Resolved) -> Resolved:
    """Fills in the defaults that depend on other keys."""
    recipe, origins = resolved.recipe, dict(resolved.origins)
    if recipe.training.learning_rate is None and recipe.adapter.method in LEARNING_RATES:
        rate = LEARNING_RATES[recipe.adapter.method]
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"learning_rate": rate})})
        origins["training.learning_rate"] = Origin(kind="default", because="adapter.method")
    if recipe.output.folder is None:
        folder = _default_folder(recipe.name, recipe.seed)
        recipe = recipe.model_copy(update={"output": recipe.output.model_copy(update={"folder": folder})})
        origins.pop("output.folder", None)
    return Resolved(recipe=recipe, origins=origins, source=resolved.source)


def _default_folder(name: str, seed: int) -> Path:
    # No time stamp: `--resume` has to find the folder again.
    return Path("runs") / f"{name}-{seed}"


def _without_silenced(values: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(values)
    for path in flat_values(values):
        if silenced(values, path) is not None:
            _remove(kept, path)
    return {name: value for name, value in kept.items() if value != {}}
