"""Chats: messages with `role` and `content`, as language-model services and their logs write them.

```
[{"role": "user", "content": "It broke."}, {"role": "assistant", "content": "How?"}]     a conversation
{"id": "t-1", "messages": [{"role": "user", …}, …]}                                      a conversation with a name
[{"messages": […]}, {"messages": […]}]                                                   several
```

As a JSON document, or as JSON Lines with a conversation a line. The speaker is `name` where a message has one, else
`role`. `content` may be a list of parts, of which the texts count. `emotion`, where a message has one, is its gold
label. Messages that nobody says to anybody are no turns and are left out: the roles system, developer, tool and
function, and calls without content. Other keys are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.jsonl import json_lines, parse_json
from instructerc.corpora.reading import Place, PlacedConversation, Source, character_fault, decode
from instructerc.corpora.transcript import conversation_name
from instructerc.errors import DataError, Problem

_NO_TURN = frozenset({"system", "developer", "tool", "function"})
_HINT = 'a conversation is [{"role": "user", "content": "…"}, …], or an object with such a list under "messages"'


def iterate_chat(source: Source, problems: list[Problem], *, lines: bool) -> Iterator[PlacedConversation]:
    """The conversations of a chat log; faults go to `problems`. `lines` says that it is JSON Lines."""
    records = json_lines(source, problems) if lines else list(_document(source, problems))
    alone = isinstance(records, list) and len(records) == 1
    first: dict[str, str] = {}
    for number, (line, record) in enumerate(records, 1):
        prefix = "" if lines or alone else f"[{number - 1}]."
        name = conversation_name(source.path) if alone else f"{conversation_name(source.path)}#{number}"
        placed = _Chat(source.path, line, prefix, problems).read(record, name)
        if placed is None:
            continue
        where = f"line {line}" if line is not None else f"conversation {number}"
        earlier = first.setdefault(placed.conversation.id, where)
        if earlier != where:
            reason = f"conversation id {placed.conversation.id!r} stands already in {earlier}: ids are unique in a file"
            problems.append(Problem(source.path, line, "id", reason))
            continue
        yield placed


def _document(source: Source, problems: list[Problem]) -> Iterator[tuple[int | None, Any]]:
    text = decode(source, problems)
    try:
        document = parse_json(text)
    except DataError as error:
        line, reason = _located(str(error), text)
        problems.append(Problem(source.path, line, None, reason))
        return
    several = isinstance(document, list) and not any(isinstance(item, dict) and "role" in item for item in document)
    for record in document if several else [document]:
        yield None, record


def _located(message: str, text: str) -> tuple[int | None, str]:
    match = re.search(r" at character (\d+)$", message)
    if match is None:
        return None, message
    position = int(match[1])
    line_start = text.rfind("\n", 0, position) + 1
    cut = position >= len(text.rstrip()) or "unterminated" in message
    hint = "; the file ends here, it was cut off: write it again" if cut else ""
    return text.count(
        "\n", 0, position
    ) + 1, f"{message[: match.start()]} at character {position - line_start} of the line{hint}"


@dataclass(slots=True)
class _Chat:
    file: Path
    line: int | None
    prefix: str
    problems: list[Problem]

    def read(self, record: Any, default: str) -> PlacedConversation | None:
        before = len(self.problems)
        messages = record.get("messages") if isinstance(record, dict) else record
        if not isinstance(messages, list):
            found = (
                f"an object with {', '.join(map(repr, record)) or 'nothing'}"
                if isinstance(record, dict)
                else repr(record)
            )
            self._fault(None, f"{found[:100]} is no conversation: {_HINT}")
            return None
        turns = [turn for index, item in enumerate(messages) if (turn := self._message(item, index)) is not None]
        name = self._name(record, default)
        if not turns and len(self.problems) == before:
            self._fault("messages", f"holds no message that somebody says: {_HINT}")
        if len(self.problems) > before:
            return None
        utterances = tuple(utterance for utterance, _ in turns)
        return PlacedConversation(Conversation(name, utterances), tuple(place for _, place in turns))

    def _name(self, record: Any, default: str) -> str:
        if not isinstance(record, dict):
            return default
        name = record.get("id", record.get("conversation_id"))
        if name is None:
            return default
        if isinstance(name, bool) or not isinstance(name, (str, int)):
            self._fault("id", f"{name!r} is no name: write a JSON string")
        if isinstance(name, str) and (fault := character_fault(name)):
            self._fault("id", fault)
        return str(name)

    def _message(self, item: Any, index: int) -> tuple[Utterance, Place] | None:
        key = f"{self.prefix}messages[{index}]"
        if not isinstance(item, dict) or not isinstance(item.get("role"), str):
            self._fault(key, f"{repr(item)[:60]} is no message: write an object with role and content")
            return None
        if item["role"] in _NO_TURN or ("content" in item and item["content"] is None):
            return None
        text = self._content(item.get("content"), f"{key}.content")
        speaker = item.get("name") or item["role"]
        emotion = item.get("emotion")
        for part, value in (("name", speaker), ("emotion", emotion)):
            if value is not None and not isinstance(value, str):
                self._fault(f"{key}.{part}", f"{value!r} is {type(value).__name__}, not text: write a JSON string")
        values = {"role": speaker, "content": text, "emotion": emotion}
        for part, value in values.items():
            if isinstance(value, str) and (fault := character_fault(value)):
                self._fault(f"{key}.{part}", fault)
        label = emotion.strip() or None if isinstance(emotion, str) else None
        return Utterance(str(speaker), text, label), Place(self.line, f"{key}.content", f"{key}.emotion")

    def _content(self, content: Any, key: str) -> str:
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            texts: list[Any] = [
                part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"
            ]
            if texts and all(isinstance(text, str) for text in texts):
                return "\n".join(texts)
        self._fault(key, f"{repr(content)[:60]} holds no text: write a string, or parts of type text")
        return ""

    def _fault(self, column: str | None, reason: str) -> None:
        self.problems.append(Problem(self.file, self.line, column, reason))
