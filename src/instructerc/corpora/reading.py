"""What all readers of files share: opening, decoding, and a conversation that knows where its turns stand.

A reader is a generator `(source, columns, problems) -> PlacedConversation…`. It appends what is wrong with a row to
`problems` and goes on, so that one pass finds every fault; only a file that cannot be read at all raises.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from instructerc.conversation import Conversation, Split
from instructerc.errors import DataError, InvalidRowsError, Problem, UnreadableFileError

STANDARD_INPUT = Path("<standard input>")

_FOREIGN = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook: save it as CSV (UTF-8)"),
    (b"PAR1", "Parquet: name it `.parquet` or give the format"),
    (b"\x1f\x8b", "gzip: decompress it first"),
    (b"%PDF", "a PDF: save its text as UTF-8"),
)
_WIDE_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """Something to read from: a file, or a stream that can be read once.

    Attributes:
        path: The file, as messages name it.
        stream: What to read instead of the file.
    """

    path: Path
    stream: BinaryIO | None = None

    def open(self) -> BinaryIO:
        """The bytes, from their beginning.

        Raises:
            UnreadableFileError: There is no such file, or it may not be read.
        """
        if self.stream is not None:
            return self.stream
        try:
            return self.path.open("rb")
        except FileNotFoundError:
            raise self.unreadable("no such file: check the path") from None
        except IsADirectoryError:
            raise self.unreadable("is a folder where a file is expected: name a file in it") from None
        except OSError as error:
            raise self.unreadable(f"cannot be opened: {error.strerror or error}") from None

    def unreadable(self, reason: str, *, line: int | None = None) -> UnreadableFileError:
        """The error that ends the reading of this file."""
        return UnreadableFileError(Problem(self.path, line, None, reason))


@dataclass(frozen=True, slots=True)
class Place:
    """Where one turn stands.

    Attributes:
        line: Line or row, counted from 1; None where the format has none.
        text: Column or key that holds the text.
        emotion: Column or key that holds the emotion.
    """

    line: int | None
    text: str
    emotion: str


@dataclass(frozen=True, slots=True)
class PlacedConversation:
    """A conversation that knows where each of its turns stands, so that later checks can say so.

    Attributes:
        conversation: The conversation, labels as the file spells them.
        places: One per turn.
        split: The part of the corpus that the file puts it in; None where the file does not say.
        faulty: Whether something is wrong with rows of it, so that it is not what was said: `problems` has what.
    """

    conversation: Conversation
    places: tuple[Place, ...]
    split: Split | None = None
    faulty: bool = False

    @property
    def line(self) -> int | None:
        """Where the conversation begins."""
        return self.places[0].line if self.places else None


def decode(source: Source, problems: list[Problem]) -> str:
    """The whole text of a file, a byte order mark taken off.

    Lines that are not UTF-8 or hold a NUL byte are added to `problems`, and read on with U+FFFD in place of the fault,
    so that the other faults of the file are found in the same pass.

    Raises:
        UnreadableFileError: The file is missing, empty, binary, or in UTF-16.
    """
    with source.open() as stream:
        data = stream.read()
    _refuse_foreign(source, data)
    if not data.strip():
        raise source.unreadable("the file is empty: it was perhaps not written to its end")
    if data.count(0) * 10 > len(data):
        raise source.unreadable("every tenth byte or more is NUL: the file is binary or in UTF-16; save it as UTF-8")
    offset = 0
    for line, raw in enumerate(io.BytesIO(data), 1):
        problems.extend(Problem(source.path, line, None, reason) for reason in byte_faults(raw, offset))
        offset += len(raw)
    return data.decode("utf-8", errors="replace").replace("\0", "\ufffd").removeprefix("\ufeff")


def numbered_lines(source: Source, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    r"""Lines that are not blank, with their numbers, in the memory of one line; a line ends at `\n` only.

    Raises:
        UnreadableFileError: The file is missing, holds no line, or is not text.
    """
    offset, found = 0, False
    with source.open() as stream:
        for line, raw in enumerate(stream, 1):
            if line == 1:
                _refuse_foreign(source, raw)
            faults = byte_faults(raw, offset)
            problems.extend(Problem(source.path, line, None, reason) for reason in faults)
            offset += len(raw)
            found = found or bool(raw.strip())
            if raw.strip() and not faults:
                text = raw.decode("utf-8")
                yield line, text.removeprefix("\ufeff") if line == 1 else text
    if not found:
        raise source.unreadable("the file is empty: it was perhaps not written to its end")


def byte_faults(raw: bytes, offset: int) -> list[str]:
    r"""What keeps the bytes of a line, which begin at `offset` of the file, from being UTF-8 text.

    Example:
        >>> byte_faults(b"it\x92s", 100)
        ['not UTF-8: byte 0x92 at byte offset 102 of the file: looks like Windows-1252; save the file as UTF-8']
    """
    faults = []
    if 0 in raw:
        faults.append(
            f"NUL byte at byte offset {offset + raw.index(0)} of the file: text holds none; write the row again"
        )
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        likely = "looks like Windows-1252; " if byte in range(0x80, 0xA0) else ""
        place = f"byte 0x{byte:02x} at byte offset {offset + error.start} of the file"
        faults.append(f"not UTF-8: {place}: {likely}save the file as UTF-8")
    return faults


def character_fault(text: str) -> str | None:
    r"""What keeps a text from being written as UTF-8: half of a surrogate pair, which JSON's `\ud83d` can smuggle in.

    Example:
        >>> character_fault("ok"), character_fault(chr(0xD83D))
        (None, 'half of a surrogate pair (\\ud83d) at character 0: write the whole character')
    """
    match = _SURROGATE.search(text)
    if match is None:
        return None
    code = f"\\u{ord(match[0]):04x}"
    return f"half of a surrogate pair ({code}) at character {match.start()}: write the whole character"


def require_writable(path: Path, conversations: Sequence[Conversation], *, faults: Iterable[str] = ()) -> None:
    """Refuses, before anything is written, conversations that no reader would take back.

    Args:
        path: Where they would be written.
        conversations: The conversations.
        faults: What the format itself cannot express.

    Raises:
        DataError: Two share an id, one has no turn, or a text is not Unicode; names every one.
    """
    found, seen = list(faults), set()
    for conversation in conversations:
        if conversation.id in seen:
            found.append(f"conversation id {conversation.id!r} occurs twice: ids name a conversation inside its file")
        seen.add(conversation.id)
        if not conversation.utterances:
            found.append(f"conversation {conversation.id!r} has no turn: leave it out")
        found += [
            f"conversation id {conversation.id!r}: {fault}" for fault in [character_fault(conversation.id)] if fault
        ]
        for turn, utterance in enumerate(conversation.utterances):
            for value in (utterance.speaker, utterance.text, utterance.emotion or ""):
                if fault := character_fault(value):
                    found.append(f"conversation {conversation.id!r}, turn {turn}: {fault}")
    if found:
        raise DataError("\n".join(f"{path}: nothing written: {fault}" for fault in found))


def refuse(problems: list[Problem]) -> None:
    """Raises what was found, if anything was, in the order of the file.

    Raises:
        InvalidRowsError: Something was.
    """
    if problems:
        raise InvalidRowsError(in_order(problems))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems of files one after another, each file's by line; those of a whole file first."""
    found = list(problems)
    rank = {file: number for number, file in enumerate(dict.fromkeys(problem.file for problem in found))}
    return sorted(found, key=lambda problem: (rank[problem.file], problem.line or 0))


def _refuse_foreign(source: Source, data: bytes) -> None:
    if data.startswith(_WIDE_MARKS):
        raise source.unreadable("starts with the byte order mark of UTF-16 or UTF-32: save the file as UTF-8")
    for magic, reason in _FOREIGN:
        if data.startswith(magic):
            raise source.unreadable(f"not text but {reason}")
