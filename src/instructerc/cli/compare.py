"""`instructerc compare`: which of two files of predictions is better, and whether that may be chance."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from instructerc.cli.evaluate import (
    Json,
    Labels,
    MetricName,
    Neutral,
    Samples,
    Seed,
    Worth,
    check_choices,
    label_set,
)

if TYPE_CHECKING:
    from instructerc.evaluation import Metric, OutOfLabel


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="File of predictions.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Predictions of the same turns by another system.")],
    *,
    labels: Labels = None,
    neutral: Neutral = None,
    metric: MetricName = "weighted_f1",
    out_of_label: Worth = "wrong",
    samples: Samples = 1000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Say which of two files of predictions is better, and whether that may be chance.

    The difference is that of A minus B. Paired bootstrap over conversations, and McNemar's test.
    """
    from instructerc.evaluation import compare_rows
    from instructerc.recognition.predictions import read_predictions

    check_choices(metric, out_of_label)
    ones, others = read_predictions(first), read_predictions(second)
    chosen = label_set([*ones, *others], labels, neutral)
    comparison = compare_rows(
        ones,
        others,
        labels=chosen.labels,
        neutral=chosen.neutral,
        metric=cast("Metric", metric),
        out_of_label=cast("OutOfLabel", out_of_label),
        samples=samples,
        seed=seed,
    )
    if json:
        record = {"files": {"first": str(first), "second": str(second)}, **comparison.to_json()}
        typer.echo(json_module.dumps(record, indent=2, ensure_ascii=False))
        return
    from instructerc.cli.views import print_view
    from instructerc.reporting.terminal import comparison_view

    print_view(comparison_view(comparison, first=str(first), second=str(second)))
