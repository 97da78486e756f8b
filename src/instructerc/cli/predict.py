"""`instructerc predict`: conversations of your own in, emotions out."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from instructerc.cli.data.options import ColumnPairs, Format

if TYPE_CHECKING:
    from instructerc.conversation import Conversation
    from instructerc.corpora.columns import Columns
    from instructerc.corpora.streaming import SetAside
    from instructerc.recognition.labelling import OutputFormat
    from instructerc.recognition.predictions import TurnPrediction
    from instructerc.recognition.recognizer import EmotionRecognizer

SET_ASIDE = 3
"""Exit code where the rest was recognised, and something was set aside."""


def predict(
    source: Annotated[
        str, typer.Argument(metavar="FILE|FOLDER|-", help="Conversations in any format that `data` reads; - is stdin.")
    ],
    *,
    model: Annotated[
        str,
        typer.Option(
            "--model", metavar="MODEL", help="The model that ships (embedded), a run folder, a model, or one of a hub."
        ),
    ] = "embedded",
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="FILE", help="A .jsonl, .csv or .parquet file; with ray, a folder. [default: stdout]"
        ),
    ] = None,
    format: Format = None,  # noqa: A002
    columns: ColumnPairs = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="NAME[=MEANING]",
            help="A label to choose from instead of the model's; give two or more. A model answers best on its own.",
        ),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", metavar="P", min=0, max=1, help="A turn whose likeliest label has less is `uncertain`."
        ),
    ] = 0.0,
    batch_size: Annotated[int, typer.Option("--batch-size", metavar="N", min=1, help="Prompts a forward pass.")] = 16,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="cpu|cuda|…", help="[default: the first accelerator, or the CPU]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew, whatever --out holds.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End at the first fault of the input.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON Lines on standard output, also on a terminal.")] = False,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            "--engine", help="ray: a folder or bucket, partition by partition, by many workers (docs/scale.md)."
        ),
    ] = "local",
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="With ray: models at once. [default: by cores]")
    ] = None,
    gpus: Annotated[float, typer.Option("--gpus", metavar="N", min=0, help="With ray: GPUs of each worker.")] = 0,
    partition: Annotated[
        int,
        typer.Option("--partition", metavar="MB", min=1, help="With ray: of JSON Lines that a worker takes at once."),
    ] = 64,
    output: Annotated[
        Literal["jsonl", "csv", "parquet"], typer.Option("--output", help="With ray: format of what is written.")
    ] = "jsonl",
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="ADDRESS", help="With ray: of a cluster. [default: this machine]")
    ] = None,
) -> None:
    """Name the emotion of every turn of your conversations.

    With --out, rows are written as they come; run it again and it goes on where it was stopped. Conversations at
    fault are listed in OUT.errors.jsonl with the reason, and the rest goes on: the exit code is then 3.
    Example: `instructerc predict calls/ --out emotions.jsonl`.
    """
    from instructerc.backbones.loading import quiet_transformers
    from instructerc.corpora.columns import parse_columns
    from instructerc.corpora.formats import check_format
    from instructerc.errors import UsageError
    from instructerc.recognition.recognizer import EmotionRecognizer

    check_format(format)
    wanted = parse_columns(columns) if columns else None
    if engine == "ray":
        if out is None or source == "-":
            raise UsageError("--engine ray takes a file or folder, and --out FOLDER: give both")
        from instructerc.cli.predict_ray import predict_with_ray
        from instructerc.scale.ray_engine import MEGABYTE, ScaleSettings

        settings = ScaleSettings(
            model=model,
            output=output,
            format=format,
            columns=wanted,
            partition=partition * MEGABYTE,
            workers=workers,
            gpus=gpus,
            batch_size=batch_size,
            labels=parse_labels(label),
            threshold=threshold,
        )
        code = predict_with_ray(source, out, settings, address=cluster)
        if code:
            raise typer.Exit(code)
        return
    file = None if out is None else Path(out)
    kind = None if file is None else _kind(file)
    quiet_transformers()
    reading = _Reading(source, format, wanted)
    # Before the model is loaded: a missing file shall not take seconds to be missed. Only a bar wants the whole count.
    total = None
    if kind is None:
        reading.begin()
    else:
        total = reading.turns()
    recognizer = EmotionRecognizer.from_pretrained(
        model, batch_size=batch_size, device=device, labels=parse_labels(label), threshold=threshold
    )
    if file is None or kind is None:
        code = _print(recognizer, reading, strict=strict, lines=json or not sys.stdout.isatty())
    else:
        code = _write(recognizer, reading, file, kind, total, overwrite=overwrite, strict=strict)
    if code:
        raise typer.Exit(code)


def parse_labels(given: Sequence[str] | None) -> dict[str, str] | None:
    """What was given as --label, as labels and their meaning; None where nothing was.

    Raises:
        UsageError: A label stands twice.

    Example:
        >>> parse_labels(["calm", "tense=on edge"])
        {'calm': '', 'tense': 'on edge'}
    """
    from instructerc.errors import UsageError

    if not given:
        return None
    pairs = [(name.strip(), meaning.strip()) for name, _, meaning in (text.partition("=") for text in given)]
    labels = dict(pairs)
    if len(labels) < len(pairs):
        raise UsageError(f"--label: one stands twice among {', '.join(name for name, _ in pairs)}: give each once")
    return labels


def _kind(out: Path) -> OutputFormat:
    from instructerc.errors import UsageError

    kinds: dict[str, OutputFormat] = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}
    kind = kinds.get(out.suffix.lower())
    if kind is None:
        raise UsageError(f"--out {out}: what it is to be is read off its end: name it {', '.join(kinds)}")
    return kind


class _Reading:
    """The input, which can be read more than once unless it is standard input."""

    def __init__(self, source: str, format: str | None, columns: Columns | None) -> None:  # noqa: A002
        self._source, self._format, self._columns = source, format, columns

    def __iter__(self) -> Iterator[Conversation | SetAside]:
        from instructerc.corpora.streaming import stream_conversations

        return stream_conversations(self._source, format=self._format, columns=self._columns)

    def begin(self) -> None:
        """Reads the first conversation.

        Raises:
            UnreadableFileError: There is nothing to be read.
        """
        if self._source != "-":
            next(iter(self), None)

    def turns(self) -> int | None:
        """Turns that can be recognised; None where counting them would use them up."""
        from instructerc.conversation import Conversation

        if self._source == "-":
            return None
        return sum(len(item) for item in self if isinstance(item, Conversation))


def _write(
    recognizer: EmotionRecognizer,
    reading: _Reading,
    out: Path,
    kind: OutputFormat,
    total: int | None,
    *,
    overwrite: bool,
    strict: bool,
) -> int:
    from instructerc.cli.progress import counting_turns
    from instructerc.recognition.labelling import label_conversations

    with counting_turns("recognising", total) as progress:
        summary = label_conversations(
            recognizer, reading, out, format=kind, overwrite=overwrite, strict=strict, progress=progress
        )
    before = f", {summary.resumed:,} of them from before" if summary.resumed else ""
    typer.echo(f"{out}: {summary.turns:,} turns of {summary.conversations:,} conversations{before}", err=True)
    if summary.errors is None:
        return 0
    typer.echo(f"{summary.errors}: {summary.set_aside:,} faults of the input, with file, line and reason", err=True)
    return SET_ASIDE


def _print(recognizer: EmotionRecognizer, reading: _Reading, *, strict: bool, lines: bool) -> int:
    from instructerc.conversation import Conversation
    from instructerc.errors import InvalidRowsError

    faults = 0

    def usable() -> Iterator[Conversation]:
        nonlocal faults
        for item in reading:
            if isinstance(item, Conversation):
                yield item
            elif strict:
                raise InvalidRowsError([item.problem])
            else:
                faults += 1
                typer.echo(f"set aside: {item.problem}", err=True)

    for rows in recognizer.recognize_all(usable()):
        for row in rows:
            typer.echo(json_module.dumps(row.to_json(), ensure_ascii=False) if lines else _line(row))
        if not lines:
            typer.echo()
    return SET_ASIDE if faults else 0


def _line(row: TurnPrediction) -> str:
    return f"{row.speaker}: {row.text}\n    {row.emotion}{_share(row)}"


def _share(row: TurnPrediction) -> str:
    """How sure the model is; of a turn that is left open, what it would have said."""
    from instructerc.recognition.predictions import decided

    if row.probabilities is None:
        return ""
    likeliest = decided(row.probabilities)
    share = f"{100 * row.probabilities[likeliest]:.0f} %"
    return f"  {share}" if row.emotion == likeliest else f"  ({likeliest} {share})"
