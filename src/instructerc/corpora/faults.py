"""Everything that is wrong with the files of a corpus, collected, so that one reading reports it all."""

from __future__ import annotations

from pathlib import Path

from instructerc.conversation import Conversation
from instructerc.corpora.reading import Source as TextFile
from instructerc.corpora.reading import decode
from instructerc.errors import InvalidRowsError, Problem, UnreadableFileError

EMPTY = "is empty: every turn of this corpus has one"


class Faults:
    """Collects faults of rows and of whole files.

    Attributes:
        rows: Faults of rows, in the order in which they were met.
        files: Files that cannot be read at all.

    Example:
        >>> faults = Faults()
        >>> faults.add(Path("a.csv"), 3, "Emotion", "unknown label 'jot'")
        >>> faults.raise_if_any()
        Traceback (most recent call last):
        instructerc.errors.InvalidRowsError: a.csv:3: Emotion: unknown label 'jot'
    """

    def __init__(self) -> None:
        self.rows: list[Problem] = []
        self.files: list[Problem] = []

    def add(self, file: Path, line: int | None, column: str | None, reason: str) -> None:
        """Notes a fault of a row."""
        self.rows.append(Problem(file, line, column, reason))

    def add_file(self, file: Path, reason: str) -> None:
        """Notes that a file cannot be read."""
        self.files.append(Problem(file, None, None, reason))

    def text_of(self, path: Path) -> str | None:
        """The text of a UTF-8 file; None, and a noted fault, where there is none to read."""
        try:
            return decode(TextFile(path), self.rows)
        except UnreadableFileError as error:
            self.files.append(error.problem or Problem(path, None, None, str(error)))
            return None

    def add_repeated_ids(self, file: Path, conversations: tuple[Conversation, ...]) -> None:
        """Notes every id that names two conversations of a file."""
        seen: set[str] = set()
        for conversation in conversations:
            if conversation.id in seen:
                self.add(file, None, conversation.id, "names two conversations: an id is unique; delete one of them")
            seen.add(conversation.id)

    def raise_if_any(self) -> None:
        """Ends the reading where something was noted.

        Raises:
            UnreadableFileError: Only whole files are at fault.
            InvalidRowsError: Rows are at fault; carries every fault, those of files first.
        """
        if self.rows:
            raise InvalidRowsError([*self.files, *self.rows])
        if len(self.files) == 1:
            raise UnreadableFileError(self.files[0])
        if self.files:
            raise UnreadableFileError("\n".join(str(problem) for problem in self.files))
