"""Conversations to be recognised: from a file, a folder or standard input, one at a time.

```
load_conversations(path)      every fault is found first, and ends it
stream_conversations(path)    what is wrong is set aside with its reason, and the rest goes on
```
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from instructerc.conversation import Conversation
from instructerc.corpora.columns import Columns
from instructerc.corpora.folders import data_files
from instructerc.corpora.formats import READERS, check_format, detect_content, detect_format, is_json
from instructerc.corpora.labelling import settle_labels
from instructerc.corpora.reading import STANDARD_INPUT, PlacedConversation, Source, in_order
from instructerc.errors import InvalidRowsError, Problem, UnreadableFileError
from instructerc.labels import LabelSet

_STREAMED = ("conversations", "chat-lines")


def load_conversations(
    path: Path | str,
    *,
    format: str | None = None,  # noqa: A002
    columns: Columns | None = None,
    labels: LabelSet | None = None,
) -> Iterator[Conversation]:
    """Conversations to be recognised, one at a time.

    A file is read twice: once, now, to find every fault before hours of work depend on it; then conversation by
    conversation. JSON Lines take the memory of one conversation and of the ids seen, other formats that of one file.
    Standard input can be read only once: there the first fault ends it.

    Args:
        path: A file, a folder (its files are read in the order of their names; hidden ones and those with an unknown
            suffix are left out), or `-` for standard input.
        format: Format of every file; None detects each.
        columns: Names of a table's columns; the emotion column need not exist.
        labels: The label set that emotions must belong to; None takes them as they are.

    Yields:
        The conversations in file order.

    Raises:
        UnreadableFileError: The path is missing, empty, or holds nothing that can be read.
        InvalidRowsError: Rows break the rules; carries every one, of all files.
    """
    check_format(format)
    reading = _Reading(columns or Columns(), labels, format)
    if str(path) == "-":
        return reading.piped(sys.stdin.buffer)
    files = [Path(path)] if not Path(path).is_dir() else data_files(Path(path))
    problems = check_conversations(files, columns=columns, labels=labels, format=format)
    if problems:
        raise InvalidRowsError(problems)
    return reading.files(files)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A part of the input that cannot be recognised.

    Attributes:
        problem: What is wrong with it, and where.
        conversation: Id of the conversation that it spoils; None where that is not known.
    """

    problem: Problem
    conversation: str | None = None


def stream_conversations(
    path: Path | str,
    *,
    format: str | None = None,  # noqa: A002
    columns: Columns | None = None,
) -> Iterator[Conversation | SetAside]:
    r"""Conversations to be recognised, one at a time; what is wrong is set aside, and the rest goes on.

    A conversation is whole or set aside: one with a row at fault would be read with a wrong history. JSON Lines take
    the memory of one conversation and of the ids seen, other formats that of one file.

    Args:
        path: A file, a folder (its files are read in the order of their names), or `-` for standard input.
        format: Format of every file; None detects each.
        columns: Names of a table's columns; the emotion column need not exist.

    Yields:
        Conversations in file order, and what had to be set aside where it was met.

    Raises:
        UnreadableFileError: The path itself is missing, empty, or no text. Of a folder only one file is then set aside.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "chat.jsonl"
        >>> lines = ['{"id": "a", "utterances": [{"speaker": "Ann", "text": "Hi"}]}', '{"id": "b", "utter']
        >>> _ = path.write_text("\n".join(lines), encoding="utf-8")
        >>> first, second = stream_conversations(path)
        >>> first.id, second.problem.line
        ('a', 2)
    """
    check_format(format)
    # Which part of a corpus a conversation is in is nothing to whoever recognises it.
    reading = _Reading(replace(columns or Columns(), split=None), None, format)
    if str(path) == "-":
        yield from reading.sorted_out(*reading.standard_input(sys.stdin.buffer), {})
        return
    files = [Path(path)] if not Path(path).is_dir() else data_files(Path(path))
    owner: dict[str, Path] = {}
    for file in files:
        try:
            yield from reading.sorted_out(Source(file), format or detect_format(file), owner)
        except UnreadableFileError as error:
            if len(files) == 1 or error.problem is None:
                raise
            yield SetAside(error.problem)


