"""Subtitles: SubRip (srt) and WebVTT (vtt), where a cue names its speaker.

```
1                                        WEBVTT
00:00:01,000 --> 00:00:03,000
Ada: We did                              00:01.000 --> 00:03.000
it!                                      <v Ada>We did it!</v>
```

A turn begins where a speaker is named, by `Speaker: text` or by `<v Speaker>`; a cue that names none goes on with the
turn before it, joined by a blank. Formatting tags, notes, styles and cue names are dropped. One file is one
conversation, named like the file; subtitles carry no emotions.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from instructerc.corpora.reading import PlacedConversation, Source, decode
from instructerc.corpora.transcript import TurnCollector, conversation_name, split_speaker
from instructerc.errors import Problem

_CLOCK = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?(?:[ibuc]|v|lang|ruby|rt|font|span)(?:[.\s][^>]*)?>|<\d[\d:.]*>|\{\\[^}]*\}", re.IGNORECASE)
_NO_CUE = ("NOTE", "STYLE", "REGION")

Block = list[tuple[int, str]]


def iterate_subtitles(source: Source, problems: list[Problem]) -> Iterator[PlacedConversation]:
    """The conversation of an srt or vtt file; faults go to `problems`."""
    collector = TurnCollector(source.path, problems)
    found = False
    for block in _blocks(decode(source, problems).splitlines()):
        head = block[0][1]
        if head.startswith("WEBVTT") or head.split()[0] in _NO_CUE:
            continue
        found = True
        times = next((index for index, (_, text) in enumerate(block[:2]) if _TIMES.fullmatch(text)), None)
        if times is None:
            reason = f"{head!r} begins no cue: a cue has a line such as `00:00:01,000 --> 00:00:03,000`, then its text"
            problems.append(Problem(source.path, block[0][0], None, reason))
            continue
        for line, text in block[times + 1 :]:
            _take_line(collector, line, text)
    if not found:
        raise source.unreadable("holds no cue: it was perhaps not written to its end")
    placed = collector.conversation(conversation_name(source.path))
    if placed is not None:
        yield placed


def _blocks(lines: list[str]) -> Iterator[Block]:
    block: Block = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []


def _take_line(collector: TurnCollector, line: int, text: str) -> None:
    # ["before", "Ada", "text", "Bo", "text"]: what stands in front of the first voice tag goes on with the turn before.
    before, *voices = _VOICE.split(text)
    if before := _plain(before):
        turn = split_speaker(before)
        if turn is None:
            collector.go_on(before, line)
        else:
            collector.begin(*turn, line)
    for speaker, said in zip(voices[::2], voices[1::2], strict=True):
        collector.begin(html.unescape(speaker).strip(), _plain(said), line)


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub("", text)).strip()
