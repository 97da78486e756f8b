"""`instructerc doctor`: what this machine and this installation can do."""

from __future__ import annotations

import json as json_module
from typing import Annotated

import typer


def doctor(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    report: Annotated[
        bool,
        typer.Option("--report", help="Print Markdown for a report of a bug, without names of people and folders."),
    ] = False,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Let the model that ships read a conversation.")
    ] = True,
) -> None:
    """Say what this machine and this installation can do: versions, memory, network, extras, a short self-test.

    The exit code is 1 where something that was installed does not work. Example: `instructerc doctor`.
    """
    from instructerc.cli.tables import text_table
    from instructerc.diagnosis import diagnose

    diagnosis = diagnose(test=test)
    if report:
        typer.echo(diagnosis.report())
    elif json:
        typer.echo(json_module.dumps(diagnosis.to_json(), indent=2, ensure_ascii=False))
    else:
        for title, rows in diagnosis.sections:
            table = text_table([(f"  {name}", text) for name, text in rows])
            typer.echo(f"{title}\n{table}\n")
        typer.echo("\n".join(diagnosis.faults) or "Nothing is wrong.")
    if diagnosis.faults:
        raise typer.Exit(1)
