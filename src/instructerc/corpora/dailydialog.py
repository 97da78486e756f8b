"""DailyDialog: a conversation a line, `__eou__` after each turn, and a file of label codes beside it (method §12).

```
dialogues_train.txt           Really ? __eou__ Yeah ! __eou__
dialogues_emotion_train.txt   6 0
   ─→  Conversation("train-0", (Utterance("A", "Really ?", "surprise"), Utterance("B", "Yeah !", "neutral")))
```
The files name no speakers; two people take turns, here called A and B. Texts stay as tokenised by the authors.
"""

from __future__ import annotations

from pathlib import Path

from instructerc.conversation import SPLITS, Conversation, Corpus, Split, Utterance
from instructerc.corpora.catalog import get_source
from instructerc.corpora.faults import Faults
from instructerc.corpora.locating import locate

END_OF_UTTERANCE = "__eou__"
SPEAKERS = ("A", "B")
LAST_TURN_UNLABELLED: tuple[Split, int] = ("train", 7851)
"""The one published conversation with a label less than turns, counted from 0."""


def read_dailydialog(folder: Path | None = None) -> Corpus:
    """Reads DailyDialog from its text files.

    Args:
        folder: Where they lie: flat, in `train`, `validation` and `test`, or as the archive unpacks; default the cache.

    Returns:
        11118, 1000 and 1000 conversations; ids are the split and the line counted from 0, "train-0".

    Raises:
        UnreadableFileError: A file is missing, empty or no text.
        InvalidRowsError: Lines are at fault; carries all of them, of all files.
    """
    source = get_source("dailydialog")
    paths = locate(source, folder)
    faults = Faults()
    parts = {}
    for split in SPLITS:
        texts = paths[f"{split}/dialogues_{split}.txt"]
        emotions = paths[f"{split}/dialogues_emotion_{split}.txt"]
        parts[split] = _read_split(split, texts, emotions, faults)
    faults.raise_if_any()
    return Corpus(source.name, source.labels.labels, **parts)


def _read_split(split: Split, texts: Path, emotions: Path, faults: Faults) -> tuple[Conversation, ...]:
    text_lines, emotion_lines = _lines(texts, faults), _lines(emotions, faults)
    if text_lines is None or emotion_lines is None:
        return ()
    if len(text_lines) != len(emotion_lines):
        reason = f"has {len(emotion_lines)} lines, {texts.name} has {len(text_lines)}: one of the two was cut off"
        faults.add(emotions, None, None, reason)
    conversations = []
    for number, (text, codes) in enumerate(zip(text_lines, emotion_lines, strict=False)):
        turns = _turns(text, texts, number + 1, faults)
        spared = (split, number) == LAST_TURN_UNLABELLED and len(codes.split()) == len(turns) - 1
        labels = _labels(codes, len(turns) - spared, emotions, number + 1, faults)
        padded = [*labels, *[None] * (len(turns) - len(labels))]
        utterances = tuple(
            Utterance(SPEAKERS[turn % 2], words, label)
            for turn, (words, label) in enumerate(zip(turns, padded, strict=False))
        )
        conversations.append(Conversation(f"{split}-{number}", utterances))
    return tuple(conversations)


def _lines(path: Path, faults: Faults) -> list[str] | None:
    text = faults.text_of(path)
    return None if text is None else [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _turns(line: str, path: Path, number: int, faults: Faults) -> list[str]:
    *turns, rest = (turn.strip() for turn in line.split(END_OF_UTTERANCE))
    if rest or not turns:
        faults.add(path, number, None, f"ends in {rest[-40:]!r}, not in {END_OF_UTTERANCE}: the line was cut off")
    for turn, words in enumerate(turns):
        if not words:
            faults.add(path, number, None, f"turn {turn} is empty: every turn of this corpus has words")
    return turns


def _labels(line: str, turns: int, path: Path, number: int, faults: Faults) -> list[str | None]:
    codes = line.split()
    if len(codes) != turns:
        faults.add(path, number, None, f"has {len(codes)} labels, the conversation has {turns} turns: one label a turn")
    names = get_source("dailydialog").labels.labels
    known = {str(code): name for code, name in enumerate(names)}
    for turn, code in enumerate(codes):
        if code not in known:
            explained = ", ".join(f"{key} {name}" for key, name in known.items())
            faults.add(path, number, None, f"turn {turn}: unknown label code {code!r}: Known: {explained}")
    return [known.get(code) for code in codes]
