"""What is kept of a cell: one small JSON file, which stays when run folders go.

```
results/ablation/full-meld-42.json    figures a corpus, marks, setting, seconds, revision, what the report says of it
```
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.assets import json_bytes, write_atomically
from instructerc.errors import ArtefactError
from instructerc.reproduction.costs import passes_of
from instructerc.reproduction.grid import Cell
from instructerc.reproduction.settings import key_of, setting_of, value_of

if TYPE_CHECKING:
    from instructerc.experiments.schema import Recipe

FORMAT = 1
"""Version of the files."""

REPORT = "report.json"
GROUPS = ("Data", "Method", "Demonstrations", "Run", "Versions")
"""Groups of a report's provenance that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured on a corpus; fractions.

    Attributes:
        weighted_f1: Weighted F1.
        macro_f1: Macro F1.
        accuracy: Accuracy.
        turns: Turns that it was measured on.
        low: Lower end of the bootstrap interval of the weighted F1; None where there is none.
        high: Its upper end.
    """

    weighted_f1: float
    macro_f1: float
    accuracy: float
    turns: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What came out of a cell.

    Attributes:
        table: Name of the table.
        row: Name of the row.
        corpora: Names of the corpora that were learned from together.
        value: Value of the axis; empty where there is none.
        seed: The seed.
        key: Of the setting; two results with one key are one run.
        figures: What was measured, by corpus.
        marks: What a reader has to know beside the figures, whichever row they stand in.
        setting: What the figures depend on, by key of the recipe; defaults are left out.
        seconds: Wall time of the run.
        passes: Examples that were learned from, epochs times turns times tasks; None where that is not known.
        facts: Groups of the report's provenance.
        unmeasured: Why there is no figure, by corpus that was learned from and has none.
    """

    table: str
    row: str
    corpora: tuple[str, ...]
    value: str
    seed: int
    key: str
    figures: Mapping[str, Figure]
    marks: tuple[str, ...] = ()
    setting: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    passes: float | None = None
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unmeasured: Mapping[str, str] = field(default_factory=dict)

    @property
    def backbone(self) -> str:
        """The backbone that it was run with."""
        return str(value_of(self.setting, "backbone.name"))

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        record |= {"corpora": list(self.corpora), "marks": list(self.marks)}
        record["figures"] = {corpus: asdict(figure) for corpus, figure in self.figures.items()}
        return {"format": FORMAT, **record, "revision": self.facts.get("Run", {}).get("revision")}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CellResult:
        """Reads what `to_json` wrote.

        Raises:
            ArtefactError: Another version of this package wrote it.
        """
        if record.get("format") != FORMAT:
            raise ArtefactError(f"result of format {record.get('format')!r}: this version reads format {FORMAT}")
        record = {"unmeasured": {}, **record}  # younger than the format
        values = {name: record[name] for name in cls.__dataclass_fields__}
        values |= {"corpora": tuple(record["corpora"]), "marks": tuple(record["marks"])}
        values["figures"] = {corpus: Figure(**figure) for corpus, figure in record["figures"].items()}
        return cls(**values)

    def of(self, cell: Cell) -> CellResult:
        """The same figures as those of another cell, whose run is the same."""
        names = dict(zip(self.corpora, cell.corpora, strict=True))
        return replace(
            self,
            table=cell.table,
            row=cell.row,
            corpora=cell.corpora,
            value=cell.value,
            figures={names[corpus]: figure for corpus, figure in self.figures.items()},
            unmeasured={names[corpus]: reason for corpus, reason in self.unmeasured.items()},
        )


