"""`instructerc reproduce`: a published table as runs, and what came out beside what was reported."""

from __future__ import annotations

import json as json_module
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instructerc.errors import UsageError

if TYPE_CHECKING:
    from instructerc.reproduction.grid import Request
    from instructerc.reproduction.overview import Overview
    from instructerc.reproduction.running import Outcome, Status
    from instructerc.reproduction.table import Table
    from instructerc.reproduction.writing import Comparison

LISTING = "ls"
"""Stands for a table where all of them are to be listed."""


def complete_table(incomplete: str) -> list[str]:
    """Names of shipped tables that begin with what was typed: for the shell's completion."""
    from instructerc.reproduction.reading import table_names

    return [name for name in (*table_names(), LISTING) if name.startswith(incomplete)]


def reproduce(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="Name of a table, a YAML file of your own, or ls to list the tables.",
            autocompletion=complete_table,
        ),
    ],
    *,
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="NAME", help="Backbone of all runs. [default: embedded]")
    ] = None,
    corpora: Annotated[
        str | None, typer.Option("--corpora", metavar="A,B,…", help="Corpora of the table. [default: all]")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Holds a folder for each corpus, named after it.")
    ] = None,
    rows: Annotated[str | None, typer.Option("--rows", metavar="A,B,…", help="Rows. [default: all]")] = None,
    values: Annotated[
        str | None,
        typer.Option(
            "--fractions", "--values", metavar="A,B,…", help="Values of what the table varies: 1,1/4. [default: all]"
        ),
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", metavar="N,N,…", help="Run each cell once a seed.")] = "42",
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="RECIPE",
            help="What runs begin with. [default: meld for the embedded backbone, else the published llama2-7b-meld]",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a value in every run. Repeatable."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the table and the run folders go.")
    ] = Path("runs/reproduce"),
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FOLDER", help="Results of single cells. [default: results inside --out]"),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print a command line for each cell that is missing; run nothing.")
    ] = False,
    table_only: Annotated[
        bool, typer.Option("--table-only", help="Write the table from the results that there are; run nothing.")
    ] = False,
    launcher: Annotated[
        str | None,
        typer.Option("--launcher", metavar="CMD", help="Hand each run's command line to this program instead."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a published table, and put what comes out beside what was reported.

    Cells that are done are not run again. Examples: `instructerc reproduce ls`,
    `instructerc reproduce ablation --corpora meld --seeds 1,2,3`, `instructerc reproduce alpha --plan`.
    """
    from instructerc.cli.run import parse_seeds
    from instructerc.reproduction.grid import Request

    request = Request(
        backbone=backbone or "",
        recipe=recipe or "",
        corpora=_words("--corpora", corpora),
        rows=_words("--rows", rows),
        values=_words("--values", values),
        seeds=tuple(parse_seeds(seeds)),
        settings=tuple(overrides or ()),
        data=data,
        out=out,
        results=results,
    )
    launching = () if launcher is None else _launcher(launcher)
    if table == LISTING:
        _print_overview(request, json=json)
        return
    if plan and table_only:
        raise UsageError("--plan and --table-only: the one prints commands, the other writes the table: choose one")
    from instructerc.reproduction.reading import read_table

    found = read_table(table)
    if plan:
        _print_plan(found, request, json=json)
        return
    outcome = None if table_only else _run(found, request, launching)
    _write(found, request, json=json)
    if outcome is not None:
        _print_end(outcome)


def _words(option: str, text: str | None) -> tuple[str, ...]:
    """What stands between the commas.

    Raises:
        UsageError: Nothing stands between two of them.
    """
    words = () if text is None else tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise UsageError(f"{option} {text!r}: has an empty part: separate names by single commas, such as a,b")
    return words


def _launcher(text: str) -> tuple[str, ...]:
    """The words of `--launcher`, as a shell splits them.

    Raises:
        UsageError: There is no program, or what a quote or backslash begins does not end.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        fault = "a quote is not closed" if "quotation" in str(error) else "nothing follows its last backslash"
        raise UsageError(f"--launcher {text!r}: {fault}") from None
    if not words or not words[0]:
        raise UsageError(f"--launcher {text!r}: names no program: name one, or leave the option out to run cells here")
    return words


def _print_overview(request: Request, *, json: bool) -> None:
    from instructerc.reproduction.overview import overview

    found = overview(request)
    if json:
        typer.echo(json_module.dumps([line.to_json() for line in found], indent=2, ensure_ascii=False))
        return
    from instructerc.cli.tables import text_table

    head = ("table", "cells", "done", "left to learn from", "estimate", "title")
    typer.echo(text_table([head, *(_overview_cells(line) for line in found)], right=(1, 2, 3, 4)))
    measured = any(line.hours and line.measured for line in found)
    defaults = any(line.hours and not line.measured for line in found)
    typer.echo(
        "\nLeft to learn from: examples, that is epochs × training turns × tasks, of the cells that are missing."
    )
    if measured:
        typer.echo("Estimates rest on the seconds that finished cells of the backbone took an example.")
    if defaults:
        typer.echo("Estimates rest on the default rate of the embedded backbone on two cores until a cell is finished.")


def _overview_cells(line: Overview) -> tuple[str, ...]:
    title = f"{line.title} ({line.refused} cannot be run so)" if line.refused else line.title
    return (line.table, str(line.cells), str(line.done), *_cost(line.passes, line.hours), title)


def _cost(passes: float | None, hours: float | None) -> tuple[str, str]:
    return ("?" if passes is None else f"{passes:,.0f}", "?" if hours is None else f"about {hours:.1f} h")


def _print_plan(table: Table, request: Request, *, json: bool) -> None:
    from instructerc.reproduction.grid import expand
    from instructerc.reproduction.overview import cost_of
    from instructerc.reproduction.results import Results
    from instructerc.reproduction.running import absent_data, status_of

    results = Results(request.results_folder)
    statuses = [status_of(cell, results) for cell in expand(table, request)]
    if json:
        typer.echo(json_module.dumps([_plan_record(status) for status in statuses], indent=2, ensure_ascii=False))
        return
    missing = [status for status in statuses if status.state == "missing"]
    passes, hours, measured = cost_of(statuses, results)
    amount, time = _cost(passes, hours)
    rate = "" if hours is None else " (measured rate)" if measured else " (default rate)"
    # Comments of a shell, so that the whole can be handed to one.
    typer.echo(f"# {table.name}: {len(missing)} of {len(statuses)} cells are missing: {amount} examples, {time}{rate}")
    for status in statuses:
        if status.state == "refused":
            reason = status.reason.replace("\n", "\n#   ")
            typer.echo(f"# {status.cell.name}: cannot be run: {reason}")
    for folder in dict.fromkeys(folder for status in missing for folder in absent_data(status.cell)):
        typer.echo(f"# {folder}: is not there: `instructerc data download {folder.name}`, or name its parent by --data")
    seen: set[str] = set()
    for status in missing:
        if status.key in seen:
            typer.echo(f"# {status.cell.name}: is the same run as one above")
            continue
        seen.add(status.key)
        typer.echo(shlex.join(status.cell.command()))


def _plan_record(status: Status) -> dict[str, object]:
    return {
        "cell": status.cell.name,
        "state": status.state,
        "reason": status.reason,
        "run": status.key,
        "passes": status.passes,
        "command": status.cell.command(),
    }


def _run(table: Table, request: Request, launcher: Sequence[str]) -> Outcome:
    from instructerc.cli.progress import terminal_watcher
    from instructerc.reproduction.grid import expand
    from instructerc.reproduction.results import Results
    from instructerc.reproduction.running import run_missing

    return run_missing(
        expand(table, request),
        Results(request.results_folder),
        watching=terminal_watcher,
        launcher=launcher,
        say=lambda text: typer.echo(text, err=True),
    )


def _write(table: Table, request: Request, *, json: bool) -> None:
    from instructerc.reproduction.results import Results
    from instructerc.reproduction.writing import compared, write_comparison

    comparison = compared(table, request, Results(request.results_folder).of_table(table.name))
    written = write_comparison(comparison, request.out)
    if json:
        typer.echo(json_module.dumps(comparison.to_json(), indent=2, ensure_ascii=False))
    else:
        typer.echo(_text(comparison))
    for path in written:
        typer.echo(str(path), err=True)


def _text(comparison: Comparison) -> str:
    """The comparison for a terminal; its files say more."""
    from instructerc.cli.tables import text_table
    from instructerc.reproduction.writing import MISSING, reproduced_text

    head = ("corpus", "row", "value", "reported", "reproduced", "difference", "marks")
    rows = [
        (
            *(line.corpus, line.row, line.value),
            MISSING if line.reported is None else str(line.reported),
            reproduced_text(line),
            MISSING if line.difference is None else f"{line.difference:+.2f}",
            "; ".join(line.marks),
        )
        for line in comparison.lines
    ]
    return text_table([head, *rows], right=(3, 4, 5))


def _print_end(outcome: Outcome) -> None:
    """What was done; ends the program with 1 where a cell failed."""
    from instructerc.cli.faults import print_error

    counts = (("run", outcome.ran), ("done before", outcome.skipped), ("handed to the launcher", outcome.handed))
    said = [f"{len(names)} {text}" for text, names in counts if names]
    if said:
        typer.echo(f"cells: {', '.join(said)}", err=True)
    for name, reason in outcome.failed.items():
        print_error(f"{name}: {reason}")
    if outcome.failed:
        raise typer.Exit(1)
