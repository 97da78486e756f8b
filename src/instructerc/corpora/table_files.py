"""The files that hold tables: how their rows come out and go in, before a cell means anything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructerc.corpora.columns import Columns
from instructerc.corpora.jsonl import json_lines
from instructerc.corpora.reading import Source, decode
from instructerc.errors import Problem

DELIMITED = ("csv", "tsv")
"""The formats that cannot express every text."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table before its cells mean anything.

    Attributes:
        columns: The header.
        rows: Each row's line (of a parquet file: its row, counted from 1) and its cells.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[int, Mapping[str, Any]]]


def _read_delimited(source: Source, columns: Columns, problems: list[Problem], *, delimiter: str) -> Table:
    text = decode(source, problems)
    delimiter = _delimiter(text, columns, delimiter)
    rows: list[tuple[int, Mapping[str, Any]]] = []
    header: tuple[str, ...] = ()
    for line, cells in _records(text, delimiter, source.path, problems):
        if not header:
            header = tuple(cells)
            problems.extend(_repeated(source.path, header, columns))
        elif len(cells) != len(header):
            reason = f"has {len(cells)} fields where the header names {len(header)}"
            problems.append(
                Problem(source.path, line, None, f"{reason}: put a text that holds {delimiter!r} in quotes")
            )
        else:
            rows.append((line, dict(zip(header, cells, strict=True))))
    if not rows and not problems:
        raise source.unreadable("holds a header and no row: it was perhaps not written to its end")
    return Table(header, rows)


def _records(text: str, delimiter: str, file: Path, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(file, start, None, _quoting(error)))


def _quoting(error: csv.Error) -> str:
    reason = str(error)
    if "field limit" in reason:
        limit = csv.field_size_limit()
        return f"a field of this row is longer than {limit:,} characters: most likely a quote that never closes"
    if "unexpected end of data" in reason:
        return "a quote opened in this row never closes: the file was cut off, or a quote in a text is not doubled"
    return f"not CSV from here on ({reason}): put the text in quotes and double the quotes inside it"


def _delimiter(text: str, columns: Columns, own: str) -> str:
    head = next((line for line in text.splitlines() if line.strip()), "")

    def found(delimiter: str) -> int:
        try:
            header = next(csv.reader([head], delimiter=delimiter), [])
        except csv.Error:  # a line without end is no header; reading it says so
            return 0
        return len(set(header) & set(columns.wanted()))

    return max((own, ",", ";", "\t"), key=found)


def _read_rows(source: Source, columns: Columns, problems: list[Problem]) -> Table:
    rows: list[tuple[int, Mapping[str, Any]]] = []
    header: dict[str, None] = {}
    for line, record in json_lines(source, problems):
        if not isinstance(record, dict):
            reason = f'expected a JSON object, got {type(record).__name__}: a row is {{"{columns.text}": …}}'
            problems.append(Problem(source.path, line, None, reason))
            continue
        header |= dict.fromkeys(record)
        rows.append((line, record))
    return Table(tuple(header), rows)


def _read_parquet(source: Source, columns: Columns, problems: list[Problem]) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    with source.open() as stream:
        data = stream.read()
    if not data:
        raise source.unreadable("the file is empty: it was perhaps not written to its end")
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        header = tuple(file.schema_arrow.names)
        repeated = list(_repeated(source.path, header, columns))
        problems.extend(repeated)
        wanted = [] if repeated else [name for name in columns.wanted() if name in header]
        types = {name: file.schema_arrow.field(name).type for name in wanted}
        misfits = {name: reason for name in wanted if (reason := _misfit(types[name], name, columns))}
        problems.extend(Problem(source.path, None, name, reason) for name, reason in misfits.items())
        cells = {name: column.to_pylist() for name, column in _columns(file, wanted, misfits)}
    except (pa.ArrowException, OSError) as error:
        raise source.unreadable(f"not a readable Parquet file: {str(error).splitlines()[0]}") from None
    except UnicodeDecodeError as error:
        raise source.unreadable(f"a Parquet column holds text that is not UTF-8: {error.reason}") from None
    if misfits or repeated:
        return Table(columns.required(labelled=True), [])
    if not file.metadata.num_rows:
        raise source.unreadable("holds no row: it was perhaps not written to its end")
    # What the file says of its length may be anything; where none of its columns is ours, one row shows that.
    length = file.metadata.num_rows if cells else 1
    short = next((name for name, values in cells.items() if len(values) != length), None)
    if short is not None:
        found = f"{len(cells[short]):,} of the {length:,} rows that it claims"
        raise source.unreadable(f"column {short!r} has {found}: it was damaged, write it again")
    return Table(header, [(row + 1, {name: values[row] for name, values in cells.items()}) for row in range(length)])


def _columns(file: Any, wanted: list[str], misfits: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    if misfits or not wanted:
        return
    table = file.read(columns=wanted)
    yield from zip(table.column_names, table.columns, strict=True)


def _misfit(kind: Any, name: str, columns: Columns) -> str | None:
    """One complaint about the type of a column, not one about each of its million rows."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind)
    if text or name == columns.split:
        return None
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if name in (columns.conversation, columns.turn, columns.speaker):
        return None if number else f"the Parquet column holds {kind}, not text or numbers"
    return f"the Parquet column holds {kind}, not text: write it as strings"


def _repeated(file: Path, header: Sequence[str], columns: Columns) -> Iterator[Problem]:
    for name in columns.wanted():
        if header.count(name) > 1:
            yield Problem(file, 1, name, f"the header names this column {header.count(name)} times: a name occurs once")


TABLE_READERS: Mapping[str, Callable[[Source, Columns, list[Problem]], Table]] = {
    "csv": lambda source, columns, problems: _read_delimited(source, columns, problems, delimiter=","),
    "tsv": lambda source, columns, problems: _read_delimited(source, columns, problems, delimiter="\t"),
    "rows": _read_rows,
    "parquet": _read_parquet,
}


def _write_delimited(rows: Sequence[Mapping[str, Any]], delimiter: str) -> bytes:
    stream = io.StringIO(newline="")
    # The line end decides what is quoted: with a bare line feed, a carriage return inside a text would end the row.
    writer = csv.DictWriter(stream, list(rows[0]) if rows else [], delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8")


def _write_rows(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")


def _write_parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows)), stream)
    return stream.getvalue()


TABLE_WRITERS: Mapping[str, Callable[[Sequence[Mapping[str, Any]]], bytes]] = {
    "csv": lambda rows: _write_delimited(rows, ","),
    "tsv": lambda rows: _write_delimited(rows, "\t"),
    "rows": _write_rows,
    "parquet": _write_parquet,
}
