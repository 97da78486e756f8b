"""Every exception that this package raises on purpose, in one tree.

```
InstructERCError
├── UsageError                what was asked for does not exist or does not fit (exit 2)
│   ├── UnknownNameError        a name nobody registered; carries the nearest known one
│   ├── RecipeError             a recipe breaks its schema; carries every violation
│   └── LabelMappingError       labels of corpora and unified labels do not fit; carries every fault
├── DataError                 a corpus, a conversation or a prediction file is wrong
│   ├── UnreadableFileError     missing, empty, truncated, or in another encoding
│   ├── InvalidRowsError        rows that break the schema; carries every one of them
│   ├── UnknownLabelError       an emotion outside the label set
│   ├── EvaluationError         golds and predictions that do not fit together
│   └── UnsafePickleError       a pickle that asks for more than plain data
├── AssetError                a file that comes from elsewhere could not be had
│   ├── OfflineError            it would have to be downloaded, and downloads are off
│   ├── DownloadError           the publisher did not deliver it
│   ├── ChecksumError           it arrived, and it is not the file we know
│   └── LicenceGatedError       its licence has to be asked for by a person
├── PromptError               a conversation cannot be written as a prompt
│   └── PromptTooLongError      target and label statement alone exceed the limit
├── BackboneError             a language model cannot be loaded or lacks an ability
│   └── EndpointError           a server that was asked cannot be reached, or refuses
├── TrainingError             a training cannot start or go on
│   └── NonFiniteLossError      the loss became NaN or infinite
├── MemoryExhaustedError      there was no memory left; says what to lower
├── NotWrittenError           a disk is full, or a quota reached; what was written before is whole
└── ArtefactError             a run folder is incomplete or was made by another version
```

A message is one line: what happened, the offending value and its place, the rule, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


class InstructERCError(Exception):
    """Base of every error that this package raises on purpose.

    Attributes:
        exit_code: What the command line exits with when the error ends it.
    """

    exit_code = 1


class UsageError(InstructERCError):
    """What was asked for does not exist, or does not fit together."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that nobody registered.

    Args:
        kind: What the name should have named, singular ("wording").
        name: The name as given.
        known: Every name that would have been accepted.

    Example:
        >>> print(UnknownNameError("wording", "relased", ["paper", "released"]))
        unknown wording 'relased': did you mean 'released'? Known: paper, released
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        self.nearest = nearest(name, self.known)
        hint = f"did you mean {self.nearest!r}? " if self.nearest else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}Known: {', '.join(self.known)}")


class RecipeError(UsageError):
    """A recipe breaks its schema.

    Args:
        source: The file (or "command line") that the recipe came from; empty where each violation names its own place.
        violations: One text per violation, each with the path of its key.
    """

    def __init__(self, source: str, violations: Sequence[str]) -> None:
        self.source = source
        self.violations = tuple(violations)
        prefix = f"{source}: " if source else ""
        super().__init__("\n".join(f"{prefix}{violation}" for violation in self.violations))


class LabelMappingError(UsageError):
    """A mapping of labels is wrong, or does not fit the corpora that it is applied to.

    Args:
        faults: A line a fault, each with its place.
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class DataError(InstructERCError):
    """A corpus, a conversation or a prediction file is wrong."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one place of a file.

    Attributes:
        file: The file.
        line: Line of the file, counted from 1; None where the whole file is meant.
        column: Column or key; None where the whole row is meant.
        reason: What is wrong there, with the offending value, and the rule.
    """

    file: Path
    line: int | None
    column: str | None
    reason: str

    def __str__(self) -> str:
        place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.column}: {self.reason}" if self.column else f"{place}: {self.reason}"


class UnreadableFileError(DataError):
    """A file is missing, empty, truncated, or not in the encoding it should be in.

    Args:
        reason: The message, or the problem that it is to be made of.

    Attributes:
        problem: The problem, where there is one; `validate` lists it among the others.
    """

    def __init__(self, reason: str | Problem) -> None:
        self.problem = reason if isinstance(reason, Problem) else None
        super().__init__(str(reason))


class InvalidRowsError(DataError):
    """Rows of a file break its schema; carries every one, in the order of the file.

    Args:
        problems: At least one.
        shown: How many of them the message spells out; the rest is counted.
    """

    def __init__(self, problems: Sequence[Problem], *, shown: int = 20) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:shown]]
        if len(self.problems) > shown:
            lines.append(f"… and {len(self.problems) - shown} more: `instructerc data validate` lists all")
        super().__init__("\n".join(lines))


class UnknownLabelError(DataError):
    """An emotion that is not in the label set.

    Args:
        label: The emotion as it stands in the data.
        known: The labels of the set.
        place: Where it stands; empty where that is not known.
    """

    def __init__(self, label: str, known: Iterable[str], *, place: str = "") -> None:
        self.label = label
        self.known = tuple(known)
        self.nearest = nearest(label, self.known)
        hint = f"did you mean {self.nearest!r}? " if self.nearest else ""
        prefix = f"{place}: " if place else ""
        super().__init__(f"{prefix}unknown label {label!r}: {hint}Known: {', '.join(self.known)}")


class EvaluationError(DataError):
    """Golds and predictions do not fit together, or there is nothing to evaluate."""


class UnsafePickleError(DataError):
    """A pickle asks for a global that plain data does not need; nothing of it was imported."""


class AssetError(InstructERCError):
    """A file that comes from elsewhere could not be had."""


class OfflineError(AssetError):
    """A file would have to be downloaded, and an offline switch forbids it."""


class DownloadError(AssetError):
    """A publisher did not deliver a file."""


class ChecksumError(AssetError):
    """A file is not the one that was asked for."""


class LicenceGatedError(AssetError):
    """A corpus that a person has to ask its owner for."""


class PromptError(InstructERCError):
    """A conversation cannot be written as a prompt."""


class PromptTooLongError(PromptError):
    """Target and label statement alone exceed the limit, so that dropping history does not help."""


class BackboneError(InstructERCError):
    """A language model cannot be loaded, or lacks an ability that was asked for."""


class EndpointError(BackboneError):
    """A server that was asked cannot be reached, or refuses; asking on would not help."""


class TrainingError(InstructERCError):
    """A training cannot start or go on."""


class NonFiniteLossError(TrainingError):
    """The loss became NaN or infinite."""


class MemoryExhaustedError(InstructERCError):
    """There was no memory left, on the device or the machine."""


class NotWrittenError(InstructERCError):
    """A file could not be written: a full disk, a quota, a folder that may not be written to."""


class ArtefactError(InstructERCError):
    """A run folder is incomplete, or was made by another version."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, ignoring case; None where none is like it.

    Example:
        >>> nearest("Angy", ["angry", "sad"])
        'angry'
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None
