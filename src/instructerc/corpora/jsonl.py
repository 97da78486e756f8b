"""Our own schema: JSON Lines, a conversation a line.

```
{"id": "support-001", "utterances": [{"speaker": "Agent", "text": "How can I help?", "emotion": "neutral"},
                                     {"speaker": "Ines", "text": "It broke. Again."}]}      ← on one line
```

`emotion` is left out where a turn carries none. Ids are unique inside a file. Keys that the schema does not know are
errors, so that a misspelt `emotoin` does not silently become an unlabelled turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.reading import (
    Place,
    PlacedConversation,
    Source,
    character_fault,
    numbered_lines,
    refuse,
    require_writable,
)
from instructerc.errors import DataError, Problem


def read_jsonl(path: Path) -> tuple[Conversation, ...]:
    """Every conversation of a JSON Lines file of our schema.

    Args:
        path: The file; UTF-8, a byte order mark is accepted.

    Returns:
        The conversations in file order.

    Raises:
        UnreadableFileError: The file is missing, empty or not text.
        InvalidRowsError: Lines break the schema; carries every one.
    """
    problems: list[Problem] = []
    found = tuple(placed.conversation for placed in iterate_jsonl(Source(path), problems))
    refuse(problems)
    return found


def write_jsonl(path: Path, conversations: Iterable[Conversation]) -> Path:
    """Writes conversations a line, atomically: the file is whole or as it was before.

    Args:
        path: The file; its folder must exist.
        conversations: At least one turn each, ids unique.

    Returns:
        `path`.

    Raises:
        DataError: A conversation cannot be written; nothing was.
    """
    from instructerc.assets import write_atomically

    conversations = tuple(conversations)
    require_writable(path, conversations)
    lines = [json.dumps(conversation.to_json(), ensure_ascii=False) + "\n" for conversation in conversations]
    write_atomically(path, "".join(lines).encode("utf-8"))
    return path


def iterate_jsonl(source: Source, problems: list[Problem]) -> Iterator[PlacedConversation]:
    """The conversations one after another, in the memory of one line and of the ids seen; faults go to `problems`."""
    first_line: dict[str, int] = {}
    for line, record in json_lines(source, problems):
        placed = _placed(record, line, source.path, problems)
        if placed is None:
            continue
        earlier = first_line.setdefault(placed.conversation.id, line)
        if earlier != line:
            reason = (
                f"conversation id {placed.conversation.id!r} stands already in line {earlier}: ids are unique in a file"
            )
            problems.append(Problem(source.path, line, "id", reason))
            continue
        yield placed


def json_lines(source: Source, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """The JSON value of each line that is not blank, with its number; a line that is no JSON goes to `problems`."""
    for line, text in numbered_lines(source, problems):
        try:
            yield line, parse_json(text)
        except DataError as error:
            truncated = not text.endswith("\n")
            hint = (
                "the file ends inside this line, it was cut off: write it again or delete the line" if truncated else ""
            )
            problems.append(Problem(source.path, line, None, f"{error}; {hint}" if hint else str(error)))


def parse_json(text: str) -> Any:
    """A JSON value.

    Raises:
        DataError: It is none, or nested too deeply.

    Example:
        >>> parse_json('{"a" 1}')
        Traceback (most recent call last):
        instructerc.errors.DataError: not JSON: expecting ':' delimiter at character 5
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = (error.msg[0].lower() + error.msg[1:]).removesuffix(" starting at")
        raise DataError(f"not JSON: {reason} at character {error.pos}") from None
    except RecursionError:
        raise DataError("not usable JSON: nested too deeply") from None
    except ValueError as error:
        raise DataError(f"not usable JSON: {error}") from None


def _placed(record: Any, line: int, file: Path, problems: list[Problem]) -> PlacedConversation | None:
    faults: list[Problem] = []
    try:
        Conversation.from_json({**record, "utterances": []} if _holds_list(record) else record)
    except DataError as error:
        problems.append(Problem(file, line, None, str(error)))
        return None
    utterances = [_utterance(item, turn, line, file, faults) for turn, item in enumerate(record["utterances"])]
    if fault := character_fault(record["id"]):
        faults.append(Problem(file, line, "id", fault))
    if not utterances:
        faults.append(Problem(file, line, "utterances", "is empty: a conversation has at least one turn"))
    problems.extend(faults)
    if faults:
        return None
    places = tuple(
        Place(line, f"utterances[{turn}].text", f"utterances[{turn}].emotion") for turn in range(len(utterances))
    )
    return PlacedConversation(Conversation(record["id"], tuple(item for item in utterances if item)), places)


def _holds_list(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("utterances"), list)


def _utterance(item: Any, turn: int, line: int, file: Path, faults: list[Problem]) -> Utterance | None:
    try:
        utterance = Utterance.from_json(item)
    except DataError as error:
        faults.append(Problem(file, line, f"utterances[{turn}]", str(error)))
        return None
    for key, value in (("speaker", utterance.speaker), ("text", utterance.text), ("emotion", utterance.emotion)):
        if value and (fault := character_fault(value)):
            faults.append(Problem(file, line, f"utterances[{turn}].{key}", fault))
    return utterance