def check_conversations(
    files: list[Path],
    *,
    columns: Columns | None = None,
    labels: LabelSet | None = None,
    format: str | None = None,  # noqa: A002
) -> list[Problem]:
    """All that keeps `load_conversations` from reading these files.

    Raises:
        UnreadableFileError: There is one file, and it cannot be read.
    """
    check_format(format)
    reading = _Reading(columns or Columns(), labels, format)
    problems: list[Problem] = []
    owner: dict[str, Path] = {}
    for file in files:
        try:
            for placed in reading.checked(file, problems):
                earlier = owner.setdefault(placed.conversation.id, file)
                if earlier != file:
                    reason = f"conversation id {placed.conversation.id!r} stands already in {earlier}"
                    problems.append(Problem(file, placed.line, None, f"{reason}: ids are unique in a folder"))
        except UnreadableFileError as error:
            if len(files) == 1 or error.problem is None:
                raise
            problems.append(error.problem)
    return in_order(problems)


@dataclass(frozen=True, slots=True)
class _Reading:
    columns: Columns
    labels: LabelSet | None
    format: str | None

    def checked(self, file: Path, problems: list[Problem]) -> Iterator[PlacedConversation]:
        return self._settled(Source(file), self.format or detect_format(file), problems)

    def files(self, files: list[Path]) -> Iterator[Conversation]:
        for file in files:
            problems: list[Problem] = []
            for placed in self.checked(file, problems):
                if problems:
                    break
                yield placed.conversation
            if problems:  # it was in order when it was checked: somebody is writing it
                raise InvalidRowsError(problems)

    def sorted_out(
        self,
        source: Source,
        format: str,  # noqa: A002
        owner: dict[str, Path],
    ) -> Iterator[Conversation | SetAside]:
        """What a file holds; `owner` knows where each id was met, in other files too."""
        problems: list[Problem] = []
        for placed in READERS[format](source, problems, self.columns, False):
            yield from map(SetAside, problems)
            problems.clear()
            name = placed.conversation.id
            earlier = owner.setdefault(name, source.path)
            if placed.faulty:
                reason = "rows of it cannot be read, so its turns would be read with a wrong history: mend them"
                yield SetAside(Problem(source.path, placed.line, None, f"conversation {name!r}: {reason}"), name)
            elif earlier != source.path:
                reason = f"conversation id {name!r} stands already in {earlier}: ids are unique in a folder"
                yield SetAside(Problem(source.path, placed.line, None, reason), name)
            else:
                yield placed.conversation
        yield from map(SetAside, problems)

    def piped(self, stream: BinaryIO) -> Iterator[Conversation]:
        return self._piped(*self.standard_input(stream))

    def standard_input(self, stream: BinaryIO) -> tuple[Source, str]:
        """The stream from its beginning, and its format."""
        first = next((line for line in stream if line.strip()), b"")
        if not first:
            raise Source(STANDARD_INPUT).unreadable("nothing came in: pipe a file into it, or name one")
        streamed = self.format in _STREAMED or (self.format is None and is_json(first))
        head = first if streamed else first + stream.read()
        format = self.format or detect_content(STANDARD_INPUT, head)  # noqa: A001
        if format not in _STREAMED and streamed:
            head += stream.read()
            format = self.format or detect_content(STANDARD_INPUT, head)  # noqa: A001
        return Source(STANDARD_INPUT, io.BufferedReader(_Replay(head, stream))), format

    def _piped(self, source: Source, format: str) -> Iterator[Conversation]:  # noqa: A002
        problems: list[Problem] = []
        for placed in self._settled(source, format, problems):
            if problems:
                break
            yield placed.conversation
        if problems:
            raise InvalidRowsError(problems)

    def _settled(self, source: Source, format: str, problems: list[Problem]) -> Iterator[PlacedConversation]:  # noqa: A002
        for placed in READERS[format](source, problems, self.columns, False):
            if self.labels is None:
                yield placed
            else:
                settled = settle_labels(
                    source.path, {source.path: [placed]}, self.labels, "emotion", problems, required=False
                )
                yield settled.conversations[source.path][0]


class _Replay(io.RawIOBase):
    """A stream that begins with bytes that were already taken from it."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._head:
            read = getattr(self._rest, "read1", self._rest.read)
            self._head = read(len(buffer))
        taken = self._head[: len(buffer)]
        self._head = self._head[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)
