"""`instructerc data download`: a corpus from its publisher."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from instructerc.cli.data.options import Json, complete_corpus


def download(
    name: Annotated[str, typer.Argument(metavar="CORPUS", help="Name of a corpus.", autocompletion=complete_corpus)],
    *,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="FOLDER", help="Where to put it. [default: the cache]")
    ] = None,
    json: Json = False,
) -> None:
    """Download a corpus from its publisher.

    Files are checked by their sums; a download that was cut off goes on where it stopped. Prints the files' paths.
    """
    from instructerc.corpora.download import download_corpus

    with _bars() as progress:
        files = download_corpus(name, folder, progress=progress)
    if json:
        typer.echo(json_module.dumps([str(file) for file in files], ensure_ascii=False))
        return
    for file in files:
        typer.echo(str(file))
    if not files:
        typer.echo(f"{name} comes with the package: there is nothing to download", err=True)


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int | None], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(asset: str, here: int, size: int | None) -> None:
            if asset not in tasks:
                tasks[asset] = bars.add_task(asset, total=size)
            bars.update(tasks[asset], completed=here, total=size)

        yield report
