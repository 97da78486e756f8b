"""`instructerc evaluate`: every figure, from a file of predictions alone."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from instructerc.labels import LabelSet
    from instructerc.recognition.predictions import TurnPrediction
    from instructerc.reporting import Report

Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="SET|A,B,…",
        help="Label set: its name, or its labels. [default: what the predictions speak of]",
    ),
]
Neutral = Annotated[
    str | None, typer.Option("--neutral", metavar="LABEL", help="The label that metrics without neutral leave out.")
]
MetricName = Annotated[str, typer.Option("--metric", metavar="NAME", help="The figure that gets an interval.")]
Worth = Annotated[
    str,
    typer.Option(
        "--out-of-label",
        metavar="wrong|nearest",
        help="What an answer outside the label set is worth: nothing, or its nearest label (the released code).",
    ),
]
Samples = Annotated[int, typer.Option("--samples", metavar="N", min=1, help="Bootstrap samples.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the bootstrap.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def evaluate(
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS.jsonl", help="File of predictions.")],
    *,
    labels: Labels = None,
    neutral: Neutral = None,
    metric: MetricName = "weighted_f1",
    out_of_label: Worth = "wrong",
    samples: Samples = 1000,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write the report there: JSON, Markdown, HTML, PNG.")
    ] = None,
    json: Json = False,
) -> None:
    """Compute every figure anew from a file of predictions.

    Rows without a gold label are skipped and counted.
    Example: `instructerc evaluate runs/quickstart-42/predictions.jsonl`.
    """
    from instructerc.recognition.predictions import read_predictions

    check_choices(metric, out_of_label)
    rows = read_predictions(predictions)
    chosen = label_set(rows, labels, neutral)
    settings = {"metric": metric, "out_of_label": out_of_label, "samples": samples, "seed": seed}
    report = _report(predictions, rows, chosen, named=labels is not None, settings=settings)
    written: Sequence[Path] = ()
    if out is not None:
        from instructerc.reporting import write_report

        written = write_report(report, out)
    if json:
        typer.echo(json_module.dumps(_record(report), indent=2, ensure_ascii=False))
    else:
        from instructerc.cli.views import print_view
        from instructerc.reporting.terminal import report_view

        print_view(report_view(report))
    for path in written:
        typer.echo(str(path), err=True)


def check_choices(metric: str, out_of_label: str) -> None:
    """Refuses names that no option of ours knows, before a file is read.

    Raises:
        UnknownNameError: One of them is unknown.
    """
    from instructerc.errors import UnknownNameError
    from instructerc.evaluation import METRICS

    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    if out_of_label not in ("wrong", "nearest"):
        raise UnknownNameError("worth of an answer outside the label set", out_of_label, ("wrong", "nearest"))


def label_set(rows: Sequence[TurnPrediction], labels: str | None, neutral: str | None) -> LabelSet:
    """The label set that was asked for, else the one that the rows speak of."""
    from instructerc.evaluation import label_set_of_rows, with_neutral
    from instructerc.labels import parse_label_set

    if labels is None:
        return label_set_of_rows(rows, neutral=neutral)
    return with_neutral(parse_label_set(labels), neutral)


def _report(
    path: Path,
    rows: Sequence[TurnPrediction],
    labels: LabelSet,
    *,
    named: bool,
    settings: dict[str, Any],
) -> Report:
    from importlib.metadata import version

    from instructerc.assets import sha256_of
    from instructerc.reporting import report_of_rows

    guessed = not named and all(row.probabilities is None for row in rows)
    notices = [f"Label set taken from the rows: {', '.join(labels.labels)}. Name it to be sure."] if guessed else []
    provenance = {
        "Predictions": {
            "file": path,
            "sha256": sha256_of(path),
            "rows": len(rows),
            "model": ", ".join(sorted({row.model for row in rows})),
            "prompt": ", ".join(sorted({row.prompt for row in rows})),
        },
        "Evaluation": {
            "labels": ", ".join(labels.labels),
            "neutral": labels.neutral,
            "answers outside the label set": settings["out_of_label"],
            "bootstrap samples": settings["samples"],
            "bootstrap seed": settings["seed"],
            "instructerc": version("instructerc"),
            "scikit-learn": version("scikit-learn"),
        },
    }
    return report_of_rows(
        rows,
        title=f"Evaluation of {path.name}",
        labels=labels.labels,
        neutral=labels.neutral,
        split=path.name,
        **settings,
        notices=notices,
        provenance=provenance,
    )


def _record(report: Report) -> dict[str, Any]:
    interval = report.main_interval
    return {
        "file": report.main_split,
        "scores": report.main.to_json(),
        "interval": None if interval is None else interval.to_json(),
        "notices": list(report.notices),
    }
