"""`instructerc data leaks`: what is learned from and measured on as well."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated

import typer

from instructerc.cli.data.options import AllowEmpty, ColumnPairs, Folder, Format, Json, Labels
from instructerc.cli.data.sources import Match, Sources, load_sources, refuse_options_of_files

if TYPE_CHECKING:
    from instructerc.corpora.leaks import LeakReport, Overlap


def leaks(
    sources: Sources,
    *,
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=0, help="How many shared turns of each pair are shown.")
    ] = 2,
    minimum_words: Annotated[
        int, typer.Option("--minimum-words", metavar="N", min=1, help="Shorter turns do not count.")
    ] = 5,
    match: Match = "letters",
    folder: Folder = None,
    columns: ColumnPairs = None,
    format: Format = None,  # noqa: A002
    labels: Labels = None,
    allow_empty: AllowEmpty = False,
    json: Json = False,
) -> None:
    """List turns that are trained on and measured on.

    Looks at every pair of corpora, and at each corpus by itself. For each pair: turns that both hold, conversations
    that share one turn, or two and more, and conversations that stand in the training split as a whole. Then how many
    training conversations mixing leaves out because of it. Example: `instructerc data leaks meld emorynlp`.
    """
    from dataclasses import replace

    from instructerc.corpora.leaks import find_leaks
    from instructerc.corpora.matching import get_match

    how = replace(get_match(match), minimum_words=minimum_words)
    refuse_options_of_files(sources, column=columns, format=format, labels=labels, allow_empty=allow_empty)
    corpora = load_sources(
        sources, folder=folder, columns=columns, format=format, labels=labels, allow_empty=allow_empty
    )
    report = find_leaks(corpora, match=how, examples=examples)
    if json:
        typer.echo(json_module.dumps(report.to_json(), indent=2, ensure_ascii=False))
        return
    typer.echo(_table(report))
    for overlap in report.overlaps:
        for line in _examples(overlap):
            typer.echo(line)
    typer.echo(_verdict(report))


def _table(report: LeakReport) -> str:
    from instructerc.cli.tables import text_table

    rows = [("trained on", "measured on", "shared turns", "sharing one", "two or more", "whole conversations")]
    rows += [
        (
            overlap.train,
            f"{overlap.evaluated} {overlap.split}",
            f"{overlap.shared:,} of {overlap.turns:,}",
            f"{overlap.sharing():,} of {overlap.conversations:,}",
            f"{overlap.sharing(2):,}",
            f"{len(overlap.duplicates):,}",
        )
        for overlap in report.overlaps
    ]
    return text_table(rows, right=(2, 3, 4, 5))


def _examples(overlap: Overlap) -> list[str]:
    from instructerc.reporting.conversation_text import visible

    return [
        visible(
            f"{overlap.evaluated} {overlap.split} {shared.conversation}, turn {shared.turn} = "
            f"{overlap.train} train {shared.train_conversation}: {shared.text}"
        )
        for shared in overlap.examples
    ]


def _verdict(report: LeakReport) -> str:
    from instructerc.corpora.matching import TurnMatch

    is_default = (report.match, report.minimum_words) == (TurnMatch().name, TurnMatch().minimum_words)
    counts = ", ".join(
        f"{len(ids):,} of {report.train_conversations[name]:,} of {name}" for name, ids in report.leaking().items()
    )
    what = "mixing leaves out training conversations" if is_default else "training conversations that share turns"
    return f"{what}: {counts}"
