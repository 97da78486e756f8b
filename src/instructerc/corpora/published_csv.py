"""The CSV files of MELD and EmoryNLP: a row a turn, a conversation named by one column or several."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.faults import EMPTY, Faults
from instructerc.corpora.repair import TextRepair
from instructerc.errors import DataError, nearest
from instructerc.labels import LabelSet

_UTTERANCE_ID = "Utterance_ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCsv:
    """Reads one such file.

    Attributes:
        key: Columns that together name a conversation, in the order of its id.
        identify: Makes the id out of their values.
        speaker_of: Takes the speaker out of the column `Speaker`; a ValueError of it says what is wrong.
        labels: The label set.
        text: What is done with texts and speakers.
    """

    key: tuple[str, ...]
    identify: Callable[[tuple[str, ...]], str]
    speaker_of: Callable[[str], str]
    labels: LabelSet
    text: TextRepair

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return ("Utterance", "Speaker", "Emotion", *self.key, _UTTERANCE_ID)

    def read(self, path: Path, faults: Faults) -> tuple[Conversation, ...]:
        """The conversations in the order of their first row; what is wrong goes to `faults`."""
        turns: dict[tuple[str, ...], list[Utterance]] = {}
        first_line: dict[tuple[str, ...], int] = {}
        noted = len(faults.rows) + len(faults.files)
        for line, row in self._rows(path, faults):
            key = tuple(row[column].strip() for column in self.key)
            self._check_place(row, line, path, faults)
            earlier = first_line.setdefault((*key, row[_UTTERANCE_ID].strip()), line)
            if earlier != line:
                reason = f"the turn stands already in line {earlier}, with the same {', '.join(self.key)}: delete one"
                faults.add(path, line, _UTTERANCE_ID, reason)
            turns.setdefault(key, []).append(self._utterance(row, line, path, faults))
        if not turns and len(faults.rows) + len(faults.files) == noted:
            faults.add_file(path, "holds no row below its header: the file was cut off")
        return tuple(Conversation(self.identify(key), tuple(utterances)) for key, utterances in turns.items())

    def _rows(self, path: Path, faults: Faults) -> Iterator[tuple[int, dict[str, str]]]:
        text = faults.text_of(path)
        if text is None:
            return
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        line = 1
        header: list[str] = []
        try:
            for fields in reader:
                if not header:
                    header = [name.strip() for name in fields]
                    if not self._has_columns(header, line, path, faults):
                        return
                elif fields and len(fields) != len(header):
                    faults.add(path, line, None, _wrong_width(len(fields), len(header)))
                elif fields:
                    yield line, dict(zip(header, fields, strict=True))
                line = reader.line_num + 1
        except csv.Error as error:
            reason = f"is no CSV from here on ({error}): the file was cut off, or a quotation mark is left open"
            faults.add(path, line, None, reason)

    def _has_columns(self, header: list[str], line: int, path: Path, faults: Faults) -> bool:
        missing = [column for column in self.columns if column not in header]
        for column in missing:
            similar = nearest(column, header)
            hint = f"did you mean {similar!r}? " if similar else ""
            faults.add(path, line, column, f"column is missing: {hint}The file has: {', '.join(header)}")
        return not missing

    def _check_place(self, row: dict[str, str], line: int, path: Path, faults: Faults) -> None:
        for column in self.key:
            if not row[column].strip():
                faults.add(path, line, column, EMPTY)
        turn = row[_UTTERANCE_ID].strip()
        if not turn.isdecimal():
            faults.add(path, line, _UTTERANCE_ID, f"{turn!r} is no turn number: write a whole number from 0")

    def _utterance(self, row: dict[str, str], line: int, path: Path, faults: Faults) -> Utterance:
        speaker, emotion = row["Speaker"].strip(), row["Emotion"].strip()
        for column in ("Utterance", "Speaker", "Emotion"):
            if not row[column].strip():
                faults.add(path, line, column, EMPTY)
        if speaker:
            try:
                speaker = self.speaker_of(speaker)
            except ValueError as error:
                faults.add(path, line, "Speaker", str(error))
        if emotion:
            try:
                emotion = self.labels.canonical(emotion)
            except DataError as error:
                faults.add(path, line, "Emotion", str(error))
        return Utterance(self.text.apply(speaker), self.text.apply(row["Utterance"]), emotion)


def _wrong_width(found: int, expected: int) -> str:
    remedy = "the row was cut off" if found < expected else "a text with a comma stands without quotation marks"
    return f"has {found} fields, the header has {expected}: {remedy}"
