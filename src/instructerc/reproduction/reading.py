"""Files of tables → `Table`, every fault at once.

A file is YAML, read with the rules and limits of recipes (`experiments.documents`); docs/reproduce.md shows one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from instructerc.errors import RecipeError, UnknownNameError, nearest
from instructerc.reproduction.table import Axis, Overrides, Reported, Row, Table

TABLES = Path(__file__).parent / "tables"
"""The folder of the tables that the package ships."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
FIGURE = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(?:\s*±\s*([0-9]*\.?[0-9]+))?$")

TABLE_KEYS = (
    *("title", "source", "corpora", "rows", "backbone", "runs", "settings", "published", "axis", "shows", "note"),
)
ROW_KEYS = (
    "name",
    "title",
    "overrides",
    "published",
    "backbone",
    "mixture",
    "marks",
    "at",
    "reported",
    "reported_with",
)
AXIS_KEYS = ("title", "values", "scale")


def table_names() -> tuple[str, ...]:
    """Names of the tables that the package ships.

    Example:
        >>> "ablation" in table_names()
        True
    """
    return tuple(sorted(file.stem for file in TABLES.glob("*.yaml")))


def read_table(name_or_path: str) -> Table:
    """A shipped table by its name, or one of your own by the path of its file.

    Args:
        name_or_path: Such as `ablation`, or `mine.yaml`.

    Raises:
        UnknownNameError: It is neither.
        RecipeError: The file cannot be read or says something wrong; every fault is listed.

    Example:
        >>> read_table("window").axis.title
        'turns before the target'
    """
    from instructerc.experiments.documents import read_document

    path = _find(name_or_path)
    reader = _Reader()
    table = reader.table(read_document(path).values, re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem))
    if reader.faults:
        raise RecipeError(str(path), reader.faults)
    return table


def read_figure(given: Any) -> Reported | None:
    """A figure as the paper prints it: a number, or a text such as `71.39 ± .10`; None where it is no figure.

    Example:
        >>> str(read_figure("71.39 ± .10")), str(read_figure(66.5)), str(read_figure("38.6")), read_figure("high")
        ('71.39 ± 0.10', '66.50', '38.6', None)
    """
    number = isinstance(given, int | float) and not isinstance(given, bool)
    found = FIGURE.match(f"{given:.2f}" if number else str(given).strip())
    if found is None or float(found[1]) > 100:
        return None
    return Reported(value=float(found[1]), deviation=float(found[2]) if found[2] else None, text=found[1])


def _find(name_or_path: str) -> Path:
    if name_or_path in table_names():
        return TABLES / f"{name_or_path}.yaml"
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    raise UnknownNameError("table", name_or_path, (*table_names(), "ls", "FILE.yaml"))


