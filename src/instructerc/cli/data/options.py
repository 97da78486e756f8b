"""Arguments and options that several data commands share, and what their texts mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instructerc.errors import UsageError

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
        metavar="SET",
        help="Name of a label set (ekman, meld, …), or labels joined by commas. [default: the labels in the data]",
    ),
]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="Accept turns without text.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def parse_labels(text: str | None) -> LabelSet | None:
    """A label set by its name, or out of labels joined by commas.

    Raises:
        UnknownNameError: One word that names no set.
        UsageError: A label is blank or stands twice.

    Example:
        >>> parse_labels("calm, tense").labels
        ('calm', 'tense')
    """
    from instructerc.labels import get_label_set, label_set_of

    if text is None:
        return None
    if "," not in text:
        return get_label_set(text)
    labels = tuple(label.strip() for label in text.split(","))
    if not all(labels) or len({label.casefold() for label in labels}) < len(labels):
        raise UsageError(f"--labels {text!r}: a label is blank or stands twice: write calm,tense,…")
    return label_set_of(labels)


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
    from instructerc.corpora.catalog import SOURCES
    from instructerc.corpora.columns import parse_columns
    from instructerc.corpora.load import load_corpus
    from instructerc.corpora.paths import load_path_corpus

    label_set = parse_labels(labels)
    named = parse_columns(columns) if columns else None
    path = Path(source)
    if source in SOURCES or not path.exists():
        return load_corpus(source, folder=folder, labels=label_set, columns=named, format=format, repair=repair)
    if folder is not None:
        raise UsageError(f"{path}: --folder goes with a named corpus only: give the path alone")
    return load_path_corpus(path, columns=named, labels=label_set, format=format, allow_empty=allow_empty)
