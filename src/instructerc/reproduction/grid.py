"""A table and a wish → cells: single trainings, each a recipe, its overrides and a folder of its own.

```
recipe  <  table.settings  <  table.published  <  --set  <  row  <  row.published  <  value of the axis  <  row.at
```

What stands further right wins, so that a row is what its name says whatever the command line sets for all of them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.errors import UnknownNameError, UsageError
from instructerc.experiments.rules import within
from instructerc.reproduction.table import Overrides, Row, Table

if TYPE_CHECKING:
    from instructerc.experiments.resolve import Resolved

SMALL_RECIPE = "meld"
"""The base of the embedded backbone: settings that suit 22 M weights."""

PUBLISHED_RECIPE = "llama2-7b-meld"
"""The base of every other backbone: the published settings."""

PUBLISHED_LENGTHS: Mapping[str, int] = {"iemocap": 1200, "iemocap-cosmic": 1200}
"""`prompt.max_length` of corpora that differ from that recipe's 1024 tokens (method §7)."""

EMBEDDED = "embedded"

PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
"""Texts that YAML takes for texts without quotes, but for its three words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which part of a table is wanted, and how its runs begin.

    Attributes:
        backbone: What takes the place of the paper's backbone; empty leaves it to `recipe`, or takes the embedded one.
        recipe: The base recipe; empty takes the one that suits the backbone.
        corpora: Names of corpora of the table; empty takes all.
        rows: Names of rows; empty takes all.
        values: Values of the axis; empty takes all.
        seeds: A run each.
        settings: `KEY=VALUE` texts that hold for every run.
        data: A folder that holds a folder for each corpus of the catalogue; None takes the download cache.
        out: Where tables, run folders and results go.
        results: Where the results of single cells go; None takes `results` inside `out`.
    """

    backbone: str = ""
    recipe: str = ""
    corpora: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (42,)
    settings: tuple[str, ...] = ()
    data: Path | None = None
    out: Path = Path("runs/reproduce")
    results: Path | None = None

    @property
    def base(self) -> str:
        """The recipe that cells begin with."""
        if self.recipe:
            return self.recipe
        return SMALL_RECIPE if self.backbone in ("", EMBEDDED) else PUBLISHED_RECIPE

    @property
    def published(self) -> bool:
        """Whether cells begin with the published settings."""
        return self.base == PUBLISHED_RECIPE

    @property
    def results_folder(self) -> Path:
        """Where the results of single cells go."""
        return self.results or self.out / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A single training of a table.

    Attributes:
        table: Name of the table.
        row: Name of the row.
        corpora: Names of the corpora that it learns from together, and is measured on.
        value: Value of the axis; empty where the table has none.
        seed: Its seed.
        recipe: The recipe that it begins with.
        overrides: Values of keys by dotted path, `seed` among them.
        folder: Its run folder.
    """

    table: str
    row: str
    corpora: tuple[str, ...]
    value: str
    seed: int
    recipe: str
    overrides: Mapping[str, Any] = field(hash=False)
    folder: Path

    @property
    def name(self) -> str:
        """Names its folder and its result."""
        return cell_name(self.row, self.corpora, self.value, self.seed)

    @property
    def texts(self) -> list[str]:
        """The overrides as `--set` takes them."""
        return [f"{key}={_written(value)}" for key, value in self.overrides.items()]

    def resolve(self) -> Resolved:
        """Its recipe.

        Raises:
            UsageError: The overrides do not fit the recipe, or each other.
        """
        from instructerc.experiments.resolve import resolve

        return resolve(self.recipe, [*self.texts, f"output.folder={json.dumps(str(self.folder))}"])

    def command(self) -> list[str]:
        """The words of a command line that runs it, wherever that is."""
        words = ["instructerc", "run", self.recipe]
        for text in self.texts:
            words += ["--set", text]
        return [*words, "--out", str(self.folder), "--resume"]


def cell_name(row: str, corpora: Sequence[str], value: str, seed: int) -> str:
    """What a cell's folder and its result are called.

    Example:
        >>> cell_name("total", ["meld", "emorynlp"], "1/4", 1), cell_name("full", ["meld"], "", 42)
        ('total-meld+emorynlp-1_4-1', 'full-meld-42')
    """
    parts = (row, "+".join(corpora), value.replace("/", "_"), str(seed))
    return "-".join(part for part in parts if part)


def expand(table: Table, request: Request) -> list[Cell]:
    """Every training that the wanted part of a table needs, row by row, in the order of the table.

    A row that was reported with several backbones is expanded for the one that is asked for; where the paper has none
    of that name, the asked-for backbone takes the place of the paper's main one.

    Args:
        table: The table.
        request: Which part of it.

    Raises:
        UnknownNameError: It has no such row, corpus or value.
        UsageError: `settings` name a key that every cell sets itself, or are no KEY=VALUE; a seed stands twice; two
            cells of the table have one name, or a row sets another number of corpora than its cells are of.
    """
    if len(set(request.seeds)) < len(request.seeds):
        raise UsageError(f"seeds {', '.join(map(str, request.seeds))}: one stands twice: give different ones")
    _check_names(table)
    corpora = wanted_corpora(table, request)
    points = wanted_values(table, request)
    given = _settings(request)
    cells = [
        _cell(table, row, request, given, corpora=together, value=value, seed=seed)
        for row in runnable_rows(table, request)
        for together in ([corpora] if row.mixture else [(corpus,) for corpus in corpora])
        for value in points
        for seed in request.seeds
    ]
    lost = [
        key
        for key in given
        if cells and all(_covers(_own(table, table.row(cell.row), cell.value, request), key) for cell in cells)
    ]
    if lost:
        raise UsageError(
            f"--set {lost[0]}: is what table {table.name} itself sets in every row: remove it, or choose other rows"
        )
    return cells


def wanted_corpora(table: Table, request: Request) -> tuple[str, ...]:
    """The corpora that were asked for, in the order of the table.

    Raises:
        UnknownNameError: The table has no such corpus.
    """
    return _chosen(f"corpus of table {table.name}", request.corpora, tuple(table.corpora))


def wanted_values(table: Table, request: Request) -> tuple[str, ...]:
    """The values of the axis that were asked for, in the order of the table.

    Raises:
        UnknownNameError: The axis has no such value.
        UsageError: The table has no axis.
    """
    if request.values and table.axis is None:
        raise UsageError(
            f"table {table.name} varies nothing beside its rows: remove --values {','.join(request.values)}"
        )
    return _chosen(f"value of table {table.name}", request.values, table.values)


def wanted_rows(table: Table, request: Request) -> tuple[Row, ...]:
    """The rows that were asked for, reported-only ones among them, in the order of the table.

    Raises:
        UnknownNameError: The table has no such row.
    """
    for name in request.rows:
        table.row(name)
    return tuple(row for row in table.rows if not request.rows or row.name in request.rows)


def runnable_rows(table: Table, request: Request) -> Iterator[Row]:
    """The wanted rows that runs with the asked-for backbone can fill; rows that are named can be filled with any."""
    named = {row.backbone for row in table.rows if row.overrides is not None}
    backbone = request.backbone if request.backbone and request.backbone in named else table.backbone
    for row in wanted_rows(table, request):
        fits = row.backbone in ("", backbone) or row.name in request.rows
        if row.overrides is not None and fits:
            yield row


def _check_names(table: Table) -> None:
    """Whether names tell cells apart, also those that were not asked for: all of them share folders.

    Cells of single corpora stand for mixtures as well: two of these have one name only where two of those have.

    Raises:
        UsageError: Two cells have the same name.
    """
    places: dict[str, str] = {}
    for row in table.rows:
        for corpus, value in itertools.product(table.corpora, table.values) if row.overrides is not None else ():
            place = f"row {row.name} on {corpus}" + (f" at {value}" if value else "")
            name = cell_name(row.name, [corpus], value, 0).removesuffix("-0")
            if name in places:
                raise UsageError(f"table {table.name}: {places[name]} and {place} are both called {name}: rename one")
            places[name] = place


def _written(value: Any) -> str:
    """A value as YAML reads it back; plain words stand without quotes."""
    plain = isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in ("null", "true", "false")
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _chosen(kind: str, wanted: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    for name in wanted:
        if name not in known:
            raise UnknownNameError(kind, name, known)
    return tuple(name for name in known if not wanted or name in wanted)


def _settings(request: Request) -> dict[str, Any]:
    """The command line's `KEY=VALUE` texts as values; `resolve` says later which of them are wrong."""
    from instructerc.experiments.documents import read_value

    given: dict[str, Any] = {}
    for text in request.settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {text!r} is no KEY=VALUE: write `--set training.epochs=3`")
        if key.strip() in ("seed", "output.folder", "data.corpus", "data.folder"):
            raise UsageError(f"--set {key.strip()}: has options of its own here: --seeds, --out, --corpora, --data")
        given[key.strip()] = read_value(value)
    return given


