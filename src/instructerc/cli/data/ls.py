"""`instructerc data ls`: the corpora that have a name."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Any

import typer

from instructerc.cli.data.options import Json

if TYPE_CHECKING:
    from instructerc.corpora.catalog import Source


def list_corpora(*, json: Json = False) -> None:
    """List the corpora that have a name.

    What each is called, how one gets it, whether it is here, and how many conversations and labelled turns it holds.
    """
    from instructerc.cli.tables import text_table
    from instructerc.corpora.catalog import SOURCES

    rows = [_row(source) for source in SOURCES.values()]
    if json:
        typer.echo(json_module.dumps(rows, indent=2, ensure_ascii=False))
        return
    cells = [("name", "access", "here", "conversations", "utterances", "labels", "licence")]
    for row in rows:
        totals = [sum(part[key] for part in row["splits"].values()) for key in ("conversations", "utterances")]
        here = "yes" if row["here"] else "no"
        sizes = [f"{total:,}" if total else "-" for total in totals]
        cells.append((row["name"], row["access"], here, *sizes, str(len(row["labels"])), row["licence"]))
    typer.echo(text_table(cells, right=(3, 4, 5)))


def _row(source: Source) -> dict[str, Any]:
    from instructerc.corpora.download import is_complete

    return {
        "name": source.name,
        "title": source.title,
        "access": source.access,
        "here": source.access == "bundled" or is_complete(source),
        "labels": list(source.labels.labels),
        "splits": {
            split: {"conversations": counts.conversations, "utterances": counts.utterances}
            for split, counts in source.counts.items()
        },
        "licence": source.licence,
        "homepage": source.homepage,
        "citation": source.citation,
    }
