"""A conversation as lines for a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from instructerc.conversation import Conversation
from instructerc.reporting.palette import mark

if TYPE_CHECKING:
    from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNLABELLED = "-"


def conversation_text(conversation: Conversation) -> Text:
    """A heading, then a turn a line: number, speaker, emotion in its colour and as a word, text.

    ```
    support-001  2 speakers, 2 turns
     0  Agent  [neutral]  How can I help?
     1  Ines   [anger]    It broke. Again.
    ```
    Control characters of the text are shown, never sent: they could steer the reader's terminal.

    Args:
        conversation: Any conversation, labelled or not.

    Returns:
        Text that a rich console prints, coloured where it has colours.
    """
    from rich.cells import cell_len
    from rich.text import Text

    names = [visible(utterance.speaker) for utterance in conversation.utterances]
    words = [visible(utterance.emotion) if utterance.emotion else _UNLABELLED for utterance in conversation.utterances]
    tags = [word if word == _UNLABELLED else f"[{word}]" for word in words]
    name_width, tag_width = (max(map(cell_len, cells), default=0) for cells in (names, tags))
    text = Text(visible(conversation.id), style="bold")
    text.append(f"  {_count(len(conversation.speakers), 'speaker')}, {_count(len(names), 'turn')}", style="not bold")
    for turn, utterance in enumerate(conversation.utterances):
        style = mark(words[turn]).terminal if utterance.emotion else ""
        text.append(f"\n{turn:>2}  {names[turn]}{' ' * (name_width - cell_len(names[turn]))}  ", style="not bold")
        text.append(tags[turn], style=f"bold {style}".strip())
        text.append(f"{' ' * (tag_width - cell_len(tags[turn]))}  {visible(utterance.text)}", style="not bold")
    return text


def visible(text: str) -> str:
    r"""A text in one line, its control characters written as codes.

    Example:
        >>> visible("a\tb" + chr(27) + "[2J")
        'a\\tb\\x1b[2J'
    """
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
