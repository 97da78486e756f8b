"""`instructerc data export`: prompt files, as the released scripts write them."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructerc.cli.data.options import AllowEmpty, ColumnPairs, Folder, Format, Json, Labels
from instructerc.cli.data.sources import (
    Fraction,
    Leaks,
    MixOption,
    SampleUnit,
    Seed,
    Sources,
    Unified,
    check_mixing,
    load_mixture,
    load_sources,
    refuse_options_of_files,
)
from instructerc.errors import UsageError

if TYPE_CHECKING:
    from instructerc.conversation import Corpus
    from instructerc.corpora.mixing import Mixture

PUBLISHED_WORDINGS = ("released", "plain")
"""Their published files hold MELD's texts with the damaged characters of its pickle."""


def export(
    sources: Sources,
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where train.json, valid.json and test.json go.")
    ],
    wording: Annotated[
        str, typer.Option("--wording", metavar="WORDING", help="released, paper, compact, compact-repeated or plain.")
    ] = "released",
    content: Annotated[
        str,
        typer.Option("--content", metavar="CONTENT", help="recognition, speaker_identification, mixed or prediction."),
    ] = "recognition",
    window: Annotated[
        str, typer.Option("--window", metavar="TURNS", help="Turns before the target turn, or all.")
    ] = "12",
    stride: Annotated[
        int, typer.Option("--stride", metavar="TURNS", help="Turns by which the start of the window moves.")
    ] = 1,
    context: Annotated[
        str, typer.Option("--context", metavar="past|both", help="past, or both to show turns after the target too.")
    ] = "past",
    speakers: Annotated[
        str,
        typer.Option(
            "--speakers", metavar="index|name", help="index to number them, name to call them as the source does."
        ),
    ] = "index",
    repair: Annotated[
        bool | None,
        typer.Option(
            "--repair/--no-repair",
            help="Whether MELD's damaged characters are repaired. [default: no for the wordings released and plain of "
            "a -cosmic corpus, whose published files hold them; else yes]",
        ),
    ] = None,
    unified: Unified = None,
    mix: MixOption = None,
    fraction: Fraction = "1",
    sample: SampleUnit = "turns",
    seed: Seed = 42,
    leaks: Leaks = None,
    folder: Folder = None,
    columns: ColumnPairs = None,
    format: Format = None,  # noqa: A002
    labels: Labels = None,
    allow_empty: AllowEmpty = False,
    json: Json = False,
) -> None:
    """Write the prompt files of one corpus or several.

    A line a prompt: {"input": …, "target": …}. Turns without an emotion are shown, and not asked about. Prints the
    path, the number of lines and the sha256 of each file. In the wordings released and plain, the files of meld-cosmic
    and emorynlp-cosmic are those that the released scripts write, byte for byte; with `--unified released --leaks
    published` and the corpora in the order iemocap-cosmic meld-cosmic emorynlp-cosmic, the unified ones, but in the
    order of the corpora: the released training file is shuffled.
    """
    from instructerc.prompts.files import export_prompts

    refuse_options_of_files(sources, column=columns, format=format, labels=labels, allow_empty=allow_empty)
    share = check_mixing(unified=unified, mix=mix, fraction=fraction, unit=sample, leaks=leaks)
    spec = {"wording": wording, "window": _window(window, stride, context), "speakers": speakers}
    _check(spec)
    corpora = load_sources(
        sources,
        folder=folder,
        columns=columns,
        format=format,
        labels=labels,
        allow_empty=allow_empty,
        repair=lambda name: _is_repaired(name, wording) if repair is None else repair,
    )
    if unified is None and len(corpora) == 1:
        _refuse_mixing(mix=mix, leaks=leaks)
        corpus = _sampled(corpora[0], fraction=share, seed=seed, unit=sample)
        spec["speaker_order"] = _speaker_order(corpora)
    else:
        mixture = load_mixture(corpora, unified=unified, mix=mix, fraction=share, seed=seed, unit=sample, leaks=leaks)
        corpus = mixture.corpus
        spec |= {"speaker_order": _speaker_order(corpora), "speaker_offsets": _offsets(mixture, wording)}
        typer.echo(mixture.leaks.summary, err=True)
    paths = export_prompts(corpus, _check(spec, labels=corpus.labels), out, content=content)  # type: ignore[arg-type]
    _print([(split, path) for split, path in paths.items()], json=json)


def _print(paths: list[tuple[str, Path]], *, json: bool) -> None:
    from instructerc.assets import sha256_of
    from instructerc.cli.tables import text_table

    rows = [
        {"split": split, "path": str(path), "lines": _count_lines(path), "sha256": sha256_of(path)}
        for split, path in paths
    ]
    if json:
        typer.echo(json_module.dumps(rows, indent=2, ensure_ascii=False))
        return
    typer.echo(text_table([[str(row[key]) for key in ("path", "lines", "sha256")] for row in rows], right=(1,)))


def _refuse_mixing(**given: str | None) -> None:
    unfit = [f"--{name}" for name, value in given.items() if value is not None]
    if unfit:
        raise UsageError(f"{' and '.join(unfit)} goes with several corpora, or with --unified: leave it out")


def _sampled(corpus: Corpus, *, fraction: float, seed: int, unit: str) -> Corpus:
    from instructerc.corpora.sampling import sample_training

    return sample_training(corpus, fraction=fraction, seed=seed, unit=unit)  # type: ignore[arg-type]


def _offsets(mixture: Mixture, wording: str) -> dict[str, int]:
    from instructerc.prompts.offsets import speaker_offsets

    return speaker_offsets(mixture.parts, wording=wording)


def _check(settings: dict[str, Any], *, labels: tuple[str, ...] = ()) -> Any:
    """The spec; a wrong setting is told before a corpus is read."""
    from instructerc.prompts.spec import PromptSpec

    return PromptSpec(labels=labels, **settings)


def _window(size: str, stride: int, context: str) -> Any:
    from instructerc.prompts.window import Window

    if size != "all" and not size.isdecimal():
        raise UsageError(f"--window {size}: give the number of turns before the target, 0 or more, or all")
    return Window(size=None if size == "all" else int(size), stride=stride, context=context)  # type: ignore[arg-type]


def _speaker_order(corpora: Sequence[Corpus]) -> tuple[str, ...]:
    from instructerc.experiments.conversations import IEMOCAP_SPEAKERS

    return IEMOCAP_SPEAKERS if any(corpus.name in ("iemocap", "iemocap-cosmic") for corpus in corpora) else ()


def _is_repaired(source: str, wording: str) -> bool:
    return not (wording in PUBLISHED_WORDINGS and source.endswith("-cosmic"))


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
