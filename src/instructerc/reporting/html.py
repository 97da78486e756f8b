"""The report as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from instructerc import __version__
from instructerc.evaluation import Interval, Scores
from instructerc.reporting.figures import (
    METRIC_TITLES,
    interval_text,
    percent,
    points,
    stage_text,
    validation_title,
    value_text,
)
from instructerc.reporting.palette import palette
from instructerc.reporting.plots import DARK, LIGHT, curves_png
from instructerc.reporting.report import Curves, Report

if TYPE_CHECKING:
    from jinja2 import Template

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def render_html(report: Report) -> str:
    """The page, light or dark as the reader's system is; every text of users is escaped.

    Args:
        report: What to write.
    """
    examples = [label for turn in report.examples for label in (turn.utterance.emotion or "", turn.emotion)]
    return page_template("report.html.j2").render(
        report=report,
        main=report.main,
        marks=palette(list(dict.fromkeys([*report.main.labels, *examples]))),
        headline=_headline(report.main, report.main_interval),
        tiles=list(_tiles(report.main)),
        matrix=list(_matrix(report.main)),
        any_outside=any(report.main.outside),
        course=list(_course(report)),
        percent=percent,
        points=points,
        value_text=value_text,
        version=__version__,
    )


def page_template(name: str) -> Template:
    """A template of this room, in which every text of users is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("instructerc.reporting"), autoescape=True, undefined=StrictUndefined, finalize=_printable
    )
    return environment.get_template(name)


def _printable(value: Any) -> Any:
    """Without the control characters that HTML forbids; markup that is safe already stays what it is."""
    return _UNPRINTABLE.sub("\ufffd", value) if type(value) is str else value


def _headline(scores: Scores, interval: Interval | None) -> dict[str, Any]:
    metric = "weighted_f1" if interval is None else interval.metric
    return {
        "title": METRIC_TITLES[metric],
        "value": scores.value(metric),
        "interval": None if interval is None else interval_text(interval),
    }


def _tiles(scores: Scores) -> Iterator[tuple[str, str, str]]:
    yield "Macro F1", percent(scores.macro_f1), "mean of all emotions"
    yield "Accuracy", percent(scores.accuracy), ""
    if scores.micro_f1_without_neutral is not None:
        yield "Micro F1", percent(scores.micro_f1_without_neutral), "without neutral"
    yield "Turns", f"{scores.support:,}", "judged against a gold label"
    if scores.calibration_error is not None:
        yield "Calibration", percent(scores.calibration_error), "expected error, 0 is best"


def _matrix(scores: Scores) -> Iterator[tuple[str, list[dict[str, Any]], int]]:
    extra = any(scores.outside)
    for label, row, outside in zip(scores.labels, scores.confusion, scores.outside, strict=True):
        total = scores.per_class[label].support
        counts = [*row, outside] if extra else row
        columns = [*scores.labels, None]
        cells = [
            {"count": count, "share": count / total if total else 0.0, "right": column == label}
            for count, column in zip(counts, columns, strict=False)
        ]
        yield label, cells, total


def _course(report: Report) -> Iterator[dict[str, Any]]:
    """The stages of the training, the last one last; it needs no heading where it is the only one."""
    for name, curves in report.stages.items():
        yield {"heading": f"Stage {name}: {stage_text(curves)}", "curves": curves, **_curves(curves)}
    if report.curves is not None:
        heading = f"Last stage: {stage_text(report.curves)}" if report.stages else ""
        yield {"heading": heading, "curves": report.curves, **_curves(report.curves)}


def _curves(curves: Curves) -> dict[str, str]:
    metric = validation_title(curves)
    text = f"Training loss over {len(curves.loss)} logged steps"
    if curves.validation:
        text += f"; {metric} over {len(curves.validation)} epochs, as the table below"
    return {
        "light": _data_address(curves_png(curves, theme=LIGHT)),
        "dark": _data_address(curves_png(curves, theme=DARK)),
        "text": text,
        "metric": metric,
    }


def _data_address(image: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"
