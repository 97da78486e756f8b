"""Conversations in, a file of predictions out: rows as they come, resumed where it was stopped, faults set aside.

```
calls.jsonl ──► recogniser ──► out.jsonl           a row a turn, conversations in the order of the input
                          └──► out.errors.jsonl    what could not be recognised, where it stands, and why
```

A table (csv, Parquet) is made from the rows when the last one is there; until then they lie in
`.out.csv.partial.jsonl`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from instructerc.assets import replacing
from instructerc.conversation import Conversation
from instructerc.corpora.streaming import SetAside
from instructerc.errors import InvalidRowsError, Problem, PromptError, UsageError
from instructerc.recognition.prediction_tables import read_prediction_table, write_prediction_table
from instructerc.recognition.predictions import PredictionWriter, TurnPrediction, iterate_predictions
from instructerc.recognition.scoring import Progress

OutputFormat = Literal["jsonl", "csv", "parquet"]

CHUNK = 512
"""Turns that are recognised at once, and what a kill may lose. Which conversations go together depends on the input
alone: rounding depends on their company, and a resumed file shall be the one of a call that nobody interrupted."""


class Recognizer(Protocol):
    """What names emotions."""

    @property
    def model_hash(self) -> str:
        """Names it in every row."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that it can name."""
        ...

    def recognize_all(
        self, conversations: Iterable[Conversation], *, progress: Progress | None = None
    ) -> Iterator[tuple[TurnPrediction, ...]]:
        """The predictions of each conversation, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LabellingSummary:
    """What became of the input.

    Attributes:
        conversations: Conversations whose predictions are in the file.
        turns: Their turns.
        resumed: Conversations that were in it already.
        set_aside: What could not be recognised; `errors` has each.
        errors: The file of errors; None where there is none.
    """

    conversations: int
    turns: int
    resumed: int
    set_aside: int
    errors: Path | None


def label_conversations(
    recognizer: Recognizer,
    items: Iterable[Conversation | SetAside],
    out: Path,
    *,
    format: OutputFormat = "jsonl",  # noqa: A002
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[int], None] | None = None,
) -> LabellingSummary:
    """Recognises conversations and writes a row a turn, as they come.

    Called again with the same input and model it does what is missing, and nothing twice: an interrupted and resumed
    file is byte for byte the one that an uninterrupted call writes.

    Args:
        recognizer: Names the emotions.
        items: Conversations, and what was set aside while reading them; ids are unique.
        out: The file.
        format: What it is to be.
        overwrite: Begin anew, whatever the file holds.
        strict: End at the first fault.
        progress: Told how many more turns are done, those that were done before included.

    Raises:
        UsageError: The file holds predictions of another model.
        UnreadableFileError: The file holds something else.
        InvalidRowsError: `strict` is set, and something is wrong with the input.
    """
    journal = _Journal(out, format)
    if overwrite:
        journal.discard()
    journal.restore()
    seen = _fingerprints(journal.path, recognizer.model_hash)
    with PredictionWriter(journal.path) as writer:
        errors = _Errors(out)
        work = _Work(recognizer, writer, errors, seen, strict=strict, progress=progress)
        for item in items:
            work.take(item)
        work.finish()
    _reorder(journal.path, work.order)
    journal.publish(recognizer.labels)
    return LabellingSummary(
        conversations=work.done,
        turns=work.turns,
        resumed=work.resumed,
        set_aside=errors.count,
        errors=errors.path if errors.count else None,
    )


def errors_file(out: Path) -> Path:
    """Where the faults of an input go.

    Example:
        >>> errors_file(Path("out/calls.csv")).name
        'calls.errors.jsonl'
    """
    return out.with_name(f"{out.stem}.errors.jsonl")


@dataclass(slots=True)
class _Work:
    """The conversations that wait to be recognised together, and the figures of those that are done."""

    recognizer: Recognizer
    writer: PredictionWriter
    errors: _Errors
    seen: dict[str, tuple[int, bytes]]
    strict: bool
    progress: Callable[[int], None] | None
    order: list[str] = field(default_factory=list)
    done: int = 0
    turns: int = 0
    resumed: int = 0
    _waiting: list[Conversation] = field(default_factory=list)
    _met: set[str] = field(default_factory=set)

    def take(self, item: Conversation | SetAside) -> None:
        if isinstance(item, SetAside):
            self._set_aside(item)
            return
        if item.id in self._met:
            reason = f"conversation id {item.id!r} was met before: ids are unique"
            self._set_aside(SetAside(Problem(self.writer.path, None, None, reason), item.id))
            return
        self._met.add(item.id)
        self.order.append(item.id)
        self._waiting.append(item)
        if sum(map(len, self._waiting)) >= CHUNK:
            self.finish()

    def finish(self) -> None:
        """Recognises what waits, all of it or nothing; one that cannot be is set aside, and takes no other with it."""
        waiting, self._waiting = self._waiting, []
        missing = [conversation for conversation in waiting if not self._is_done(conversation)]
        if not missing:
            return
        try:
            answered = list(self.recognizer.recognize_all(waiting))
        except PromptError:
            for conversation in missing:
                self._alone(conversation)
            return
        for conversation, rows in zip(waiting, answered, strict=True):
            # Those that were done were read again for the company's sake: see `CHUNK`.
            if conversation.id not in self.writer.completed:
                self._write(conversation, rows)

    def _is_done(self, conversation: Conversation) -> bool:
        """Whether nothing is left to do for it: its rows are there, or are those of other turns."""
        if conversation.id not in self.writer.completed:
            return False
        found = self.seen[conversation.id]
        if found[0] < len(conversation) and conversation.id == self.writer.last:
            self.writer.remove(conversation.id)  # a kill fell between two of its lines
            return False
        if found == _fingerprint(conversation):
            self.resumed += 1
            self._count(conversation)
        else:
            reason = f"conversation {conversation.id!r} has changed since its rows were written: begin anew"
            self._set_aside(SetAside(Problem(self.writer.path, None, None, reason), conversation.id))
        return True

    def _alone(self, conversation: Conversation) -> None:
        try:
            (rows,) = self.recognizer.recognize_all([conversation])
        except PromptError as error:
            self._set_aside(SetAside(Problem(self.writer.path, None, None, str(error)), conversation.id))
        else:
            self._write(conversation, rows)

    def _write(self, conversation: Conversation, rows: Sequence[TurnPrediction]) -> None:
        self.writer.append(rows)
        self._count(conversation)

    def _count(self, conversation: Conversation) -> None:
        self.done += 1
        self.turns += len(conversation)
        if self.progress is not None:
            self.progress(len(conversation))

    def _set_aside(self, item: SetAside) -> None:
        if self.strict:
            raise InvalidRowsError([item.problem])
        self.errors.add(item)


class _Errors:
    """The file of what could not be recognised; it is made with its first line, and an older one goes."""

    def __init__(self, out: Path) -> None:
        self.path = errors_file(out)
        self.count = 0
        self.path.unlink(missing_ok=True)

    def add(self, item: SetAside) -> None:
        problem = item.problem
        record = {
            "conversation": item.conversation,
            "file": str(problem.file),
            "line": problem.line,
            "column": problem.column,
            "reason": problem.reason,
        }
        self.count += 1
        with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


@dataclass(frozen=True, slots=True)
class _Journal:
    """The rows while they come: the file itself, or what a table is made of in the end."""

    out: Path
    format: OutputFormat

    @property
    def path(self) -> Path:
        return self.out if self.format == "jsonl" else self.out.with_name(f".{self.out.name}.partial.jsonl")

    def discard(self) -> None:
        self.out.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def restore(self) -> None:
        """A table that is finished goes back to rows, so that what is new in the input can be added."""
        if self.format == "jsonl" or self.path.exists() or not self.out.exists():
            return
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        temporary.unlink(missing_ok=True)
        with PredictionWriter(temporary) as writer:
            for row in read_prediction_table(self.out, format=self.format):
                if row.conversation in writer.completed:
                    writer.append_part([row])
                else:
                    writer.append([row])
        temporary.replace(self.path)

    def publish(self, labels: Sequence[str]) -> None:
        if self.format == "jsonl":
            return
        write_prediction_table(self.out, iterate_predictions(self.path), labels=labels, format=self.format)
        self.path.unlink()


def _fingerprints(path: Path, model: str) -> dict[str, tuple[int, bytes]]:
    """Turns and hash of each conversation that a file holds.

    Raises:
        UsageError: It holds rows of another model.
        UnreadableFileError: It holds no predictions.
    """
    digests: dict[str, tuple[int, bytes]] = {}
    if not path.exists() or not path.stat().st_size:
        return digests
    for row in iterate_predictions(path, torn_last_line=True):
        if row.model != model:
            raise UsageError(
                f"{path}: holds predictions of model {row.model!r}, and this is {model!r}: "
                "name another file, or say --overwrite"
            )
        turns, digest = digests.get(row.conversation, (0, b""))
        digests[row.conversation] = turns + 1, _chained(digest, row.speaker, row.text)
    return digests


def _fingerprint(conversation: Conversation) -> tuple[int, bytes]:
    digest = b""
    for utterance in conversation.utterances:
        digest = _chained(digest, utterance.speaker, utterance.text)
    return len(conversation), digest


def _chained(digest: bytes, speaker: str, text: str) -> bytes:
    said = json.dumps([speaker, text]).encode()
    return hashlib.sha256(digest + said).digest()[:16]


def _reorder(path: Path, order: Sequence[str]) -> None:
    """Puts conversations into the order of the input, where one came late; what the input lacks stays, at the end."""
    places: dict[str, tuple[int, int]] = {}
    end = 0
    if not path.exists():
        return
    with path.open("rb") as file:
        for raw in file:
            name = json.loads(raw)["conversation"]
            start, _ = places.get(name, (end, end))
            end += len(raw)
            places[name] = start, end
    known = [name for name in order if name in places]
    wanted = list(dict.fromkeys([*known, *places]))
    if wanted == list(places):
        return
    with path.open("rb") as source, replacing(path) as target:
        for name in wanted:
            start, stop = places[name]
            source.seek(start)
            target.write(source.read(stop - start))
