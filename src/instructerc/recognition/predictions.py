"""Predictions on disk: one JSON object a turn, one turn a line, appended a conversation at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from instructerc.assets import replacing
from instructerc.errors import DataError, EvaluationError, InvalidRowsError, Problem, UnreadableFileError, nearest

UNCERTAIN = "uncertain"
"""The emotion of a turn whose likeliest label is below the threshold that users set."""


def decided(probabilities: Mapping[str, float], threshold: float = 0.0) -> str:
    """The likeliest label; `UNCERTAIN` where it has less than the threshold.

    Example:
        >>> decided({"joy": 0.6, "fear": 0.4}), decided({"joy": 0.6, "fear": 0.4}, 0.7)
        ('joy', 'uncertain')
    """
    likeliest = max(probabilities, key=probabilities.__getitem__)
    return likeliest if probabilities[likeliest] >= threshold else UNCERTAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPrediction:
    """One row of `predictions.jsonl`: what a model says about one turn.

    Attributes:
        conversation: Id of the conversation.
        turn: Number of the turn, counted from 0.
        emotion: The recognised emotion. In generate mode, where the answer is outside the label set: its nearest label.
            `UNCERTAIN` where the recogniser abstains.
        speaker: Who speaks.
        text: What is said.
        gold: The gold label; None where there is none.
        probabilities: Probability of every label; None where the answer was generated.
        answer: The raw answer in generate mode, else None.
        out_of_label: Whether the answer fell outside the label set.
        dropped_turns: Turns of history that had to go because the prompt was too long.
        model: Hash of the model.
        prompt: Hash of the prompt's spec.

    Example:
        >>> row = TurnPrediction(conversation="support-001", turn=3, emotion="joy", gold="joy")
        >>> TurnPrediction.from_json(row.to_json()) == row
        True
    """

    conversation: str
    turn: int
    emotion: str
    speaker: str = ""
    text: str = ""
    gold: str | None = None
    probabilities: Mapping[str, float] | None = None
    answer: str | None = None
    out_of_label: bool = False
    dropped_turns: int = 0
    model: str = ""
    prompt: str = ""

    @property
    def entropy(self) -> float | None:
        """How undecided the model is, in bits: 0 where it is sure of one label; None without probabilities.

        Example:
            >>> TurnPrediction(conversation="c", turn=0, emotion="joy", probabilities={"joy": 0.5, "fear": 0.5}).entropy
            1.0
        """
        if self.probabilities is None:
            return None
        # Not -0.0, which readers would stumble over.
        return abs(math.fsum(share * math.log2(share) for share in self.probabilities.values() if share > 0))

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        return {name: getattr(self, name) for name in _KEYS}

    @classmethod
    def from_json(cls, record: Any) -> TurnPrediction:
        """Reads what `to_json` wrote; only `conversation`, `turn` and `emotion` must be there.

        Raises:
            DataError: A key is missing, unknown, or of the wrong type; all such faults are named.
        """
        faults = [f"{key}: {reason}" if key else reason for key, reason in _faults(record)]
        if faults:
            raise DataError(f"prediction: {'; '.join(faults)}")
        return cls(**record)


_KEYS = (
    *("conversation", "turn", "speaker", "text", "gold", "emotion", "probabilities"),
    *("answer", "out_of_label", "dropped_turns", "model", "prompt"),
)
"""Keys of a row, in the order in which they are written."""

_REQUIRED = tuple(field.name for field in fields(TurnPrediction) if field.default is MISSING)


def read_predictions(path: Path) -> list[TurnPrediction]:
    """Reads a file of predictions.

    Args:
        path: The file, UTF-8, one JSON object a line; blank lines are passed over.

    Raises:
        UnreadableFileError: The file is missing, holds no row, or is not UTF-8.
        InvalidRowsError: Rows break the schema, a turn stands twice, or the last line was torn by a kill.
    """
    path = Path(path)
    rows = list(iterate_predictions(path))
    if not rows:
        raise UnreadableFileError(f"{path}: no predictions in it: a run that got no further wrote it; predict again")
    return rows


def iterate_predictions(path: Path, *, torn_last_line: bool = False) -> Iterator[TurnPrediction]:
    """The rows of a file of predictions, one at a time, in the memory of one row and of the places of all turns.

    Args:
        path: The file.
        torn_last_line: Whether a last line that breaks off is passed over, as a kill leaves it.

    Raises:
        As `read_predictions`, once the row at fault is reached, or the end; a file without rows is no fault.
    """
    return (row for row, _ in _Lines(Path(path), torn_last_line=torn_last_line))


def by_conversation(rows: Iterable[TurnPrediction]) -> Iterator[tuple[str, list[TurnPrediction]]]:
    """The turns of each conversation, in order; those of a conversation come one after another."""
    for name, group in groupby(rows, key=lambda row: row.conversation):
        yield name, sorted(group, key=lambda row: row.turn)


class PredictionWriter:
    """Appends predictions to a file, so that a killed run loses at most the conversation it was at.

    Reopened, it goes on where it was: a torn last line is cut, with the rows of its conversation that came before.

    Args:
        path: The file; it and its folder are made where they are missing.
        expected_rows: How many rows each conversation gets, by id. A last conversation that has fewer is cut too, as
            a kill may fall exactly between two lines.
        model: Hash of the model that predicts. Where the file holds rows of another one, it is begun anew.

    Attributes:
        path: The file.
        completed: Ids of the conversations that are in it.
        last: Id of the conversation that it ended with when it was opened; None where it was empty.
        dropped_rows: Rows that reopening cut away, the torn one included.

    Raises:
        InvalidRowsError: The file holds something other than predictions; it is left as it is.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "predictions.jsonl"
        >>> with PredictionWriter(path) as writer:
        ...     writer.append([TurnPrediction(conversation="a", turn=0, emotion="joy")])
        >>> with PredictionWriter(path) as writer:
        ...     writer.completed
        {'a'}
    """

    def __init__(self, path: Path, *, expected_rows: Mapping[str, int] | None = None, model: str | None = None) -> None:
        self.path = Path(path)
        self.completed: set[str] = set()
        self.dropped_rows = 0
        self.last: str | None = None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._appending = ""
        size = self._kept_size(expected_rows or {}, model) if self.path.exists() else 0
        self._file: BinaryIO = self.path.open("ab")
        self._file.truncate(size)

    def remove(self, conversation: str) -> None:
        """Takes the rows of one conversation out of the file again, which is written anew; it is no longer completed.

        Raises:
            EvaluationError: The file has no rows of it.
        """
        if conversation not in self.completed:
            raise EvaluationError(f"{self.path}: holds no rows of conversation {conversation!r}: nothing to remove")
        self._file.close()
        kept = (raw for raw in _raw_lines(self.path) if json.loads(raw)["conversation"] != conversation)
        with replacing(self.path) as file:
            file.writelines(kept)
        self._file = self.path.open("ab")
        self.completed.discard(conversation)

    def append(self, rows: Sequence[TurnPrediction]) -> None:
        """Writes all rows of one conversation, and hands them to the operating system before it returns.

        Raises:
            EvaluationError: The rows are of several conversations, or of one that is complete already.
        """
        self._appending = ""
        self.append_part(rows)

    def append_part(self, rows: Sequence[TurnPrediction]) -> None:
        """Writes some rows of a conversation that is too long to wait for; further parts of it may follow.

        Reopened with `expected_rows`, a file that lacks parts of its last conversation begins that one anew.

        Raises:
            EvaluationError: As `append`.
        """
        ids = sorted({row.conversation for row in rows})
        if len(ids) > 1:
            raise EvaluationError(f"rows of several conversations at once: {', '.join(ids)}; append one at a time")
        if (self.completed - {self._appending}).intersection(ids):
            raise EvaluationError(f"conversation {ids[0]!r} is in {self.path} already: skip what `completed` names")
        self._file.write(b"".join(_line(row) for row in rows))
        self._file.flush()
        self.completed.update(ids)
        self._appending = ids[0] if ids else self._appending

    def close(self) -> None:
        """Closes the file; more can be appended by a new writer."""
        self._file.close()

    def __enter__(self) -> PredictionWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _kept_size(self, expected_rows: Mapping[str, int], model: str | None) -> int:
        """Reads what stands, fills `completed`, and returns how many bytes of the file are to stay.

        It is read a line at a time: what is remembered of a conversation is its id.
        """
        reader = _Lines(self.path, torn_last_line=True)
        kept = end = rows_of_last = 0
        last: str | None = None
        for row, stop in reader:
            if model is not None and row.model != model:
                self.completed, self.dropped_rows = set(), _count_lines(self.path)
                return 0
            if row.conversation != last:
                if last is not None:
                    self.completed.add(last)
                kept, rows_of_last, last = end, 0, row.conversation
            rows_of_last, end = rows_of_last + 1, stop
        if last is None:
            self.dropped_rows = int(reader.torn)
            return 0
        if not reader.torn and rows_of_last >= expected_rows.get(last, 0):
            self.completed.add(last)
            self.last = last
            return end
        self.dropped_rows = rows_of_last + int(reader.torn)
        return kept


def _line(row: TurnPrediction) -> bytes:
    record = row.to_json()
    if record["probabilities"] is not None:
        record["probabilities"] = dict(record["probabilities"])
    try:
        return (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can escape and UTF-8 cannot hold
        return (json.dumps(record, allow_nan=False) + "\n").encode()


class _Lines:
    """The rows of a file, read a line at a time, each with the number of bytes up to the end of its line.

    Faults of rows are collected, and raised when the file has ended; what the file itself is wrong in, at once.

    Attributes:
        torn: Whether the file ended inside a line, once it was read.
    """

    def __init__(self, path: Path, *, torn_last_line: bool = False) -> None:
        self.path = path
        self.torn = False
        self._allows_torn = torn_last_line
        self._problems: list[Problem] = []

    def __iter__(self) -> Iterator[tuple[TurnPrediction, int]]:
        found = 0
        for row, end in self._parsed():
            found += 1
            yield row, end
        problems = self._problems
        if len(problems) > 20 and not found:
            raise UnreadableFileError(
                f"{self.path}: no line of it is a prediction, {problems[0]}: name a file of predictions"
            )
        if problems:
            raise InvalidRowsError(problems)

    def _parsed(self) -> Iterator[tuple[TurnPrediction, int]]:
        end = 0
        turns = _Turns(self.path, self._problems)
        for number, raw in enumerate(_raw_lines(self.path), start=1):  # at \n alone: texts may hold U+2028
            end += len(raw)
            self.torn = not raw.endswith(b"\n")
            if self.torn and self._allows_torn:
                return
            line = _text(raw, self.path, number)
            if not line.strip():
                continue
            row = _row(line, self.path, number, self._problems, torn=self.torn)
            if row is not None:
                turns.add(row, number)
                yield row, end


class _Turns:
    """Finds turns that stand twice, and remembers no more of a conversation that has ended than its id and its line."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self._path, self._problems = path, problems
        self._current = ""
        self._lines: dict[int, int] = {}
        self._ended: dict[str, Mapping[int, int]] = {}

    def add(self, row: TurnPrediction, number: int) -> None:
        if row.conversation != self._current:
            self._ended[self._current] = self._lines
            self._current, self._lines = row.conversation, dict(self._ended.get(row.conversation, {}))
        earlier = self._lines.setdefault(row.turn, number)
        if earlier != number:
            reason = f"turn {row.turn} of conversation {row.conversation!r} stands on line {earlier} already: keep one"
            self._problems.append(Problem(self._path, number, None, reason))


