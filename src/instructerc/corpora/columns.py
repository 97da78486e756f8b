"""Which column of a table means what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from instructerc.errors import UnknownNameError, UsageError


@dataclass(frozen=True, slots=True)
class Columns:
    """The names that a table gives to what we read from it.

    Attributes:
        conversation: Names the conversation; rows that share it belong together.
        turn: Numbers the turns, which are sorted by it; None: rows stand in the order in which they were spoken.
        speaker: Who speaks.
        text: What is said.
        emotion: The gold label; a blank cell is a turn without one. None: the table is read without labels.
        split: Names the part of the corpus (train, validation, test); used where the table has such a column.

    Example:
        >>> Columns(conversation="Dialogue_ID", turn="Utterance_ID", text="Utterance").text
        'Utterance'
    """

    conversation: str = "conversation"
    turn: str | None = "turn"
    speaker: str = "speaker"
    text: str = "text"
    emotion: str | None = "emotion"
    split: str | None = "split"

    def required(self, *, labelled: bool) -> tuple[str, ...]:
        """The columns that a table must have; `labelled` asks for the emotions too."""
        names = (self.conversation, self.turn, self.speaker, self.text, self.emotion if labelled else None)
        return tuple(name for name in names if name is not None)

    def wanted(self) -> tuple[str, ...]:
        """The columns that are read where they exist."""
        return tuple(name for name in (*self.required(labelled=True), self.split) if name is not None)


def parse_columns(pairs: Iterable[str]) -> Columns:
    """Columns out of `role=name` texts, as the command line takes them.

    Args:
        pairs: Such as `text=Utterance`; `turn=` says that there is no such column.

    Raises:
        UsageError: A text has no `=`, or empties a role that every table needs.
        UnknownNameError: There is no such role; the message names the nearest.

    Example:
        >>> columns = parse_columns(["text=Utterance", "turn="])
        >>> columns.text, columns.turn
        ('Utterance', None)
    """
    roles = [field.name for field in fields(Columns)]
    names: dict[str, str | None] = {}
    for pair in pairs:
        role, separator, name = pair.partition("=")
        if not separator:
            raise UsageError(f"column {pair!r}: write role=name, such as text=Utterance; roles are: {', '.join(roles)}")
        if role not in roles:
            raise UnknownNameError("column role", role, roles)
        if not name and role not in ("turn", "emotion", "split"):
            raise UsageError(f"column {pair!r}: every table needs a {role} column, name it")
        names[role] = name or None
    return Columns(**names)  # type: ignore[arg-type]  # required roles were never set to None
