"""Arguments and options that several data commands share, and what their texts mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from instructerc.conversation import Corpus
    from instructerc.labels import LabelSet


def complete_corpus(incomplete: str) -> list[str]:
    """Names of corpora that begin with what was typed: for the shell's completion."""
    from instructerc.corpora.catalog import SOURCES

    return [name for name in SOURCES if name.startswith(incomplete)]


def complete_source(incomplete: str) -> list[str]:
    """Names of corpora, and files and folders, that begin with what was typed."""
    typed = Path(incomplete)
    parent = typed if incomplete.endswith("/") or not incomplete else typed.parent
    found = [str(path) + ("/" if path.is_dir() else "") for path in sorted(parent.glob("*"))]
    return [*complete_corpus(incomplete), *(path for path in found if path.startswith(incomplete))]


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Name of a corpus (`instructerc data ls`), or a file or folder of your own.",
        autocompletion=complete_source,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="Where the files of a named corpus are. [default: the cache]"),
]
ColumnPairs = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="ROLE=NAME",
        help="Name a column of a table: conversation, turn, speaker, text, emotion or split, e.g. text=Utterance; "
        "turn= says that there is none. Repeatable.",
    ),
]
Format = Annotated[
    str | None, typer.Option("--format", metavar="FORMAT", help="Format of your files. [default: detected]")
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="SET|A,B,…",
        help="Label set: its name (ekman, meld, …), or its labels. [default: the labels in the data]",
    ),
]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="Accept turns without text.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def parse_labels(text: str | None) -> LabelSet | None:
    """The label set that `--labels` means; None where it was left out."""
    from instructerc.labels import parse_label_set

    return None if text is None else parse_label_set(text)


def load_source(
    source: str,
    *,
    folder: Path | None,
    columns: list[str] | None,
    format: str | None,  # noqa: A002
    labels: str | None,
    allow_empty: bool,
    repair: bool = True,
) -> Corpus:
    """The corpus that the options of a command mean.

    Raises:
        UsageError: Options do not fit the source.
        DataError: The data is at fault.
    """
    from instructerc.corpora.columns import parse_columns
    from instructerc.corpora.load import load_corpus

    return load_corpus(
        source,
        folder=folder,
        labels=parse_labels(labels),
        columns=parse_columns(columns) if columns else None,
        format=format,
        allow_empty=allow_empty,
        repair=repair,
    )
