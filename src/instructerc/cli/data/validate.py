"""`instructerc data validate`: everything that is wrong with data, before anything is done with it."""

from __future__ import annotations

import json as json_module
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
    parse_labels,
)


def validate(
    source: Source,
    *,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="The data is only to be recognised: emotions may be missing.")
    ] = False,
    folder: Folder = None,
    columns: ColumnPairs = None,
    format: Format = None,  # noqa: A002
    labels: Labels = None,
    allow_empty: AllowEmpty = False,
    json: Json = False,
) -> None:
    """List everything that is wrong with data.

    A problem a line: file, line, column, reason. Exits with 1 where there is one, with 0 where all is well.
    """
    from instructerc.corpora.columns import parse_columns
    from instructerc.corpora.validation import validate as find_problems

    problems = find_problems(
        source,
        folder=folder,
        columns=parse_columns(columns) if columns else None,
        labels=parse_labels(labels),
        format=format,
        allow_empty=allow_empty,
        unlabelled=unlabelled,
    )
    if json:
        rows = [
            {"file": str(problem.file), "line": problem.line, "column": problem.column, "reason": problem.reason}
            for problem in problems
        ]
        typer.echo(json_module.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            typer.echo(str(problem))
        count = len(problems)
        typer.echo(f"{source}: {count or 'no'} problem{'' if count == 1 else 's'}", err=True)
    if problems:
        raise typer.Exit(1)
