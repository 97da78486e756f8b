"""`instructerc report`: predictions as people look at them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from instructerc.recognition.predictions import TurnPrediction


def report(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="What `predict` wrote: a .jsonl, .csv or .parquet file.")
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="The page. [default: beside PREDICTIONS, ending in .html]"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Conversations that are shown whole.")] = 50,
    neutral: Annotated[
        str, typer.Option("--neutral", metavar="LABEL", help="The label that is nobody's strongest moment.")
    ] = "neutral",
    table: Annotated[
        Path | None, typer.Option("--table", metavar="FILE", help="Also a .csv or .parquet file for spreadsheets.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Also a plot of the totals.")] = None,
    label_studio: Annotated[
        Path | None,
        typer.Option("--label-studio", metavar="FOLDER", help="Also tasks for Label Studio, to correct the emotions."),
    ] = None,
) -> None:
    """Show predictions to people: a page, a plot, a table, tasks to correct them.

    The page needs no network. Read what was corrected back with `--set data.corpus=export.json`, and train again.
    Example: `instructerc report emotions.jsonl`.
    """
    from instructerc.assets import write_atomically
    from instructerc.reporting.conversation_page import render_conversations
    from instructerc.reporting.conversations import summarise

    page = out or predictions.with_suffix(".html")
    rows = _Rows(predictions)
    summary = summarise(rows, limit=limit)
    html = render_conversations(summary, title=predictions.name, neutral=neutral)
    typer.echo(str(write_atomically(page, html.encode("utf-8", "replace"))))
    if plot is not None:
        from instructerc.reporting.plots import totals_png

        typer.echo(str(write_atomically(plot, totals_png(summary.totals))))
    if table is not None:
        from instructerc.recognition.prediction_tables import table_format, write_prediction_table

        typer.echo(str(write_prediction_table(table, rows, labels=summary.labels, format=table_format(table))))
    if label_studio is not None:
        for path in _write_tasks(label_studio, rows, summary.labels):
            typer.echo(str(path))


class _Rows:
    """The rows of a file of any kind, as often as they are wanted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[TurnPrediction]:
        from instructerc.errors import UnreadableFileError
        from instructerc.recognition.prediction_tables import read_prediction_table, table_format
        from instructerc.recognition.predictions import iterate_predictions

        found = False
        kind = self._path.suffix.lower()
        tabular = kind in (".csv", ".parquet")
        rows = (
            read_prediction_table(self._path, format=table_format(self._path))
            if tabular
            else iterate_predictions(self._path)
        )
        for row in rows:
            found = True
            yield row
        if not found:
            raise UnreadableFileError(f"{self._path}: no predictions in it: name a file that `predict` wrote")


def _write_tasks(folder: Path, rows: _Rows, labels: tuple[str, ...]) -> Iterator[Path]:
    import json

    from instructerc.assets import replacing, write_atomically
    from instructerc.reporting.label_studio import label_studio_config, label_studio_tasks

    with replacing(folder / "tasks.json") as file:
        file.write(b"[")
        for number, task in enumerate(label_studio_tasks(rows)):
            text = (",\n" if number else "\n") + json.dumps(task, ensure_ascii=False)
            file.write(text.encode("utf-8", "replace"))
        file.write(b"\n]\n")
    yield folder / "tasks.json"
    yield write_atomically(folder / "labels.xml", label_studio_config(labels) + "\n")