def _cell(
    table: Table,
    row: Row,
    request: Request,
    given: Mapping[str, Any],
    *,
    corpora: tuple[str, ...],
    value: str,
    seed: int,
) -> Cell:
    overrides = _base(table, row, corpora, request)
    shared = [table.settings, table.published if request.published else {}, given]
    for layer in (*shared, *_own(table, row, value, request)):
        overrides = over(overrides, layer)
    _check_corpora(table, row, corpora, overrides)
    overrides["seed"] = seed
    return Cell(
        table=table.name,
        row=row.name,
        corpora=corpora,
        value=value,
        seed=seed,
        recipe=request.base,
        overrides=overrides,
        folder=request.out / table.name / cell_name(row.name, corpora, value, seed),
    )


def _check_corpora(table: Table, row: Row, corpora: tuple[str, ...], overrides: Overrides) -> None:
    """Whether each corpus of a cell is one that its run learns from, so that figures can be told apart.

    Raises:
        UsageError: The row sets another number of corpora.
    """
    given = overrides.get("data.corpus")
    count = len(given) if isinstance(given, list) else 1
    if given is not None and count != len(corpora):
        raise UsageError(
            f"table {table.name}: row {row.name} sets data.corpus to {count} for {' + '.join(corpora)}: name "
            f"{len(corpora)}, or leave it out; with mixture: true a row learns from all corpora together"
        )


