"""Arguments and options of the data commands that take several corpora."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instructerc.cli.data.options import complete_source, load_source
from instructerc.errors import UsageError

if TYPE_CHECKING:
    from instructerc.conversation import Corpus
    from instructerc.corpora.mixing import Mixture

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE…",
        help="Names of corpora (`instructerc data ls`), files or folders of your own. NAME=PATH says where a named "
        "corpus is, or calls data of your own NAME.",
        autocompletion=complete_source,
    ),
]
Unified = Annotated[
    str | None,
    typer.Option(
        "--unified",
        metavar="MAPPING|FILE",
        help="One label set for all: released, feeling-wheel, ekman, or a mapping file of your own.",
    ),
]
MixOption = Annotated[
    str | None,
    typer.Option(
        "--mix",
        metavar="ratio|total",
        help="Whether the fraction is taken of each corpus (ratio) or of all together (total). [default: ratio]",
    ),
]
Fraction = Annotated[
    str, typer.Option("--fraction", metavar="SHARE", help="Share of the training split, as 1/4 or 0.25.")
]
SampleUnit = Annotated[
    str,
    typer.Option(
        "--sample", metavar="turns|conversations", help="What a fraction is taken of: single turns, as published."
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the sample.")]
Leaks = Annotated[
    str | None,
    typer.Option(
        "--leaks",
        metavar="guarded|published",
        help="guarded leaves out training conversations that share turns with validation or test, published leaves "
        "nothing out. [default: guarded where corpora are mixed]",
    ),
]
Match = Annotated[
    str,
    typer.Option(
        "--match",
        metavar="letters|exact",
        help="When turns are the same: letters and digits, or words and blanks as well.",
    ),
]


def load_sources(
    sources: Sequence[str],
    *,
    folder: Path | None,
    columns: list[str] | None,
    format: str | None,  # noqa: A002
    labels: str | None,
    allow_empty: bool,
    repair: Callable[[str], bool] = lambda name: True,  # noqa: ARG005 — MELD's damage is repaired by default
) -> tuple[Corpus, ...]:
    """The corpora that the arguments of a command mean; options of files go with files, a folder with names.

    Raises:
        UsageError: Options do not fit a source.
        DataError: Data is at fault.
    """
    from instructerc.corpora.catalog import SOURCES
    from instructerc.corpora.load import named_source

    if folder is not None and not any(source in SOURCES for source in sources):
        raise UsageError(f"--folder {folder} says where named corpora are, and none is given: give the paths alone")
    corpora = []
    for source in sources:
        name, path = named_source(source)
        if name in SOURCES:
            where = folder if path is None else Path(path)
            corpora.append(_load(name, folder=where, repair=repair(name)))
        else:
            own = {"columns": columns, "format": format, "labels": labels, "allow_empty": allow_empty}
            corpus = load_source(path or name, folder=None, repair=True, **own)  # type: ignore[arg-type]
            corpora.append(corpus if path is None else replace(corpus, name=name))
    return tuple(corpora)


def load_mixture(
    corpora: Sequence[Corpus],
    *,
    unified: str | None,
    mix: str | None,
    fraction: float,
    seed: int,
    unit: str,
    leaks: str | None,
) -> Mixture:
    """The corpora as one.

    Raises:
        UsageError: A name is unknown, or labels do not fit.
    """
    from instructerc.corpora.leak_guard import get_protocol
    from instructerc.corpora.mapping_files import load_mapping
    from instructerc.corpora.mixing import get_mix, mix_corpora

    return mix_corpora(
        corpora,
        mapping=None if unified is None else load_mapping(unified),
        mix=get_mix(mix or "ratio"),
        fraction=fraction,
        seed=seed,
        unit=unit,  # type: ignore[arg-type]
        protocol=get_protocol(leaks or "guarded"),
    )


def check_mixing(*, unified: str | None, mix: str | None, fraction: str, unit: str, leaks: str | None) -> float:
    """Refuses names that no option knows before a corpus is read; the fraction as a number.

    Raises:
        UsageError: A name is unknown, a mapping is at fault, or the fraction is none.
    """
    from instructerc.corpora.leak_guard import get_protocol
    from instructerc.corpora.mapping_files import load_mapping
    from instructerc.corpora.mixing import get_mix
    from instructerc.corpora.sampling import UNITS, parse_fraction
    from instructerc.errors import UnknownNameError

    if unified is not None:
        load_mapping(unified)
    if mix is not None:
        get_mix(mix)
    if leaks is not None:
        get_protocol(leaks)
    if unit not in UNITS:
        raise UnknownNameError("unit of sampling", unit, UNITS)
    return parse_fraction(fraction)


def refuse_options_of_files(sources: Sequence[str], **given: object) -> None:
    """Refuses options that describe files where only named corpora are given.

    Raises:
        UsageError: Such an option was given.
    """
    from instructerc.corpora.catalog import SOURCES
    from instructerc.corpora.load import named_source

    unfit = [name for name, value in given.items() if value not in (None, False)]
    if unfit and all(named_source(source)[0] in SOURCES for source in sources):
        options = " and ".join("--" + name.replace("_", "-") for name in unfit)
        raise UsageError(f"{options} goes with files of your own only: leave it out, or give a path")


def _load(name: str, *, folder: Path | None, repair: bool) -> Corpus:
    return load_source(name, folder=folder, columns=None, format=None, labels=None, allow_empty=False, repair=repair)
