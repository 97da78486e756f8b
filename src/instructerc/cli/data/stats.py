"""`instructerc data stats`: what a corpus holds, in figures."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

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
)


def stats(
    source: Source,
    *,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Draw the figures into a PNG too.")] = None,
    folder: Folder = None,
    columns: ColumnPairs = None,
    format: Format = None,  # noqa: A002
    labels: Labels = None,
    allow_empty: AllowEmpty = False,
    json: Json = False,
) -> None:
    """Print sizes, label counts and lengths of a corpus.

    A figure a row, a split a column; lengths as median (minimum-maximum, mean).
    """
    from instructerc.cli.tables import text_table
    from instructerc.corpora.statistics import corpus_statistics

    corpus = load_source(source, folder=folder, columns=columns, format=format, labels=labels, allow_empty=allow_empty)
    statistics = corpus_statistics(corpus)
    if png is not None:
        from instructerc.reporting.plots_data import plot_statistics

        plot_statistics(statistics, png)
    if json:
        typer.echo(json_module.dumps(statistics.to_json(), indent=2, ensure_ascii=False))
        return
    typer.echo(text_table(statistics.rows(), right=(1, 2, 3)))