class Results:
    """The folder of results.

    Args:
        folder: Where they are; it is made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._by_key: dict[str, CellResult] | None = None

    def path(self, table: str, name: str) -> Path:
        """Where the result of a cell stands."""
        return self.folder / table / f"{name}.json"

    def read(self, cell: Cell) -> CellResult | None:
        """The result of a cell, whatever it was run with; None where there is none.

        Raises:
            ArtefactError: The file is damaged, or of another version.
        """
        path = self.path(cell.table, cell.name)
        return _read(path) if path.is_file() else None

    def with_key(self, key: str) -> CellResult | None:
        """A result of any table with this key; None where there is none that can be read."""
        if self._by_key is None:
            self._by_key = {}
            for result in self.readable():
                self._by_key.setdefault(result.key, result)
        return self._by_key.get(key)

    def readable(self) -> Iterator[CellResult]:
        """Every result of any table, by name of the file; no file that is damaged or none of ours stops the others."""
        for path in sorted(self.folder.glob("*/*.json")):
            with contextlib.suppress(ArtefactError):
                yield _read(path)

    def of_table(self, table: str) -> list[CellResult]:
        """Every result of a table, by name of the file.

        Raises:
            ArtefactError: A file is damaged, or of another version.
        """
        return [_read(path) for path in sorted((self.folder / table).glob("*.json"))]

    def write(self, cell: Cell, result: CellResult) -> Path:
        """Keeps the result of a cell."""
        if self._by_key is not None:
            self._by_key.setdefault(result.key, result)
        return write_atomically(self.path(cell.table, cell.name), json_bytes(result.to_json()))


def harvest(cell: Cell, folder: Path | None = None) -> CellResult:
    """The result of a cell, out of a run folder that is finished.

    Args:
        cell: The cell.
        folder: Its run folder; None takes the cell's.

    Raises:
        ArtefactError: The folder holds no report that could be read, or one of other corpora.
        UsageError: The cell's own recipe is wrong.
    """
    folder = folder or cell.folder
    report = _json(folder / REPORT)
    resolved = cell.resolve()
    setting = setting_of(resolved)
    try:
        run = report["provenance"].get("Run", {})
        times = [run[name] for name in ("training seconds", "seconds in all") if run.get(name) is not None]
        figures = dict(_figures(cell, resolved.recipe, report, folder))
        reason = f"nothing measured: no labelled turn in {_split(report)}"
        return CellResult(
            table=cell.table,
            row=cell.row,
            corpora=cell.corpora,
            value=cell.value,
            seed=cell.seed,
            key=key_of(setting),
            figures=figures,
            marks=distinct_marks((*marks_of(setting), *report.get("marks", ()))),
            setting=setting,
            # A resumed run counts its last part only, but the training of all of them.
            seconds=max(times) if times else None,
            passes=passes_of(resolved),
            facts={name: report["provenance"][name] for name in GROUPS if name in report["provenance"]},
            unmeasured={corpus: reason for corpus in cell.corpora if corpus not in figures},
        )
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"lacks {error}: it is of another version; run the cell anew in another folder"
        raise ArtefactError(f"{folder / REPORT}: {reason}") from None


def marks_of(setting: Mapping[str, Any]) -> list[str]:
    """What a reader has to know of a run with this setting.

    Example:
        >>> marks_of({"checkpoints.select": "test", "data.limit": 20})
        ['test-selected epoch', 'first 20 conversations of each split']
    """
    candidates = (
        (setting.get("checkpoints.select") == "test", "test-selected epoch"),
        (setting.get("data.leaks") == "published", "leaks: published"),
        (setting.get("demonstrations.pairing") == "oracle", "oracle demonstrations"),
        (setting.get("window.context") == "both", "sees turns after the target"),
        ("evaluation.split" in setting, f"measured on {setting.get('evaluation.split')}"),
        ("data.limit" in setting, f"first {setting.get('data.limit')} conversations of each split"),
    )
    return [text for holds, text in candidates if holds]


def distinct_marks(marks: Iterable[str]) -> tuple[str, ...]:
    """Each mark once, and none that another one begins with and goes on from.

    Example:
        >>> distinct_marks(["leaks: published", "oracle", "leaks: published", "oracle: chosen by the right answers"])
        ('leaks: published', 'oracle: chosen by the right answers')
    """
    found = list(dict.fromkeys(marks))
    return tuple(mark for mark in found if not any(other != mark and other.startswith(mark) for other in found))


def _figures(cell: Cell, recipe: Recipe, report: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Figure]]:
    """Of a mixture what was measured on each corpus that has labels to measure by, else the report's own headline."""
    sources = report.get("sources") or {}
    if len(cell.corpora) == 1 and len(sources) <= 1:
        split = _split(report)
        interval = report["intervals"].get(split) or {}
        yield cell.corpora[0], _figure(report["scores"][split], interval.get("low"), interval.get("high"))
        return
    mixed = [_source(corpus, sources) for corpus in recipe.data.corpora]
    strangers = [source for source in sources if source not in mixed]
    if not sources or strangers or len(mixed) != len(cell.corpora):
        held = f"scores of {', '.join(sources)}" if sources else "no scores"
        reason = f"holds {held} where the cell learns from {', '.join(mixed)}: run the cell anew in another folder"
        raise ArtefactError(f"{folder / REPORT}: {reason}")
    for corpus, source in zip(cell.corpora, mixed, strict=True):
        if source in sources:
            low, high = _interval(folder, source, sources[source], cell.seed)
            yield corpus, _figure(sources[source], low, high)


def _source(corpus: str, sources: Collection[str]) -> str:
    """What a mixture calls a corpus that `data.corpus` names: by the catalogue, or after its file or folder.

    Where the data lie on another machine, only the report can tell a folder `calls.new` from a file `calls.csv`.

    Args:
        corpus: A name of the catalogue, a path, or NAME=PATH.
        sources: The corpora of the report.
    """
    from instructerc.corpora import SOURCES
    from instructerc.corpora.load import named_source

    called, given = named_source(corpus)
    if given is not None or called in SOURCES:
        return called
    path = Path(corpus).expanduser()
    folder = path.resolve().name
    return folder if path.is_dir() or (not path.exists() and folder in sources) else path.stem


def _split(report: Mapping[str, Any]) -> str:
    """The split that a report's headline is of."""
    return "test" if "test" in report["scores"] else str(next(iter(report["scores"])))


def _figure(scores: Mapping[str, Any], low: float | None, high: float | None) -> Figure:
    return Figure(
        weighted_f1=scores["weighted_f1"],
        macro_f1=scores["macro_f1"],
        accuracy=scores["accuracy"],
        turns=scores["support"],
        low=low,
        high=high,
    )


def _interval(
    folder: Path, source: str, scores: Mapping[str, Any], seed: int
) -> tuple[float, float] | tuple[None, None]:
    """Bootstrap interval on one corpus of a mixture, which reports hold for the whole only."""
    from instructerc.evaluation import interval_of_rows, rows_by_source
    from instructerc.recognition.predictions import read_predictions

    path = folder / "predictions.jsonl"
    if not path.is_file():
        return None, None
    rows = rows_by_source(read_predictions(path)).get(source)
    if not rows:
        return None, None
    interval = interval_of_rows(rows, labels=scores["labels"], seed=seed)
    return interval.low, interval.high


def _read(path: Path) -> CellResult:
    try:
        return CellResult.from_json(_json(path))
    except ArtefactError as error:
        known = str(error).startswith(str(path))
        raise ArtefactError(str(error) if known else f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path}: is damaged (it lacks {error}): remove it, and the cell is run again") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read ({error.strerror}): run the cell first") from None
    except ValueError as error:
        raise ArtefactError(f"{path}: is damaged ({error}): remove it, and the cell is run again") from None
