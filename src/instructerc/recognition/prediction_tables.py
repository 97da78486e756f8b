"""Predictions as tables: csv for spreadsheets, Parquet for data frames. What goes in comes out again.

```
conversation  turn  speaker  text             emotion  confidence  …  p_joy  p_anger
call-17       0     Ada      We did it!       joy      0.93        …  0.93   0.07
```
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from instructerc.assets import replacing
from instructerc.errors import DataError, UnreadableFileError, UsageError
from instructerc.recognition.predictions import TurnPrediction

TableFormat = Literal["csv", "parquet"]

_COLUMNS = (
    *("conversation", "turn", "speaker", "text", "emotion", "confidence", "entropy", "gold"),
    *("answer", "out_of_label", "dropped_turns", "probabilities", "model", "prompt"),
)
_DERIVED = frozenset({"confidence", "entropy"})
"""Columns that follow from the probabilities: for eyes and sorting, and not read back."""

_ROWS = 4096
"""Rows of a Parquet group: bounds memory."""


def table_format(path: Path) -> TableFormat:
    """What a table is to be, by the end of its name.

    Raises:
        UsageError: The name ends otherwise.

    Example:
        >>> table_format(Path("calls.CSV"))
        'csv'
    """
    formats: dict[str, TableFormat] = {".csv": "csv", ".parquet": "parquet"}
    if path.suffix.lower() not in formats:
        raise UsageError(f"{path}: what table it is to be is read off its end: name it {' or '.join(formats)}")
    return formats[path.suffix.lower()]


def write_prediction_table(
    path: Path,
    rows: Iterable[TurnPrediction],
    *,
    labels: Sequence[str],
    format: TableFormat,  # noqa: A002
) -> Path:
    """Writes predictions, a turn a row, in the memory of a few thousand of them; atomically.

    Args:
        path: The file; its folder is made where it is missing.
        rows: The predictions.
        labels: The labels that get a column of their own, `p_LABEL`.
        format: `csv` (UTF-8 with a byte order mark, which spreadsheets need to see that it is) or `parquet`.
    """
    records = (_record(row, labels) for row in rows)
    with replacing(path) as file:
        _write_csv(file, records, labels) if format == "csv" else _write_parquet(file, records, labels)
    return path


def read_prediction_table(path: Path, *, format: TableFormat) -> Iterator[TurnPrediction]:  # noqa: A002
    """The predictions of a table that `write_prediction_table` wrote, one at a time.

    Raises:
        UnreadableFileError: The file is no such table.
    """
    records = _read_csv(path) if format == "csv" else _read_parquet(path)
    try:
        for record in records:
            values = {name: record[name] for name in _COLUMNS if name not in _DERIVED}
            yield TurnPrediction.from_json(
                {
                    **values,
                    "turn": int(values["turn"]),
                    "dropped_turns": int(values["dropped_turns"]),
                    "out_of_label": values["out_of_label"] in (True, "true"),
                    "probabilities": json.loads(values["probabilities"]) if values["probabilities"] else None,
                    "gold": values["gold"] or None,
                    "answer": values["answer"] or None,
                }
            )
    except (KeyError, ValueError, TypeError, DataError, OSError, csv.Error) as error:
        raise UnreadableFileError(
            f"{path}: is no table of predictions ({type(error).__name__}: {error}): name another file"
        ) from None


def _record(row: TurnPrediction, labels: Sequence[str]) -> dict[str, Any]:
    shares = row.probabilities
    record = row.to_json()
    record["confidence"] = None if shares is None else max(shares.values())
    record["entropy"] = row.entropy
    record["probabilities"] = None if shares is None else json.dumps(dict(shares), ensure_ascii=False)
    return record | {f"p_{label}": None if shares is None else shares.get(label) for label in labels}


def _write_csv(file: Any, records: Iterable[dict[str, Any]], labels: Sequence[str]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", errors="backslashreplace", write_through=True)
    text.write("\ufeff")
    writer = csv.DictWriter(text, [*_COLUMNS, *(f"p_{label}" for label in labels)])
    writer.writeheader()
    for record in records:
        record["out_of_label"] = "true" if record["out_of_label"] else "false"
        writer.writerow(record)
    text.flush()
    text.detach()


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ()) and name not in _DERIVED]
        if missing:
            raise ValueError(f"lacks the column {missing[0]!r}")
        yield from reader


def _write_parquet(file: Any, records: Iterable[dict[str, Any]], labels: Sequence[str]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"turn": pa.int64(), "dropped_turns": pa.int64(), "out_of_label": pa.bool_()}
    kinds |= dict.fromkeys(_DERIVED, pa.float64())
    columns = [(name, kinds.get(name, pa.string())) for name in _COLUMNS]
    schema = pa.schema([*columns, *((f"p_{label}", pa.float64()) for label in labels)])
    with parquet.ParquetWriter(file, schema) as writer:
        waiting: list[dict[str, Any]] = []
        for record in records:
            waiting.append(record)
            if len(waiting) >= _ROWS:
                writer.write_table(pa.Table.from_pylist(waiting, schema))
                waiting = []
        writer.write_table(pa.Table.from_pylist(waiting, schema))


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise ValueError(str(error)) from None