class _Reader:
    """Plain values → a table; gathers what is wrong on the way."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def table(self, values: Mapping[str, Any], name: str) -> Table:
        self._known(values, TABLE_KEYS, "")
        axis = self._axis(values.get("axis"))
        corpora = self._corpora(values.get("corpora"))
        points = ("",) if axis is None else tuple(axis.values)
        rows = tuple(
            self._row(row, f"rows[{number}]", tuple(corpora), points)
            for number, row in enumerate(self._list(values, "rows", ""), start=1)
        )
        if not rows:
            self.faults.append("rows: is empty: give at least one row with a name")
        names = [row.name for row in rows]
        self.faults += [f"rows: the name {row!r} stands twice: give each row its own" for row in _twice(names)]
        runs = values.get("runs")
        if runs is not None and (isinstance(runs, bool) or not isinstance(runs, int) or runs < 1):
            self.faults.append(f"runs: {runs!r} is wrong: takes a whole number >= 1, or null")
        return Table(
            name=name,
            title=self._text(values, "title", "", name),
            source=self._text(values, "source", "", ""),
            corpora=corpora,
            rows=rows,
            backbone=self._text(values, "backbone", "", ""),
            runs=cast("int | None", runs),
            settings=self._overrides(values.get("settings"), "settings"),
            published=self._overrides(values.get("published"), "published"),
            axis=axis,
            shows=tuple(map(str, self._list(values, "shows", ""))),
            note=" ".join(self._text(values, "note", "", "").split()),
        )

    def _axis(self, given: Any) -> Axis | None:
        if given is None:
            return None
        if not isinstance(given, Mapping) or not isinstance(given.get("values"), Mapping) or not given["values"]:
            self.faults.append("axis: takes the keys title, scale and values, with the overrides of each value")
            return None
        self._known(given, AXIS_KEYS, "axis.")
        scale = given.get("scale", "linear")
        if scale not in ("linear", "log"):
            self.faults.append(f"axis.scale: {scale!r} is wrong: choose one of linear, log")
        points = {
            str(value): self._overrides(overrides, f"axis.values.{value}")
            for value, overrides in given["values"].items()
        }
        return Axis(title=self._text(given, "title", "axis.", "value"), values=points, scale=scale)

    def _corpora(self, given: Any) -> dict[str, str]:
        if isinstance(given, list) and given:
            given = {str(name): name for name in given}
        if not isinstance(given, Mapping) or not given:
            self.faults.append("corpora: takes a list of corpora, or a mapping of names to what data.corpus takes")
            return {}
        wrong = [name for name, corpus in given.items() if not isinstance(corpus, str) or not NAME.fullmatch(str(name))]
        self.faults += [
            f"corpora: {name!r} is wrong: takes a word, with the name or path of a corpus" for name in wrong
        ]
        return {str(name): str(corpus) for name, corpus in given.items()}

    def _row(self, given: Any, place: str, corpora: tuple[str, ...], points: tuple[str, ...]) -> Row:
        if not isinstance(given, Mapping):
            self.faults.append(f"{place}: {given!r} is no mapping: begin with `name: …`")
            return Row(name=place, title=place)
        self._known(given, ROW_KEYS, f"{place}.")
        name = given.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.faults.append(f"{place}.name: {name!r} is wrong: takes a word of letters, digits, '.', '-', '_'")
        place = f"row {name}"
        at = given.get("at") or {}
        if not isinstance(at, Mapping):
            self.faults.append(f"{place}: at: takes a mapping of values of the axis to overrides")
            at = {}
        strays = [value for value in at if value not in points]
        self.faults += [f"{place}: at: {value!r} is no value of the axis: {_choose(points)}" for value in strays]
        mixture = given.get("mixture", False)
        if not isinstance(mixture, bool):
            self.faults.append(f"{place}: mixture: {mixture!r} is wrong: takes true or false")
        overrides = given.get("overrides")
        return Row(
            name=str(name),
            title=self._text(given, "title", f"{place}: ", str(name)),
            overrides=None if "overrides" not in given else self._overrides(overrides, f"{place}: overrides"),
            published=self._overrides(given.get("published"), f"{place}: published"),
            backbone=self._text(given, "backbone", f"{place}: ", ""),
            mixture=bool(mixture),
            marks=tuple(map(str, self._list(given, "marks", f"{place}: "))),
            at={str(value): self._overrides(more, f"{place}: at.{value}") for value, more in at.items()},
            reported_with=self._overrides(given.get("reported_with"), f"{place}: reported_with"),
            reported=self._reported(given.get("reported"), place, corpora, points),
        )

    def _reported(
        self, given: Any, place: str, corpora: tuple[str, ...], points: tuple[str, ...]
    ) -> dict[str, dict[str, Reported]]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self.faults.append(f"{place}: reported: takes a mapping of corpora to figures")
            return {}
        found: dict[str, dict[str, Reported]] = {}
        for corpus, figures in given.items():
            if corpus not in corpora:
                self.faults.append(f"{place}: reported: {corpus!r} is no corpus of the table: {_choose(corpora)}")
                continue
            listed = figures if isinstance(figures, list) else [figures]
            if len(listed) != len(points):
                reason = f"{len(listed)} figures for {len(points)} values of the axis: give one each, or null"
                self.faults.append(f"{place}: reported.{corpus}: {reason}")
                continue
            read = {point: read_figure(figure) for point, figure in zip(points, listed, strict=True)}
            for (point, figure), raw in zip(read.items(), listed, strict=True):
                if figure is None and raw is not None:
                    where = f"{place}: reported.{corpus}" + (f" at {point}" if point else "")
                    self.faults.append(f"{where}: {raw!r} is no figure: write 71.39, or 71.39 ± .10")
            found[str(corpus)] = {point: figure for point, figure in read.items() if figure is not None}
        return found

    def _overrides(self, given: Any, place: str) -> Overrides:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self.faults.append(f"{place}: {given!r} is no mapping: write keys of a recipe, such as window.size: 5")
            return {}
        return {str(key): value for key, value in given.items()}

    def _text(self, values: Mapping[str, Any], key: str, place: str, default: str) -> str:
        given = values.get(key)
        if given is None:
            return default
        if not isinstance(given, str):
            self.faults.append(f"{place}{key}: {given!r} is no text: quote it")
        return str(given)

    def _list(self, values: Mapping[str, Any], key: str, place: str) -> list[Any]:
        given = values.get(key)
        if given is None:
            return []
        if not isinstance(given, list):
            self.faults.append(f"{place}{key}: {given!r} is no list: begin each item with `- `")
            return []
        return given

    def _known(self, values: Mapping[str, Any], keys: tuple[str, ...], place: str) -> None:
        for key in values:
            if key not in keys:
                near = nearest(str(key), keys)
                hint = f"did you mean {near!r}?" if near else _choose(keys)
                self.faults.append(f"{place}{key}: unknown key: {hint}")


def _choose(known: tuple[str, ...]) -> str:
    named = [value for value in known if value]
    return f"choose one of {', '.join(named)}" if named else "there is none"


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
