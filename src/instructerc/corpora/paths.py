"""People's own data: a file or a folder → a corpus to learn from, or conversations to recognise.

```
load_path_corpus(path)       labelled: every fault is an error, labels form a closed set, three splits
load_conversations(path)     to be recognised: emotions may be missing, texts may be empty, one conversation at a time
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from instructerc.conversation import SPLITS, Conversation, Corpus, Split
from instructerc.corpora.columns import Columns
from instructerc.corpora.folders import split_files
from instructerc.corpora.formats import READERS, UNLABELLED_FORMATS, check_format, detect_format
from instructerc.corpora.labelling import settle_labels
from instructerc.corpora.reading import PlacedConversation, Source, in_order
from instructerc.corpora.splits import SPLIT_NAMES, assign_splits
from instructerc.corpora.streaming import load_conversations
from instructerc.errors import InvalidRowsError, Problem, UnreadableFileError
from instructerc.labels import LabelSet

__all__ = ["check_path_corpus", "load_conversations", "load_path_corpus"]


def load_path_corpus(
    path: Path | str,
    *,
    columns: Columns | None = None,
    labels: LabelSet | None = None,
    format: str | None = None,  # noqa: A002
    allow_empty: bool = False,
) -> Corpus:
    """A corpus out of a labelled file, or out of a folder with a file for each split.

    Splits. A folder holds files named `train`, `validation` (or `valid`, `val`, `dev`) and `test` in any format; one
    may be missing. A single file is cut by its `split` column where it has one; else, if it is so named, it is that
    split alone; else it is cut 80/10/10 by the hash of the conversation ids (`assign_splits`). Where two split files
    use the same conversation id, every id gets its split in front (`test/12`).

    Labels. Of a given set, in any case and spelling that it knows. Else the distinct emotions of the data, the most
    frequent first; two that differ in case only are an error. A turn without emotion is history, never a target.

    Args:
        path: The file or folder.
        columns: Names of a table's columns.
        labels: The closed label set; None infers it.
        format: Format of every file; None detects each.
        allow_empty: Whether a text may be empty; in data to learn from, it is a lost cell nearly always.

    Returns:
        The corpus, named like the file or folder.

    Raises:
        UnreadableFileError: The path is missing, empty, or holds nothing that can be read.
        InvalidRowsError: Rows break the rules; carries every one, of all files.
    """
    corpus, problems = check_path_corpus(
        Path(path), columns=columns, labels=labels, format=format, allow_empty=allow_empty
    )
    if problems or corpus is None:
        raise InvalidRowsError(problems)
    return corpus


def check_path_corpus(
    path: Path,
    *,
    columns: Columns | None = None,
    labels: LabelSet | None = None,
    format: str | None = None,  # noqa: A002
    allow_empty: bool = False,
) -> tuple[Corpus | None, list[Problem]]:
    """What `load_path_corpus` loads, or all that keeps it from loading."""
    check_format(format)
    columns = columns or Columns()
    files: list[Path] = list(split_files(path)) if path.is_dir() else [path]
    problems: list[Problem] = []
    unreadable: list[UnreadableFileError] = []
    read: dict[Path, list[PlacedConversation]] = {}
    for file in files:
        try:
            read[file] = list(_labelled(file, format or detect_format(file), columns, problems))
        except UnreadableFileError as error:
            unreadable.append(error)
    if unreadable and not problems and len(unreadable) == len(files) == 1:
        raise unreadable[0]
    problems.extend(error.problem for error in unreadable if error.problem)
    if not allow_empty:
        problems.extend(_empty_texts(read))
    problems.extend(_without_split(read, columns, alone=not path.is_dir()))
    settled = settle_labels(path, read, labels, columns.emotion or "emotion", problems)
    if problems:
        return None, in_order(problems)
    return _corpus(path, settled.conversations, settled.labels), []


def _labelled(file: Path, format: str, columns: Columns, problems: list[Problem]) -> Iterator[PlacedConversation]:  # noqa: A002
    if format in UNLABELLED_FORMATS:
        raise Source(file).unreadable(
            f"a {format} file carries no emotions, so that nothing can be learned from it: use a table or JSON Lines "
            "(it can be recognised from Python: `load_conversations`, `EmotionRecognizer`)"
        )
    return READERS[format](Source(file), problems, columns, True)


def _empty_texts(read: dict[Path, list[PlacedConversation]]) -> Iterator[Problem]:
    for file, conversations in read.items():
        for placed in conversations:
            for utterance, place in zip(placed.conversation.utterances, placed.places, strict=True):
                if not utterance.text.strip():
                    reason = (
                        "the text is empty: write what was said or drop the row; to keep such turns, allow empty texts"
                    )
                    yield Problem(file, place.line, place.text, reason)


def _without_split(read: dict[Path, list[PlacedConversation]], columns: Columns, *, alone: bool) -> Iterator[Problem]:
    for file, conversations in read.items():
        if not alone or all(placed.split is None for placed in conversations):
            continue
        for placed in conversations:
            if placed.split is None:
                reason = f"conversation {placed.conversation.id!r} names no split where others do"
                yield Problem(file, placed.line, columns.split, f"{reason}: name one, or drop the column")


def _corpus(path: Path, read: dict[Path, list[PlacedConversation]], labels: tuple[str, ...]) -> Corpus:
    parts: dict[Split, list[Conversation]] = {name: [] for name in SPLITS}
    for file, conversations in read.items():
        split_of = _splits_of(file, conversations, alone=not path.is_dir())
        for placed in conversations:
            parts[split_of[placed.conversation.id]].append(placed.conversation)
    ids = [conversation.id for part in parts.values() for conversation in part]
    if len(set(ids)) < len(ids):
        for split, part in parts.items():
            parts[split] = [replace(conversation, id=f"{split}/{conversation.id}") for conversation in part]
    name = path.resolve().name if path.is_dir() else path.stem
    return Corpus(name, labels, **{split: tuple(part) for split, part in parts.items()})


def _splits_of(file: Path, conversations: list[PlacedConversation], *, alone: bool) -> dict[str, Split]:
    own = {placed.conversation.id: placed.split for placed in conversations if placed.split is not None}
    if alone and own:
        return own
    ids = [placed.conversation.id for placed in conversations]
    named = SPLIT_NAMES.get(file.stem.lower())
    return dict.fromkeys(ids, named) if named is not None else assign_splits(ids)
