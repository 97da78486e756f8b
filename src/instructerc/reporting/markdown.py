"""The report as Markdown, for a repository or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from instructerc.evaluation import Scores
from instructerc.reporting.figures import (
    METRIC_TITLES,
    OUTSIDE,
    interval_text,
    marked,
    percent,
    points,
    stage_text,
    value_text,
)
from instructerc.reporting.report import Report, WrongTurn

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$@-])")


def render_markdown(report: Report) -> str:
    """The report; every text of users is escaped, so that it stands there as it was written.

    Args:
        report: What to write.
    """
    return "\n".join(_lines(report)) + "\n"


def escape(text: str) -> str:
    r"""Text as Markdown that shows it: on one line, without markup, mentions or HTML.

    Example:
        >>> print(escape("a|b *c* <d>"))
        a\|b \*c\* &lt;d&gt;
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(_SPECIAL.sub(r"\\\1", text).split())


def _lines(report: Report) -> Iterator[str]:
    main, interval = report.main, report.main_interval
    metric = "weighted_f1" if interval is None else interval.metric
    yield f"# {escape(report.title)}"
    if report.summary:
        yield from ("", escape(report.summary))
    headline = marked(percent(main.value(metric)), map(escape, report.marks))
    yield from ("", f"**{METRIC_TITLES[metric]} on {escape(report.main_split)}: {headline}**")
    if interval is not None:
        yield from ("", interval_text(interval))
    if report.notices:
        yield from ("", *(f"> **Note:** {escape(notice)}\n>" for notice in report.notices))
    yield from ("", *_splits(report))
    if report.baselines:
        yield from ("", "## Beside the baselines", "", *_baselines(report))
    if report.sources:
        yield from ("", "## Each corpus", "", *_sources(report))
    yield from ("", "## Each emotion", "", *class_table(main))
    yield from ("", "## Where the errors go", "", "Rows: gold; columns: recognised.", "", *_confusion(main))
    if report.stages or report.curves is not None:
        yield from ("", "## How the training went", *_course(report))
    if report.examples:
        yield from ("", "## Wrong turns", "", *(line for example in report.examples for line in _example(example)))
    for heading, table in report.provenance.items():
        rows = [(escape(name), escape(value_text(value))) for name, value in table.items()]
        yield from ("", f"## {escape(heading)}", "", *_table(("Name", "Value"), rows, numbers=False))


def _splits(report: Report) -> Iterator[str]:
    rows = []
    for split, scores in report.scores.items():
        name = marked(escape(split), map(escape, report.marks if split == report.main_split else ()))
        without = scores.micro_f1_without_neutral
        figures = (scores.weighted_f1, scores.macro_f1, scores.micro_f1, without, scores.accuracy)
        rows.append((name, str(scores.support), *map(percent, figures)))
    head = ("Split", "Turns", "Weighted F1", "Macro F1", "Micro F1", "Micro F1 without neutral", "Accuracy")
    return _table(head, rows)


def _sources(report: Report) -> Iterator[str]:
    rows = [
        (escape(name), str(scores.support), *map(percent, (scores.weighted_f1, scores.macro_f1, scores.accuracy)))
        for name, scores in report.sources.items()
    ]
    split = marked(escape(report.main_split), map(escape, report.marks))
    yield f"On {split}; each corpus is judged over the labels that it can carry."
    yield ""
    yield from _table(("Corpus", "Turns", "Weighted F1", "Macro F1", "Accuracy"), rows)


def _course(report: Report) -> Iterator[str]:
    stages = [f"- Stage {escape(name)}: {stage_text(curves)}" for name, curves in report.stages.items()]
    if stages:
        yield from ("", *stages)
    if report.curves is not None:
        if stages:
            yield f"- Last stage: {stage_text(report.curves)}"
        yield from ("", "![Training loss and validation figure](curves.png)")


def _baselines(report: Report) -> Iterator[str]:
    def row(name: str, scores: Scores, ahead: str) -> tuple[str, ...]:
        return (name, percent(scores.weighted_f1), percent(scores.macro_f1), percent(scores.accuracy), ahead)

    rows = [row(marked("**This model**", map(escape, report.marks)), report.main, "")]
    for name, scores in report.baselines.items():
        rows.append(row(escape(name), scores, points(report.main.weighted_f1 - scores.weighted_f1)))
    return _table(("System", "Weighted F1", "Macro F1", "Accuracy", "Model ahead by"), rows)


def class_table(scores: Scores) -> Iterator[str]:
    """Lines of a table: precision, recall, F1 and support of each emotion."""
    rows = [
        (escape(label), percent(found.precision), percent(found.recall), percent(found.f1), str(found.support))
        for label, found in scores.per_class.items()
    ]
    return _table(("Emotion", "Precision", "Recall", "F1", "Support"), rows)


def _confusion(scores: Scores) -> Iterator[str]:
    extra = any(scores.outside)
    rows = [
        (escape(label), *map(str, row), *([str(outside)] if extra else []))
        for label, row, outside in zip(scores.labels, scores.confusion, scores.outside, strict=True)
    ]
    return _table(("", *map(escape, scores.labels), *([OUTSIDE] if extra else [])), rows)


def _example(example: WrongTurn) -> Iterator[str]:
    sure = "" if example.confidence is None else f" ({100 * example.confidence:.0f} % sure)"
    verdict = f"gold **{escape(example.utterance.emotion or '')}**, recognised **{escape(example.emotion)}**{sure}"
    yield f"- conversation {escape(example.conversation)}, turn {example.turn}: {verdict}"
    for utterance in (*example.context, example.utterance):
        yield f"  - {escape(utterance.speaker)}: {escape(utterance.text)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(['---', *(['---:' if numbers else '---'] * (len(head) - 1))])}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
