"""One partition, from its bytes to its output: whole or not there, wherever it is worked on and however often.

```
out/2024/calls-00003.jsonl            the rows; or .csv, .parquet
out/2024/calls-00003.errors.jsonl     what was set aside, with file, line and reason; only where there is something
out/2024/calls-00003.done.json        written last: what was labelled, by which model, how many rows
```
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from instructerc.conversation import Conversation
from instructerc.corpora.columns import Columns
from instructerc.corpora.streaming import SetAside, stream_conversations
from instructerc.errors import DataError, UsageError
from instructerc.recognition.labelling import OutputFormat, Recognizer, errors_file, label_conversations
from instructerc.scale.partitions import Partition, is_local, open_source

_BLOCK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a partition.

    Attributes:
        name: Of the partition.
        fingerprint: Of what was labelled.
        model: Names the recogniser.
        format: Of the output.
        conversations: Conversations whose rows are there.
        turns: Their turns.
        set_aside: What could not be recognised.
        fault: Why nothing of it could be read; empty where something could.
    """

    name: str
    fingerprint: str
    model: str
    format: OutputFormat
    conversations: int = 0
    turns: int = 0
    set_aside: int = 0
    fault: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Done:
        """Reads what `to_json` wrote."""
        return cls(**record)


def label_partition(
    recognizer: Recognizer,
    partition: Partition,
    out: str,
    *,
    format: str | None = None,  # noqa: A002
    columns: Columns | None = None,
    output: OutputFormat = "jsonl",
) -> Done:
    """Labels a partition on local disk, and puts its files in place, the one that says so last.

    Two workers may do the same partition: both write the same, and a file is whole or not there.

    Args:
        recognizer: Names the emotions.
        partition: What to label.
        out: Folder of the output, local or at any address that fsspec knows.
        format: Format of the input; None detects it.
        columns: Names of a table's columns.
        output: Format of the output.
    """
    done = Done(name=partition.name, fingerprint=partition.fingerprint, model=recognizer.model_hash, format=output)
    with tempfile.TemporaryDirectory() as folder:
        end = PurePosixPath(partition.source).suffix
        local, result = Path(folder) / f"input{end}", Path(folder) / f"output.{output}"
        _fetch(partition, local)
        try:
            summary = label_conversations(recognizer, _placed(partition, local, format, columns), result, format=output)
        except DataError as error:
            done = replace(done, fault=str(error).replace(str(local), partition.source))
        else:
            done = replace(done, conversations=summary.conversations, turns=summary.turns, set_aside=summary.set_aside)
        files = [(result, f"{partition.name}.{output}")]
        if errors_file(result).exists():
            files.append((_named(errors_file(result), local, partition.source), f"{partition.name}.errors.jsonl"))
        for path, name in files:
            if path.exists():
                _publish(path, out, name)
        marker = Path(folder) / "done.json"
        marker.write_text(json.dumps(done.to_json(), ensure_ascii=False) + "\n", encoding="utf-8")
        _publish(marker, out, f"{partition.name}.done.json")
    return done


def find_done(partition: Partition, out: str, *, model: str, output: OutputFormat) -> Done | None:
    """What became of a partition that was labelled before; None where it is still to be done, or has changed since.

    Raises:
        UsageError: It was labelled by another model, or in another format.
    """
    system, root = open_source(out)
    try:
        with system.open(f"{root}/{partition.name}.done.json", "rb") as file:
            found = Done.from_json(json.load(file))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if (found.model, found.format) != (model, output):
        raise UsageError(
            f"{out}: {partition.name} was labelled by model {found.model!r} as {found.format}, and this is {model!r} "
            f"as {output}: name another folder"
        )
    return found if found.fingerprint == partition.fingerprint and not found.fault else None


def _fetch(partition: Partition, local: Path) -> None:
    """Copies the bytes of a partition, in the memory of one block."""
    system, path = open_source(partition.source)
    left = None if partition.end is None else partition.end - partition.start
    with system.open(path, "rb") as source, local.open("wb") as target:
        source.seek(partition.start)
        while left is None or left > 0:
            block = source.read(_BLOCK if left is None else min(_BLOCK, left))
            if not block:
                break
            target.write(block)
            left = None if left is None else left - len(block)


def _placed(
    partition: Partition,
    local: Path,
    format: str | None,  # noqa: A002
    columns: Columns | None,
) -> Iterator[Conversation | SetAside]:
    """The conversations of a partition; lines are counted as in the whole file."""
    for item in stream_conversations(local, format=format, columns=columns):
        if isinstance(item, SetAside) and item.problem.line is not None:
            yield replace(item, problem=replace(item.problem, line=item.problem.line + partition.first_line - 1))
        else:
            yield item


def _named(errors: Path, local: Path, source: str) -> Path:
    """Puts the name of the source where the copy of it is named."""
    lines = errors.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for record in records:
        record["file"] = source
        record["reason"] = record["reason"].replace(str(local), source)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    errors.write_text(text, encoding="utf-8", errors="backslashreplace")
    return errors


def _publish(path: Path, out: str, name: str) -> None:
    """Puts a file in place as a whole: under another name first where the file system can rename."""
    system, root = open_source(out)
    target = f"{root.rstrip('/')}/{name}"
    system.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
    if is_local(system):
        temporary = f"{PurePosixPath(target).parent}/.{uuid.uuid4().hex}.tmp"
        system.put_file(str(path), temporary)
        Path(temporary).replace(target)
    else:
        system.put_file(str(path), target)  # object stores show a file when all of it is there
