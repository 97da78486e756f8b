"""Pools on disk: a user's own table of labelled texts, and the folder in which a pool is kept.

```
pool/
  entries.jsonl   {"text": …, "label": …, "conversation": …, "turn": …, "content": …}
  vectors.npy     float32, [entries, dimensions]; only of an encoded pool
  pool.json       labels, encoder, and the sums of both: written last, so that a half-written folder is known
```
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.assets import write_atomically
from instructerc.corpora.columns import Columns
from instructerc.corpora.reading import Source, character_fault, refuse
from instructerc.corpora.table_files import TABLE_READERS
from instructerc.demonstrations.pool import DemonstrationPool, PoolEntry
from instructerc.errors import ArtefactError, InstructERCError, Problem, UnknownLabelError, UnknownNameError, nearest
from instructerc.labels import LabelSet

if TYPE_CHECKING:
    from instructerc.demonstrations.encoder import Vectors

FORMAT = 1
"""Changes when an older version could not read what is written."""

ENTRIES, VECTORS, SEAL = "entries.jsonl", "vectors.npy", "pool.json"

FORMATS: Mapping[str, str] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "rows", ".parquet": "parquet"}
"""What a file of one's own may be, by the ending of its name."""

COLUMNS = Columns(conversation="text", turn=None, speaker="label", emotion="label", split=None)
"""A pool's table has two columns; those of conversations are not looked for."""


def read_pool(path: Path, labels: LabelSet) -> DemonstrationPool:
    """A pool of one's own: a table with the columns `text` and `label`.

    Nobody knows which conversations its texts come from. In training, a turn is therefore never shown an entry of
    the very same words: it might be the turn itself, with its answer.

    Args:
        path: A `.csv`, `.tsv`, `.jsonl` (an object a line) or `.parquet` file; other columns are ignored.
        labels: The label set; other spellings that it knows are accepted.

    Raises:
        UnknownNameError: The name has another ending.
        UnreadableFileError: The file is missing, empty, or not of that format.
        InvalidRowsError: A column is missing, a cell is blank, or a label is unknown; carries all of them.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise UnknownNameError("ending of a demonstration file", path.suffix, FORMATS)
    problems: list[Problem] = []
    table = TABLE_READERS[FORMATS[path.suffix.lower()]](Source(path), COLUMNS, problems)
    missing = [name for name in ("text", "label") if name not in table.columns]
    for name in missing:
        near = nearest(name, table.columns)
        hint = f"did you mean {near!r}? " if near else ""
        found = ", ".join(table.columns[:20])
        problems.append(Problem(path, None, name, f"no such column: {hint}The file has: {found}"))
    entries = [] if missing else list(_entries(path, table.rows, labels, problems))
    refuse(list(dict.fromkeys(problems)))  # a header with a name twice is noted once for each of our columns
    return DemonstrationPool(labels.labels, tuple(entries))


def _entries(
    path: Path, rows: Sequence[tuple[int, Mapping[str, Any]]], labels: LabelSet, problems: list[Problem]
) -> Iterator[PoolEntry]:
    for line, cells in rows:
        faults = [
            Problem(path, line, name, fault) for name in ("text", "label") if (fault := _cell_fault(cells.get(name)))
        ]
        if not faults:
            try:
                yield PoolEntry(text=cells["text"], label=labels.canonical(cells["label"]))
            except UnknownLabelError as error:
                faults.append(Problem(path, line, "label", str(error)))
        problems.extend(faults)


def _cell_fault(value: Any) -> str | None:
    if value is None or value == "":
        return "is empty: every demonstration has one"
    if not isinstance(value, str):
        return f"{value!r} is {type(value).__name__}, not text: write it as text"
    return character_fault(value) if value.strip() else "is blank: every demonstration has one"


def save_pool(pool: DemonstrationPool, folder: Path) -> Path:
    """Writes a pool into a folder; whoever reads it sees the old pool, the new one, or is told that neither is whole.

    Returns:
        The folder.
    """
    folder = Path(folder)
    lines = "".join(json.dumps(asdict(entry)) + "\n" for entry in pool.entries)
    contents: dict[str, bytes] = {ENTRIES: lines.encode("ascii")}
    if pool.vectors is not None:
        contents[VECTORS] = _npy(pool.vectors)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    seal = {
        "format": FORMAT,
        "hash": pool.hash,
        "labels": list(pool.labels),
        "encoder": pool.encoder,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    write_atomically(folder / SEAL, json.dumps(seal, indent=2, ensure_ascii=False) + "\n")
    if pool.vectors is None:
        (folder / VECTORS).unlink(missing_ok=True)
    return folder


def load_pool(folder: Path) -> DemonstrationPool:
    """Reads what `save_pool` wrote.

    Raises:
        ArtefactError: The folder is not whole, was changed, or comes from another version.
    """
    import numpy as np

    folder = Path(folder)
    seal = _seal(folder)
    try:
        entries = [PoolEntry(**json.loads(line)) for line in _content(folder, seal, ENTRIES).decode().splitlines()]
        vectors = None
        if seal["encoder"] is not None:
            vectors = np.load(io.BytesIO(_content(folder, seal, VECTORS)), allow_pickle=False)
        pool = DemonstrationPool(tuple(seal["labels"]), tuple(entries), seal["encoder"], vectors)
    except ArtefactError:
        raise
    except (KeyError, TypeError, ValueError, InstructERCError) as error:
        raise ArtefactError(f"{folder}: is no pool of demonstrations of ours ({error}): make it again") from None
    if pool.hash != seal["hash"]:
        raise ArtefactError(f"{folder}: {SEAL} names pool {seal['hash']}, its files hold {pool.hash}: make it again")
    return pool


def _seal(folder: Path) -> dict[str, Any]:
    try:
        seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtefactError(f"{folder}: holds no {SEAL}: no pool was saved here, or not to its end") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtefactError(f"{folder / SEAL}: cannot be read ({error}): make the pool again") from None
    if not isinstance(seal, dict) or seal.get("format") != FORMAT:
        found = seal.get("format") if isinstance(seal, dict) else None
        raise ArtefactError(f"{folder / SEAL}: has format {found!r}, this version reads {FORMAT}: make the pool again")
    missing = [key for key in ("hash", "labels", "encoder", "files") if key not in seal]
    if missing:
        raise ArtefactError(f"{folder / SEAL}: lacks {', '.join(missing)}: make the pool again")
    return seal


def _content(folder: Path, seal: Mapping[str, Any], name: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ArtefactError(f"{folder / name}: cannot be read ({error.strerror}): make the pool again") from None
    found, expected = hashlib.sha256(content).hexdigest(), seal["files"][name]
    if found != expected:
        raise ArtefactError(
            f"{folder / name}: SHA-256 is {found}, {SEAL} says {expected}: it was changed or not written to its end; "
            "make the pool again"
        )
    return content


def _npy(vectors: Vectors) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, vectors, allow_pickle=False)
    return stream.getvalue()
