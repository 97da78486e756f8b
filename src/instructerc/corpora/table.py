"""Tables, a turn a row: csv, tsv, JSON Lines of rows, parquet.

```
conversation,turn,speaker,text,emotion            Conversation("a", (
a,1,Ada,We did it!,joy                     →        Utterance("Bo", "Ready?", None),
a,0,Bo,Ready?,                                      Utterance("Ada", "We did it!", "joy")))
```

Rows are grouped by conversation in the order of their first row, and sorted by turn where there is a turn column
(as numbers: 10 after 9). Numbers are accepted as conversation and as speaker. An empty text is kept: a turn without
words is still a turn. `load_path_corpus` refuses it: in data to learn from, it is a lost cell nearly always.
"""

from __future__ import annotations

import bisect
import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from instructerc.conversation import Conversation, Split, Utterance
from instructerc.corpora.columns import Columns
from instructerc.corpora.reading import Place, PlacedConversation, Source, character_fault, refuse, require_writable
from instructerc.corpora.splits import SPLIT_NAMES
from instructerc.corpora.table_files import DELIMITED, TABLE_READERS, TABLE_WRITERS, Table
from instructerc.errors import Problem, UnknownNameError, nearest

__all__ = ["Columns", "iterate_table", "read_table", "write_table"]

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def read_table(path: Path, *, columns: Columns | None = None, format: str = "csv") -> tuple[Conversation, ...]:  # noqa: A002
    """Every conversation of a table.

    Args:
        path: The file; csv, tsv and rows are UTF-8, a byte order mark is accepted.
        columns: Names of the columns; the emotion column need not exist.
        format: `csv`, `tsv`, `rows` (a JSON object a line) or `parquet`. A csv or tsv file may separate by comma,
            semicolon or tab: whichever yields most of the wanted columns.

    Returns:
        The conversations, in the order of their first rows.

    Raises:
        UnreadableFileError: The file is missing, empty, or not of that format.
        InvalidRowsError: Rows break the rules; carries every one.
    """
    problems: list[Problem] = []
    placed = list(iterate_table(Source(path), problems, columns=columns or Columns(), format=format))
    refuse(problems)
    return tuple(item.conversation for item in placed)


def write_table(
    path: Path,
    conversations: Iterable[Conversation],
    *,
    columns: Columns | None = None,
    format: str = "csv",  # noqa: A002
) -> Path:
    """Writes a turn a row, atomically; turns count from 0.

    Args:
        path: The file; its folder must exist.
        conversations: At least one turn each, ids unique.
        columns: Names of the columns; no split column is written.
        format: `csv`, `tsv`, `rows` or `parquet`.

    Returns:
        `path`.

    Raises:
        DataError: The format cannot express a conversation; nothing was written.
    """
    from instructerc.assets import write_atomically

    if format not in TABLE_WRITERS:
        raise UnknownNameError("table format", format, TABLE_WRITERS)
    conversations, columns = tuple(conversations), columns or Columns()
    faults = _unwritable(conversations, plain=format in DELIMITED)
    require_writable(path, conversations, faults=faults)
    write_atomically(path, TABLE_WRITERS[format](list(_rows_of(conversations, columns))))
    return path


def iterate_table(
    source: Source,
    problems: list[Problem],
    *,
    columns: Columns,
    format: str,  # noqa: A002
    labelled: bool = False,
) -> Iterator[PlacedConversation]:
    """The conversations of a table, each turn with its place; faults go to `problems`.

    Args:
        source: What to read.
        problems: Receives what is wrong.
        columns: Names of the columns.
        format: `csv`, `tsv`, `rows` or `parquet`.
        labelled: Whether the emotion column must exist.
    """
    table = TABLE_READERS[format](source, columns, problems)
    missing = [name for name in columns.required(labelled=labelled) if name not in table.columns]
    problems.extend(Problem(source.path, None, name, _missing(name, table.columns, columns)) for name in missing)
    if not missing:
        yield from _grouped(source.path, table, columns, problems)