def _own(table: Table, row: Row, value: str, request: Request) -> list[Overrides]:
    """What row and value set, whatever the command line says."""
    numbers = row.published if request.published else {}
    at_value = table.axis.values[value] if table.axis is not None else {}
    return [row.overrides or {}, numbers, at_value, row.at.get(value, {})]


def _base(table: Table, row: Row, corpora: tuple[str, ...], request: Request) -> dict[str, Any]:
    """Corpus, its folder and the backbone; for the published settings also what they say of the corpus."""
    from instructerc.corpora import SOURCES

    names = [table.corpora[corpus] for corpus in corpora]
    found: dict[str, Any] = {"data.corpus": names if row.mixture else names[0]}
    if request.data is not None and all(name in SOURCES for name in names):
        found["data.folder"] = str(request.data if row.mixture else request.data / names[0])
    if request.backbone or not request.recipe:
        found["backbone.name"] = request.backbone or EMBEDDED
    if request.published and not row.mixture and names[0] in PUBLISHED_LENGTHS:
        found["prompt.max_length"] = PUBLISHED_LENGTHS[names[0]]
    return found


def over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Both, where a key of `upper` replaces itself, the keys inside it, and the section that it is in.

    Example:
        >>> over({"window.size": 3, "seed": 1}, {"window": None})
        {'seed': 1, 'window': None}
    """
    return {**{key: value for key, value in lower.items() if not _covers([upper], key)}, **upper}


def _covers(layers: Sequence[Overrides], key: str) -> bool:
    """Whether one of the layers says what a key is."""
    said = [other for layer in layers for other in layer]
    return any(within(key, other) or within(other, key) for other in said)