def _raw_lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror}: name a file of predictions (JSONL)") from None


def _count_lines(path: Path) -> int:
    return sum(bool(line.strip()) for line in _raw_lines(path))


def _text(raw: bytes, path: Path, line: int) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        raise UnreadableFileError(f"{path}:{line}: byte 0x{byte:02x} is not UTF-8: predictions are UTF-8") from None
    return text.removeprefix("\ufeff") if line == 1 else text


def _row(line: str, path: Path, number: int, problems: list[Problem], *, torn: bool = False) -> TurnPrediction | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        reason = "is no JSON object"
        if torn:
            reason = "breaks off: the run that wrote it was stopped; resuming it cuts the line and writes the rest"
        problems.append(Problem(path, number, None, reason))
        return None
    faults = _faults(record)
    problems.extend(Problem(path, number, key, reason) for key, reason in faults)
    return None if faults else TurnPrediction(**record)


def _faults(record: Any) -> list[tuple[str | None, str]]:
    """What is wrong with a row: key (None for the row itself) and reason."""
    if not isinstance(record, dict):
        return [(None, f"is {type(record).__name__}, not a JSON object with {', '.join(_REQUIRED)}")]
    faults: list[tuple[str | None, str]] = [(key, "is missing") for key in _REQUIRED if key not in record]
    for key, value in record.items():
        if key not in _KEYS:
            like = nearest(key, _KEYS)
            hint = f"did you mean {like!r}?" if like else f"keys are: {', '.join(_KEYS)}"
            faults.append((key, f"is no key of a prediction: {hint}"))
        elif reason := _fault_of(key, value):
            faults.append((key, reason))
    return faults


def _fault_of(key: str, value: Any) -> str | None:
    if value is None and key in ("gold", "answer", "probabilities"):
        return None
    if key in ("turn", "dropped_turns"):
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return None if whole else f"is {value!r}, not a whole number from 0"
    if key == "out_of_label":
        return None if isinstance(value, bool) else f"is {value!r}, not true or false"
    if key == "probabilities":
        return _fault_of_probabilities(value)
    return None if isinstance(value, str) else f"is {value!r}, not text"


def _fault_of_probabilities(value: Any) -> str | None:
    if not isinstance(value, Mapping) or not value:
        return f"is {value!r}, not an object with a number for each label"
    for label, probability in value.items():
        number = isinstance(probability, int | float) and not isinstance(probability, bool)
        if not number or not -1e-6 <= probability <= 1 + 1e-6:  # false for NaN, too
            return f"{label!r} has {probability!r}, not a number from 0 to 1"
    total = math.fsum(value.values())
    return None if abs(total - 1) < 0.01 else f"sum to {total:.4f}, not to 1"