# --- rows → conversations


@dataclass(slots=True)
class _Row:
    line: int
    conversation: str
    turn: Decimal | None
    utterance: Utterance
    split: Split | None


@dataclass(slots=True)
class _Reader:
    """Turns the cells of one row into values, and collects what is wrong with them.

    Attributes:
        owners: Conversation of each line at fault, where the line says it.
    """

    file: Path
    columns: Columns
    problems: list[Problem]
    line: int = 0
    faults: int = field(default=0)
    owners: dict[int, str] = field(default_factory=dict)

    def row(self, line: int, cells: Mapping[str, Any]) -> _Row | None:
        self.line, self.faults = line, 0
        columns = self.columns
        conversation = self._name(columns.conversation, cells.get(columns.conversation))
        speaker = self._name(columns.speaker, cells.get(columns.speaker))
        text = self._text(columns.text, cells.get(columns.text)) or ""
        emotion = self._text(columns.emotion, cells.get(columns.emotion)) if columns.emotion else None
        split = self._split(columns.split, cells.get(columns.split)) if columns.split else None
        unusable = bool(self.faults)
        # A row that is wrong in its turn alone stays: its text and its emotion are judged too, all faults at once.
        turn = self._turn(columns.turn, cells.get(columns.turn)) if columns.turn else None
        if self.faults and conversation:
            self.owners[line] = conversation
        if unusable:
            return None
        emotion = (emotion or "").strip() or None
        return _Row(line, conversation, turn, Utterance(speaker, text, emotion), split)

    def _fault(self, column: str, reason: str) -> None:
        self.faults += 1
        self.problems.append(Problem(self.file, self.line, column, reason))

    def _text(self, column: str, value: Any) -> str | None:
        if value is not None and not isinstance(value, str):
            self._fault(column, f"{_shown(value)} is {type(value).__name__}, not text: write it as text")
            return None
        if value and (fault := character_fault(value)):
            self._fault(column, fault)
        return str(value) if value is not None else None

    def _name(self, column: str, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        before = self.faults
        text = self._text(column, value)
        if self.faults == before and not (text or "").strip():
            self._fault(column, "is empty: every row names one")
        return text or ""

    def _turn(self, column: str, value: Any) -> Decimal | None:
        text = (
            str(value).strip() if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool) else ""
        )
        if _NUMBER.fullmatch(text):
            return Decimal(text)
        shown = "is empty" if value is None or value == "" else f"{_shown(value)} is not a number"
        self._fault(column, f"{shown}: write a number, or name no turn column to keep file order")
        return None

    def _split(self, column: str, value: Any) -> Split | None:
        if value is None or value == "":
            return None
        name = SPLIT_NAMES.get(str(value).strip().lower())
        if name is None:
            near = nearest(str(value), SPLIT_NAMES)
            hint = f"did you mean {near!r}? " if near else ""
            self._fault(column, f"unknown split {_shown(value)}: {hint}Known: {', '.join(SPLIT_NAMES)}")
        return name


def _grouped(file: Path, table: Table, columns: Columns, problems: list[Problem]) -> Iterator[PlacedConversation]:
    groups: dict[str, list[_Row]] = {}
    reader = _Reader(file, columns, problems)
    for line, cells in table.rows:
        row = reader.row(line, cells)
        if row is not None:
            groups.setdefault(row.conversation, []).append(row)
    faulty_names = _at_fault(groups, reader.owners, problems)
    for name, rows in groups.items():
        before = len(problems)
        problems.extend(_duplicates(file, name, rows, columns))
        problems.extend(_torn(file, name, rows, columns))
        faulty = name in faulty_names or len(problems) > before
        if columns.turn is not None:
            rows.sort(key=lambda row: row.turn or Decimal(0))
        places = tuple(Place(row.line, columns.text, columns.emotion or "emotion") for row in rows)
        conversation = Conversation(name, tuple(row.utterance for row in rows))
        yield PlacedConversation(conversation, places, rows[0].split, faulty=faulty)


