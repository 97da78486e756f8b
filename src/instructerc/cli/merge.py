"""`instructerc merge`: a trained model as a whole checkpoint."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from instructerc.cli.data.options import ColumnPairs, Format
from instructerc.errors import UsageError

if TYPE_CHECKING:
    from instructerc.backbones.loading import Dtype
    from instructerc.conversation import Conversation
    from instructerc.experiments.merging import MergeResult

DTYPES = ("auto", "float32", "bfloat16", "float16")


def merge(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run folder, or the folder of a trained model.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the merged model goes.")],
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype",
            metavar="|".join(DTYPES),
            help="Number type of the weights; auto is what the trained model computes with here.",
        ),
    ] = "auto",
    corpus: Annotated[
        str,
        typer.Option(
            "--corpus",
            metavar="SOURCE",
            help="Compare answers on this: a corpus by name (its test split), or a file or folder of your own.",
        ),
    ] = "sample",
    sample: Annotated[
        int, typer.Option("--sample", metavar="N", min=0, help="Turns to compare answers on; 0 compares nothing.")
    ] = 200,
    columns: ColumnPairs = None,
    format: Format = None,  # noqa: A002
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model that lies in the folder already.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Merge what was trained into the weights: a folder that stands alone, and that other programs load.

    Then labels some turns with both models, and says how many labels changed.
    Example: `instructerc merge runs/mine-42 --out merged/mine`.
    """
    if dtype not in DTYPES:
        raise UsageError(f"--dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    conversations = read_sample(corpus, sample, columns=columns, format=format)

    from instructerc.backbones.loading import quiet_transformers
    from instructerc.experiments.merging import merge_model

    quiet_transformers()
    result = merge_model(
        model,
        out,
        dtype=cast("Dtype", dtype),
        sample=conversations,
        overwrite=overwrite,
        note=lambda text: typer.echo(text, err=True),
    )
    if json:
        typer.echo(json_module.dumps(result.to_json(), indent=2, ensure_ascii=False))
    else:
        _print(result, corpus)
    if result.warning is not None:
        typer.echo(f"warning: {result.warning}", err=True)


def read_sample(
    source: str,
    turns: int,
    *,
    columns: list[str] | None = None,
    format: str | None = None,  # noqa: A002
) -> Sequence[Conversation]:
    """The first turns of a corpus' test split, or of a file or folder of one's own, labelled or not.

    Raises:
        UnknownNameError: There is neither such a corpus nor such a path.
        DataError: The data is at fault, or holds no turn.
    """
    if not turns:
        return ()
    from instructerc.corpora.catalog import SOURCES
    from instructerc.corpora.columns import parse_columns
    from instructerc.corpora.load import load_corpus
    from instructerc.corpora.paths import load_conversations
    from instructerc.corpora.splits import SPLIT_NAMES
    from instructerc.errors import DataError
    from instructerc.experiments.merging import sample_conversations

    path, named = Path(source), parse_columns(columns) if columns else None
    split = path.is_dir() and any(file.stem.lower() in SPLIT_NAMES for file in path.iterdir())
    if source in SOURCES or split or not path.exists():
        corpus = load_corpus(source, columns=named, format=format)
        found: Sequence[Conversation] = corpus.test or corpus.validation or corpus.train
    else:
        found = tuple(load_conversations(source, columns=named, format=format))
    chosen = sample_conversations(found, turns)
    if not chosen:
        raise DataError(f"{source}: holds no turn to compare answers on: give another --corpus, or --sample 0")
    return chosen


def _print(result: MergeResult, corpus: str) -> None:
    typer.echo(f"{result.folder}  {result.artefact.dtype}, {result.size / 2**20:,.0f} MiB")
    difference = result.difference
    if difference is None:
        return
    apart = "" if difference.probability is None else f", probabilities by {difference.probability:.2g} at most"
    share = f"{100 * difference.share:.2f} %"
    typer.echo(f"{difference.changed} of {difference.turns} labels changed on {corpus} ({share}){apart}")
