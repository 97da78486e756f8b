"""Plain transcripts: a turn begins with `Speaker: text`.

```
[00:01:02] Ada: We did it!            Conversation("meeting#1", (
  And: nobody helped.           →        Utterance("Ada", "We did it! And: nobody helped."),
Dr. Bo: Ready?                           Utterance("Dr. Bo", "Ready?")))
---                                   Conversation("meeting#2", (…))
```

- One file is one conversation, named like the file; a line `---` separates several, named `file#1`, `file#2`, ….
- A speaker is up to 40 characters and six words without a colon, followed by `:` and a blank or the end of the line.
- A line that begins otherwise, or with a blank, goes on with the turn before it, joined by a blank.
- Blank lines mean nothing. A time in front of a line (`[00:01:02]`, `(1:02)`, `00:01:02.500`) is dropped.
- Transcripts carry no emotions: they are read to be recognised, not to be learned from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.reading import Place, PlacedConversation, Source, decode
from instructerc.errors import Problem

_CLOCK = r"\d{1,3}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
_RANGE = rf"{_CLOCK}(?:\s*(?:-|–|-->)\s*{_CLOCK})?"
_TIME = re.compile(rf"(?:\[{_RANGE}\]|\({_RANGE}\)|{_RANGE})(?:\s+|$)")
_TURN = re.compile(r"(?P<speaker>[^\s:][^:\n]{0,39}?)\s*:(?:\s+(?P<text>.*)|$)")
_SEPARATOR = re.compile(r"-{3,}\s*")


def split_speaker(line: str) -> tuple[str, str] | None:
    """Speaker and text of a line that begins a turn; None for a line that does not.

    Example:
        >>> split_speaker("Dr. Bo: Ready?"), split_speaker("see http://example.org")
        (('Dr. Bo', 'Ready?'), None)
    """
    match = _TURN.fullmatch(line.rstrip())
    if match is None or len(match["speaker"].split()) > 6:
        return None
    return match["speaker"], (match["text"] or "").strip()


@dataclass(slots=True)
class TurnCollector:
    """Puts turns together that come in lines or in cues.

    Attributes:
        file: The file, for problems.
        turns: Speaker, pieces of text, and line, of each turn so far.
        problems: Receives text that nobody says.
    """

    file: Path
    problems: list[Problem]
    turns: list[tuple[str, list[str], int]] = field(default_factory=list)

    def begin(self, speaker: str, text: str, line: int) -> None:
        """A new turn."""
        self.turns.append((speaker, [text] if text else [], line))

    def go_on(self, text: str, line: int) -> None:
        """More text of the turn before."""
        if self.turns:
            self.turns[-1][1].append(text)
            return
        shown = text if len(text) <= 60 else text[:57] + "…"
        reason = f"nobody says {shown!r}: a conversation begins with a line such as `Speaker: text`"
        self.problems.append(Problem(self.file, line, None, reason))

    def conversation(self, name: str) -> PlacedConversation | None:
        """What came together; None where nothing did."""
        if not self.turns:
            return None
        utterances = tuple(Utterance(speaker, " ".join(pieces)) for speaker, pieces, _ in self.turns)
        places = tuple(Place(line, "text", "emotion") for _, _, line in self.turns)
        return PlacedConversation(Conversation(name, utterances), places)


def iterate_transcript(source: Source, problems: list[Problem]) -> Iterator[PlacedConversation]:
    """The conversations of a plain transcript; faults go to `problems`."""
    lines = decode(source, problems).splitlines()
    name = conversation_name(source.path)
    parts = list(_parts(lines))
    for number, part in enumerate(parts, 1):
        collector = TurnCollector(source.path, problems)
        for line, text in part:
            _take_line(collector, line, text)
        placed = collector.conversation(name if len(parts) == 1 else f"{name}#{number}")
        if placed is not None:
            yield placed


def conversation_name(path: Path) -> str:
    """What a conversation is called whose file gives no name."""
    return path.stem.strip("<>").replace(" ", "-")


def strip_time(line: str) -> str:
    """A line without the time in front of it.

    Example:
        >>> strip_time("[00:01:02] Ada: Hi"), strip_time("10:30 works for me")
        ('Ada: Hi', 'works for me')
    """
    match = _TIME.match(line)
    return line[match.end() :] if match else line


def _parts(lines: list[str]) -> Iterator[list[tuple[int, str]]]:
    part: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        if _SEPARATOR.fullmatch(line):
            if part:
                yield part
            part = []
        elif line.strip():
            part.append((number, line))
    if part:
        yield part


def _take_line(collector: TurnCollector, line: int, text: str) -> None:
    timed = strip_time(text)
    turn = None if text[0].isspace() else split_speaker(timed)
    if turn is not None:
        collector.begin(*turn, line)
    else:
        # A time counts as one only in front of a turn: "10:30 works for me" goes on as it stands.
        collector.go_on(text.strip(), line)