def _at_fault(groups: Mapping[str, list[_Row]], owners: Mapping[int, str], problems: Sequence[Problem]) -> set[str]:
    """Conversations that are not what was said.

    A line that does not even say whose it is may be of the conversation before it or of the one after it.
    """
    found = set(owners.values())
    rows = sorted((row.line, row.conversation) for group in groups.values() for row in group)
    for line in {problem.line for problem in problems if problem.line is not None} - set(owners):
        after = bisect.bisect_right(rows, line, key=lambda row: row[0])
        found.update(name for _, name in rows[max(after - 1, 0) : after + 1])
    return found


def _duplicates(file: Path, name: str, rows: list[_Row], columns: Columns) -> Iterator[Problem]:
    first: dict[Decimal, int] = {}
    for row in rows:
        if row.turn is None:
            continue
        earlier = first.setdefault(row.turn, row.line)
        if earlier != row.line:
            reason = f"turn {row.turn} of conversation {name!r} stands already in line {earlier}: a turn occurs once"
            yield Problem(file, row.line, columns.turn, reason)


def _torn(file: Path, name: str, rows: list[_Row], columns: Columns) -> Iterator[Problem]:
    for row in rows:
        if row.split != rows[0].split:
            reason = (
                f"conversation {name!r} is in {row.split or 'no split'} here and in {rows[0].split or 'no split'} in "
                f"line {rows[0].line}: a conversation is in one split"
            )
            yield Problem(file, row.line, columns.split, reason)


def _missing(name: str, header: Sequence[str], columns: Columns) -> str:
    near = nearest(name, header)
    role = next(
        role for role in ("conversation", "turn", "speaker", "text", "emotion") if getattr(columns, role) == name
    )
    hint = f"did you mean {near!r}? " if near else ""
    also = ", or turn=None (--column turn=) where rows stand in spoken order" if role == "turn" else ""
    found = ", ".join(header[:20]) + (", …" if len(header) > 20 else "")
    return f"no such column: {hint}The table has: {found}. Name it: Columns({role}=…), --column {role}=…{also}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


# --- conversations → files


def _rows_of(conversations: Sequence[Conversation], columns: Columns) -> Iterator[dict[str, Any]]:
    for conversation in conversations:
        for turn, utterance in enumerate(conversation.utterances):
            row: dict[str, Any] = {columns.conversation: conversation.id}
            if columns.turn is not None:
                row[columns.turn] = turn
            row |= {columns.speaker: utterance.speaker, columns.text: utterance.text}
            if columns.emotion is not None:
                row[columns.emotion] = utterance.emotion
            yield row


def _unwritable(conversations: Sequence[Conversation], *, plain: bool) -> Iterator[str]:
    for conversation in conversations:
        if not conversation.id.strip():
            yield f"conversation id {conversation.id!r} is blank: a table cannot tell it from a lost cell"
        for turn, utterance in enumerate(conversation.utterances):
            place = f"conversation {conversation.id!r}, turn {turn}"
            if not utterance.speaker.strip():
                yield f"{place}: the speaker is blank: a table cannot tell it from a lost cell"
            if utterance.emotion is not None and utterance.emotion != (utterance.emotion.strip() or None):
                yield f"{place}: the emotion {utterance.emotion!r} has blanks around it: a table drops them"
            values = (conversation.id, utterance.speaker, utterance.text, utterance.emotion or "")
            if plain and any("\0" in value for value in values):
                yield f"{place}: holds a NUL character, which csv and tsv cannot express: use jsonl"
            if plain and any(len(value) > csv.field_size_limit() for value in values):
                yield f"{place}: more than {csv.field_size_limit():,} characters, the limit of csv and tsv: use jsonl"
