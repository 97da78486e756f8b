"""Which format a file is in, and the reader of each: by the end of its name, then by how its content begins.

| format | what it is | file names |
|---|---|---|
| conversations | our schema, a conversation a line | .jsonl .ndjson .json |
| rows | a table, a JSON object a line | .jsonl .ndjson .json |
| csv, tsv, parquet | tables | .csv, .tsv .tab, .parquet .pq |
| transcript | `Speaker: text` lines | .txt .text |
| srt, vtt | subtitles | .srt, .vtt |
| chat | JSON document of role/content messages | .json |
| chat-lines | the same, a conversation a line | .jsonl .ndjson .json |
| label-studio | export of Label Studio | .json |
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from instructerc.corpora.chat import iterate_chat
from instructerc.corpora.columns import Columns
from instructerc.corpora.jsonl import iterate_jsonl
from instructerc.corpora.label_studio import iterate_label_studio
from instructerc.corpora.reading import PlacedConversation, Source
from instructerc.corpora.subtitles import iterate_subtitles
from instructerc.corpora.table import iterate_table
from instructerc.corpora.transcript import iterate_transcript, split_speaker, strip_time
from instructerc.errors import Problem, UnknownNameError, UnreadableFileError

Reader = Callable[[Source, list[Problem], Columns, bool], Iterator[PlacedConversation]]
"""Source, where faults go, the columns of a table, and whether emotions must be there."""


def _table(format: str) -> Reader:  # noqa: A002
    return lambda source, problems, columns, labelled: iterate_table(
        source, problems, columns=columns, format=format, labelled=labelled
    )


READERS: Mapping[str, Reader] = {
    "conversations": lambda source, problems, _columns, _labelled: iterate_jsonl(source, problems),
    "rows": _table("rows"),
    "csv": _table("csv"),
    "tsv": _table("tsv"),
    "parquet": _table("parquet"),
    "transcript": lambda source, problems, _columns, _labelled: iterate_transcript(source, problems),
    "srt": lambda source, problems, _columns, _labelled: iterate_subtitles(source, problems),
    "vtt": lambda source, problems, _columns, _labelled: iterate_subtitles(source, problems),
    "chat": lambda source, problems, _columns, _labelled: iterate_chat(source, problems, lines=False),
    "chat-lines": lambda source, problems, _columns, _labelled: iterate_chat(source, problems, lines=True),
    "label-studio": lambda source, problems, _columns, _labelled: iterate_label_studio(source, problems),
}
"""Every format by its name."""

UNLABELLED_FORMATS = frozenset({"transcript", "srt", "vtt"})
"""The formats that cannot carry an emotion."""

_BY_SUFFIX = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "transcript",
    ".text": "transcript",
    ".srt": "srt",
    ".vtt": "vtt",
}
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")

KNOWN_SUFFIXES = (*_BY_SUFFIX, *_JSON_SUFFIXES)
"""The ends of file names that are read."""

_HEAD_BYTES = 65536
_JSON_START = re.compile(r"\{|\[\s*[\[{\]]")  # not "[00:01] Ann: …", a transcript
_LABEL_STUDIO = re.compile(r'"(annotations|predictions)"\s*:\s*\[')
_SUBTITLE_TIMES = re.compile(r"\d{1,2}:\d{2}[.,]\d{1,3}\s*-->")


def check_format(format: str | None) -> None:  # noqa: A002
    """Refuses a format that nobody reads.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if format is not None and format not in READERS:
        raise UnknownNameError("format", format, READERS)


def detect_format(path: Path) -> str:
    """The format of a file.

    Args:
        path: The file; read only where its name does not settle it.

    Returns:
        A key of `READERS`.

    Raises:
        UnreadableFileError: The file is missing or empty, or nothing about it says what it is.
    """
    suffix = path.suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    with Source(path).open() as stream:
        head = stream.read(_HEAD_BYTES)
    return detect_content(path, head)


def detect_content(path: Path, head: bytes) -> str:
    """The format of a file by how it begins; `path` only names it, and tells `.json` from `.jsonl`.

    Raises:
        UnreadableFileError: Nothing says what it is.
    """
    suffix = path.suffix.lower()
    text = head.decode("utf-8", errors="replace").removeprefix("\ufeff").lstrip()
    if not text:
        raise Source(path).unreadable("the file is empty: it was perhaps not written to its end")
    if suffix in _JSON_SUFFIXES or _JSON_START.match(text):
        return _json_format(text, document=suffix == ".json")
    if head.startswith(b"PAR1"):
        return "parquet"
    if text.startswith("WEBVTT"):
        return "vtt"
    if _SUBTITLE_TIMES.search("\n".join(text.splitlines()[:2])):
        return "srt"
    return _plain_format(path, text)


def _json_format(text: str, *, document: bool) -> str:
    if text.startswith("[") and _LABEL_STUDIO.search(text):
        return "label-studio"
    first, _, rest = text.partition("\n")
    alone = not rest.strip()
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        # A document over several lines; or a line that is cut off, whose first keys still tell what it was to be.
        if document or first.strip() in ("[", "{") or is_json(text):
            return "chat"
        keys = re.findall(r'"(utterances|messages|role)"\s*:', first)
        return "chat-lines" if keys and keys[0] != "utterances" else "conversations"
    if isinstance(record, dict) and "messages" in record and "utterances" not in record:
        return "chat" if document and alone else "chat-lines"
    if isinstance(record, list):
        return "chat" if document or alone else "chat-lines"
    return "rows" if isinstance(record, dict) and "utterances" not in record else "conversations"


def is_json(text: str | bytes) -> bool:
    """Whether a text is one whole JSON object or list."""
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _plain_format(path: Path, text: str) -> str:
    first = text.splitlines()[0]
    wanted = set(Columns().wanted())
    for delimiter, format in ((",", "csv"), ("\t", "tsv")):  # noqa: A001
        if len(wanted & {cell.strip('"') for cell in first.split(delimiter)}) >= 2:
            return format
    if split_speaker(strip_time(first)) is not None:
        return "transcript"
    raise _undetected(path)


def _undetected(path: Path) -> UnreadableFileError:
    return Source(path).unreadable(
        f"neither its name nor its first line says what format it is in: end its name in one of "
        f"{', '.join(KNOWN_SUFFIXES)}, or give the format ({', '.join(READERS)})"
    )
