"""`instructerc data peek`: conversations to look at."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instructerc.cli.data.options import (
    AllowEmpty,
    ColumnPairs,
    Folder,
    Format,
    Json,
    Labels,
    Source,
    load_source,
    parse_labels,
)
from instructerc.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from instructerc.conversation import Conversation, Split


def peek(
    source: Source,
    *,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="SPLIT", help="Part of a corpus: train, validation or test. [default: train]"),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", min=1, help="How many conversations.")] = 3,
    skip: Annotated[int, typer.Option("--skip", metavar="N", min=0, help="How many to pass over first.")] = 0,
    conversation: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Only the conversation of that id.")
    ] = None,
    folder: Folder = None,
    columns: ColumnPairs = None,
    format: Format = None,  # noqa: A002
    labels: Labels = None,
    allow_empty: AllowEmpty = False,
    json: Json = False,
) -> None:
    """Print conversations, each emotion in its colour.

    Of a named corpus or a folder with split files: those of one split. Of any other file or folder, or of standard
    input (-): as they come, whether they carry emotions or not. With --json: a conversation a line, in our schema.
    """
    corpus_options = {"folder": folder, "columns": columns, "format": format, "labels": labels}
    if split is None and _is_plain(source):
        found = _as_they_come(source, columns, format, labels)
    else:
        corpus = load_source(source, allow_empty=allow_empty, **corpus_options)  # type: ignore[arg-type]
        found = corpus.split(_split(split or "train"))
    if conversation is not None:
        found = [item for item in found if item.id == conversation]
        if not found:
            raise UsageError(f"{source}: no conversation has the id {conversation!r}: leave out --id to see some")
    chosen = list(islice(found, skip, skip + count))
    if json:
        for item in chosen:
            typer.echo(json_module.dumps(item.to_json(), ensure_ascii=False))
        return
    from instructerc.cli.views import print_view
    from instructerc.reporting.conversation_text import conversation_text

    for number, item in enumerate(chosen):
        if number:
            typer.echo()
        print_view(conversation_text(item), soft_wrap=True)


def _is_plain(source: str) -> bool:
    from instructerc.corpora.catalog import SOURCES
    from instructerc.corpora.splits import SPLIT_NAMES

    if source == "-":
        return True
    path = Path(source)
    if source in SOURCES or not path.exists():
        return False
    return not (path.is_dir() and any(file.stem.lower() in SPLIT_NAMES for file in path.iterdir()))


def _as_they_come(
    source: str,
    columns: list[str] | None,
    format: str | None,  # noqa: A002
    labels: str | None,
) -> Iterable[Conversation]:
    from instructerc.corpora.columns import parse_columns
    from instructerc.corpora.paths import load_conversations

    named = parse_columns(columns) if columns else None
    return load_conversations(source, format=format, columns=named, labels=parse_labels(labels))


def _split(name: str) -> Split:
    from instructerc.corpora.splits import SPLIT_NAMES

    if name.lower() not in SPLIT_NAMES:
        raise UnknownNameError("split", name, SPLIT_NAMES)
    return SPLIT_NAMES[name.lower()]
