"""Prompt files: one JSON object a line, `{"input": …, "target": …}`, as the released scripts write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args

from instructerc.conversation import Conversation, Corpus, Split
from instructerc.errors import InvalidRowsError, Problem, UnreadableFileError, UsageError
from instructerc.prompts.example import Example, Segment
from instructerc.prompts.spec import PromptSpec

Content = Literal["recognition", "speaker_identification", "mixed", "prediction"]
"""What a prompt file holds; `mixed` is the released `True_mixed`, `prediction` its two prompts in one string."""

SEPARATOR = "***"
"""Stands between main and prediction prompt in the released files. Ours never split a text at it."""

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
        for turn in range(len(conversation)):
            for text, target in _rows(conversation, turn, spec, content=content, split=split):
                if target is not None:
                    yield json.dumps({"input": text, "target": target}, ensure_ascii=False)


def _rows(
    conversation: Conversation, turn: int, spec: PromptSpec, *, content: Content, split: Split
) -> Iterator[tuple[str, str | None]]:
    if content == "speaker_identification":
        who = spec.example(conversation, turn, task="speaker_identification")
        yield who.prompt, who.target
        return
    main = spec.example(conversation, turn)
    if content == "prediction" and split == "train":
        prediction = spec.example(conversation, turn, task="prediction")
        yield main.prompt + SEPARATOR + prediction.prompt, main.target
        return
    yield main.prompt, main.target
    if content == "mixed" and split != "test":
        who = spec.example(conversation, turn, task="speaker_identification")
        yield who.prompt, who.target


def export_prompts(
    corpus: Corpus, spec: PromptSpec, folder: Path, *, content: Content = "recognition"
) -> dict[Split, Path]:
    """Writes the prompt files of a corpus: `train.json`, `valid.json`, `test.json`.

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
    probe = next((conversation for _, part in corpus.splits() for conversation in part), None)
    if probe is not None:
        list(_rows(probe, 0, spec, content=content, split="train"))
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[Split, Path] = {}
    for split, conversations in corpus.splits():
        paths[split] = folder / FILE_NAMES[split]
        with paths[split].open("w", encoding="utf-8", newline="\n") as file:
            for line in prompt_lines(conversations, spec, content=content, split=split):
                file.write(line + "\n")
    return paths


def read_prompts(path: Path, *, candidates: tuple[str, ...] = ()) -> tuple[Example, ...]:
    """Reads a prompt file as examples whose prompts are opaque: one segment each, never taken apart.

    Args:
        path: A file of lines `{"input": …, "target": …}`.
        candidates: The closed answer set; by default every target of the file, in order of first appearance.

    Returns:
        Examples whose conversation is the file's name and whose turn is the line, from 0.

    Raises:
        UnreadableFileError: The file is missing, empty, or not UTF-8.
        InvalidRowsError: Lines break the schema; all of them are named.
    """
    rows = list(_read_rows(path))
    answers = candidates or tuple(dict.fromkeys(target for _, target in rows))
    return tuple(
        Example(path.name, line, "recognition", (Segment("opaque", text),), answers, target)
        for line, (text, target) in enumerate(rows)
    )


def _read_rows(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except FileNotFoundError:
        raise UnreadableFileError(f"{path}: no such file: give a file of lines {{'input': …, 'target': …}}") from None
    except (UnicodeDecodeError, OSError) as error:
        raise UnreadableFileError(f"{path}: cannot be read as UTF-8 text ({error}): convert it") from None
    rows, problems = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fault = _fault_of(line)
        if fault:
            problems.append(Problem(path, number, None, fault))
        else:
            record = json.loads(line)
            rows.append((record["input"], record["target"]))
    if problems:
        raise InvalidRowsError(problems)
    if not rows:
        raise UnreadableFileError(f"{path}: is empty: give at least one line {{'input': …, 'target': …}}")
    return rows


def _fault_of(line: str) -> str | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"is no JSON object ({error}): write {{'input': …, 'target': …}}"
    if not isinstance(record, dict):
        return f"is {type(record).__name__}, not an object: write {{'input': …, 'target': …}}"
    for key in ("input", "target"):
        if not isinstance(record.get(key), str):
            return f"{key!r} is {record.get(key)!r}: write a text"
    return None
