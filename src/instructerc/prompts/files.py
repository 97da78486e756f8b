"""Prompt files: one JSON object a line, `{"input": …, "target": …}`, as the released scripts write them."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from instructerc.assets import write_atomically
from instructerc.conversation import Conversation, Corpus, Split, Utterance
from instructerc.errors import InvalidRowsError, Problem, UnreadableFileError, UsageError
from instructerc.prompts.example import Example, Segment
from instructerc.prompts.spec import PromptSpec

Content = Literal["recognition", "speaker_identification", "mixed", "prediction"]
"""What a prompt file holds; `mixed` is the released `True_mixed`, `prediction` its two prompts in one string."""

SEPARATOR = "***"
"""Stands between main and prediction prompt in the released files. Ours never split a text at it."""

PROBE = Conversation("probe", (Utterance("A", "Well?"), Utterance("B", "Well.")))
"""Tells whether a wording has words for a task before a file is made."""

FILE_NAMES: dict[Split, str] = {"train": "train.json", "validation": "valid.json", "test": "test.json"}
"""Names of the released files."""


def prompt_lines(
    conversations: Iterable[Conversation], spec: PromptSpec, *, content: Content, split: Split
) -> Iterator[str]:
    """The lines of one prompt file, without line ends.

    As in the released files, the auxiliary prompts stand in the train split (prediction) or in train and
    validation (mixed) only: nobody is tested on them.

    Args:
        conversations: The conversations of the split, in file order.
        spec: What the prompts look like.
        content: Which tasks the file holds.
        split: Which part of the corpus it is.
    """
    for conversation in conversations:
        for text, target in _rows(conversation, spec, content=content, split=split):
            if target is not None:
                yield json.dumps({"input": text, "target": target}, ensure_ascii=False)


def _rows(
    conversation: Conversation, spec: PromptSpec, *, content: Content, split: Split
) -> Iterator[tuple[str, str | None]]:
    if content == "speaker_identification":
        for who in spec.examples(conversation, task="speaker_identification"):
            yield who.prompt, who.target
    elif content == "prediction" and split == "train":
        predictions = spec.examples(conversation, task="prediction")
        for main, prediction in zip(spec.examples(conversation), predictions, strict=True):
            yield main.prompt + SEPARATOR + prediction.prompt, main.target
    elif content == "mixed" and split != "test":
        speakers = spec.examples(conversation, task="speaker_identification")
        for main, who in zip(spec.examples(conversation), speakers, strict=True):
            yield main.prompt, main.target
            yield who.prompt, who.target
    else:
        for main in spec.examples(conversation):
            yield main.prompt, main.target


def export_prompts(
    corpus: Corpus, spec: PromptSpec, folder: Path, *, content: Content = "recognition"
) -> dict[Split, Path]:
    """Writes the prompt files of a corpus: `train.json`, `valid.json`, `test.json`, each whole or not at all.

    Args:
        corpus: Where the conversations come from. The released files were made from the COSMIC pickles.
        spec: What the prompts look like.
        folder: Where the files go; made where it does not exist.
        content: Which tasks they hold.

    Returns:
        The path of each file.

    Raises:
        UsageError: `content` is unknown, or the wording has no words for it; nothing is written then.
    """
    if content not in get_args(Content):
        raise UsageError(f"content {content!r} is unknown: choose one of {', '.join(get_args(Content))}")
    list(_rows(PROBE, spec, content=content, split="train"))
    paths: dict[Split, Path] = {}
    for split, conversations in corpus.splits():
        lines = prompt_lines(conversations, spec, content=content, split=split)
        # Half a surrogate pair has no UTF-8; a backslash in front of its number is JSON's own way to write it.
        text = "".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace")
        paths[split] = write_atomically(folder / FILE_NAMES[split], text)
    return paths


def read_prompts(path: Path, *, candidates: tuple[str, ...] = ()) -> tuple[Example, ...]:
    """Reads a prompt file as examples whose prompts are opaque: one segment each, never taken apart.

    Args:
        path: A file of lines `{"input": …, "target": …}`.
        candidates: The closed answer set; by default every target of the file, in order of first appearance.

    Returns:
        Examples whose conversation is the file's name and whose turn is the row, from 0.

    Raises:
        UnreadableFileError: The file is missing, empty, or not UTF-8.
        InvalidRowsError: Lines break the schema; all of them are named.
    """
    rows = _read_rows(path, candidates)
    answers = candidates or tuple(dict.fromkeys(target for _, target in rows))
    return tuple(
        Example(path.name, number, "recognition", (Segment("opaque", text),), answers, target)
        for number, (text, target) in enumerate(rows)
    )


def _read_rows(path: Path, candidates: tuple[str, ...]) -> list[tuple[str, str]]:
    rows, problems = [], []
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_row_of(line, candidates))
        except ValueError as error:
            problems.append(Problem(path, number, None, str(error)))
    if problems:
        raise InvalidRowsError(problems)
    if not rows:
        raise UnreadableFileError(f"{path}: is empty: give at least one line {{'input': …, 'target': …}}")
    return rows


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UnreadableFileError(f"{path}: no such file: give a file of lines {{'input': …, 'target': …}}") from None
    except IsADirectoryError:
        raise UnreadableFileError(f"{path}: is a folder: give a file of lines {{'input': …, 'target': …}}") from None
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path}: is not UTF-8 text ({error}): convert it") from None
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error.strerror}): check the file") from None


def _row_of(line: str, candidates: tuple[str, ...]) -> tuple[str, str]:
    """Input and target of a line; a ValueError says what is wrong with it."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON object ({error}): write {{'input': …, 'target': …}}") from None
    if not isinstance(record, dict):
        raise ValueError(f"is {type(record).__name__}, not an object: write {{'input': …, 'target': …}}")
    text, target = _text_of(record, "input"), _text_of(record, "target")
    if candidates and target not in candidates:
        raise ValueError(f"'target' is {reprlib.repr(target)}: write one of {', '.join(candidates)}")
    return text, target


def _text_of(record: dict[str, Any], key: str) -> str:
    if key not in record:
        raise ValueError(f"lacks {key!r}: write {{'input': …, 'target': …}}")
    text = record[key]
    if not isinstance(text, str):
        raise ValueError(f"{key!r} is {reprlib.repr(text)}: write a text")
    if not text.strip():
        raise ValueError(f"{key!r} is blank: write a text")
    return text
