"""`instructerc baselines`: what a fine-tuned language model has to beat on a corpus, without one."""

from __future__ import annotations

import itertools
import json as json_module
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructerc.cli.data.options import AllowEmpty, ColumnPairs, Format, Json, Labels, Source, load_source

if TYPE_CHECKING:
    from instructerc.baselines import BaselineResult
    from instructerc.conversation import Corpus

SUMMARY = "baselines.json"
"""File in the folder of results that holds every figure."""


def baselines(
    corpus: Source,
    *,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="Where the files of a named corpus are. [default: the cache]"),
    ] = None,
    chosen: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="A,B,…",
            help="Which ones: majority, tfidf, embedding-nearest, embedding-logistic, encoder. [default: all]",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", metavar="train|validation|test", help="What they are measured on.")
    ] = "test",
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="Of embedding-nearest, embedding-logistic, encoder: folder or hub id. [default: all-MiniLM-L6-v2]",
        ),
    ] = None,
    neighbours: Annotated[
        int | None,
        typer.Option("--neighbours", metavar="K", help="Of embedding-nearest: turns that vote. [default: 20]"),
    ] = None,
    history: Annotated[
        int | None, typer.Option("--history", metavar="N", help="Of encoder: turns before the target. [default: 3]")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="Of encoder: passes over the turns. [default: 3]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="Of tfidf and encoder. [default: 0]")
    ] = None,
    samples: Annotated[int, typer.Option("--samples", metavar="N", min=1, help="Bootstrap samples.")] = 1000,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help=f"Write {SUMMARY} and NAME/predictions.jsonl there."),
    ] = None,
    columns: ColumnPairs = None,
    format: Format = None,  # noqa: A002
    labels: Labels = None,
    allow_empty: AllowEmpty = False,
    json: Json = False,
) -> None:
    """Fit simple and discriminative methods on a corpus, and measure them as a run is measured.

    Each is fitted on the training split. `instructerc evaluate` and `instructerc compare` take what --out writes.
    Examples: `instructerc baselines sample`, `instructerc baselines meld --baselines tfidf,encoder --out baselines`.
    """
    from instructerc.backbones.loading import quiet_transformers
    from instructerc.baselines.measuring import measure_baselines
    from instructerc.baselines.registry import BASELINES, configured
    from instructerc.cli.progress import terminal_watcher
    from instructerc.conversation import SPLITS
    from instructerc.errors import UnknownNameError

    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    methods = configured(
        parse_names(chosen, tuple(BASELINES)),
        encoder=encoder,
        neighbours=neighbours,
        history=history,
        epochs=epochs,
        seed=seed,
    )
    if out is not None:
        refuse_taken(out)
    found = load_source(corpus, folder=data, columns=columns, format=format, labels=labels, allow_empty=allow_empty)
    quiet_transformers()
    results: dict[str, dict[str, Any]] = {}
    with terminal_watcher() as watcher:
        for result in measure_baselines(found, methods, split=split, watcher=watcher):
            results[result.name] = record_of(result, found, samples=samples)
            if out is not None:  # each as soon as it is there: a later one may take hours
                _write(out, result, _summary(found, split, results))
    typer.echo(
        json_module.dumps(_summary(found, split, results), indent=2, ensure_ascii=False) if json else _table(results)
    )


def parse_names(text: str | None, default: Sequence[str]) -> list[str]:
    """Names out of `A,B`, each once.

    Raises:
        UsageError: Nothing is named.

    Example:
        >>> parse_names("tfidf, majority,tfidf", ()), parse_names(None, ("majority",))
        (['tfidf', 'majority'], ['majority'])
    """
    from instructerc.errors import UsageError

    if text is None:
        return list(default)
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UsageError(f"--baselines {text!r} names none: write names, such as --baselines majority,tfidf")
    return names


def refuse_taken(folder: Path) -> None:
    """Refuses a folder that holds results already, before anything is fitted.

    Raises:
        UsageError: It does.
    """
    from instructerc.errors import UsageError

    if (folder / SUMMARY).exists():
        raise UsageError(f"{folder} holds results of baselines already: name another folder, or delete it")


def record_of(result: BaselineResult, corpus: Corpus, *, samples: int) -> dict[str, Any]:
    """The figures of a baseline that scripts want; those of the language models have the same names."""
    from instructerc.baselines.registry import TITLES
    from instructerc.evaluation import interval_of_rows

    interval = interval_of_rows(result.rows, labels=corpus.labels, samples=samples)
    return {
        "title": TITLES[result.name],
        "settings": dict(result.settings),
        "weighted_f1": result.scores.weighted_f1,
        "macro_f1": result.scores.macro_f1,
        "accuracy": result.scores.accuracy,
        "support": result.scores.support,
        "interval": interval.to_json(),
        "seconds": round(result.seconds, 1),
        "processor_seconds": round(result.processor_seconds, 1),
    }


def _summary(corpus: Corpus, split: str, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    from instructerc.experiments.provenance import machine, versions

    notices = []
    if split == "validation" and "encoder" in results:
        notices.append("The encoder chose its epoch on validation, the split that is measured.")
    if split == "train":
        notices.append("Measured on what was learned from.")
    return {
        "corpus": corpus.name,
        "split": split,
        "baselines": dict(results),
        "notices": notices,
        "machine": machine(),
        "versions": versions(),
    }


def _write(folder: Path, result: BaselineResult, summary: Mapping[str, Any]) -> None:
    from instructerc.assets import json_bytes, write_atomically
    from instructerc.recognition.predictions import PredictionWriter

    path = folder / result.name / "predictions.jsonl"
    path.unlink(missing_ok=True)  # of a command that was stopped before its first summary
    with PredictionWriter(path) as writer:
        for _, rows in itertools.groupby(result.rows, key=lambda row: row.conversation):
            writer.append(list(rows))
    write_atomically(folder / SUMMARY, json_bytes(summary))


def _table(results: Mapping[str, Mapping[str, Any]]) -> str:
    from instructerc.cli.tables import text_table
    from instructerc.reporting.figures import percent

    rows = [("baseline", "W-F1", "95 % interval", "macro F1", "accuracy", "seconds")]
    for name, found in results.items():
        figures = (percent(found["macro_f1"]), percent(found["accuracy"]), f"{found['seconds']:.1f}")
        rows.append((name, percent(found["weighted_f1"]), _ends(found["interval"]), *figures))
    return text_table(rows, right=(1, 2, 3, 4, 5))


def _ends(interval: Mapping[str, Any]) -> str:
    from instructerc.reporting.figures import percent

    return f"{percent(interval['low'])} to {percent(interval['high'])}"
