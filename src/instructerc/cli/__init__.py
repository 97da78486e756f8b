"""The command line: `instructerc COMMAND …`. One file a command, each a thin shell over one typed function.

Results go to stdout, progress and messages to stderr. `faults` says how it ends when something goes wrong.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from instructerc import __version__
from instructerc.cli.faults import faults_as_lines, print_unexpected
from instructerc.cli.lazy import LazyCommand, LazyGroup, lazy_group

COMMANDS = {
    "run": LazyCommand(
        "instructerc.cli.run:run", "Train, choose an epoch on validation, evaluate and report, as a recipe says."
    ),
    "predict": LazyCommand("instructerc.cli.predict:predict", "Name the emotion of every turn of your conversations."),
    "serve": LazyCommand(
        "instructerc.cli.serve:serve", "Answer over HTTP: an API for programs and a page for people, within limits."
    ),
    "evaluate": LazyCommand(
        "instructerc.cli.evaluate:evaluate", "Compute every figure anew from a file of predictions."
    ),
    "report": LazyCommand(
        "instructerc.cli.report:report", "Show predictions to people: a page, a plot, a table, tasks to correct them."
    ),
    "compare": LazyCommand(
        "instructerc.cli.compare:compare",
        "Say which of two files of predictions is better, and whether that may be chance.",
    ),
    "baselines": LazyCommand(
        "instructerc.cli.baselines:baselines",
        "Fit simple and discriminative methods on a corpus, and measure them as a run is measured.",
    ),
    "merge": LazyCommand(
        "instructerc.cli.merge:merge",
        "Merge what was trained into the weights: a folder that stands alone, and that other programs load.",
    ),
    "push": LazyCommand("instructerc.cli.push:push", "Upload a trained or merged model with its card to a model hub."),
    "reproduce": LazyCommand(
        "instructerc.cli.reproduce:reproduce", "Run a published table, and put what comes out beside what was reported."
    ),
    "recipes": LazyCommand(
        "instructerc.cli.recipes:app", "List, read and copy the recipes that come with the package."
    ),
    "backbones": LazyCommand(
        "instructerc.cli.backbones:app", "List backbones, and say what one needs and whether it fits."
    ),
    "plan": LazyCommand(
        "instructerc.cli.plan:plan",
        "Estimate GPU hours and cost of labelling so many turns, with token trees and without, and show how.",
    ),
    "doctor": LazyCommand(
        "instructerc.cli.doctor:doctor",
        "Say what this machine and this installation can do: versions, memory, network, extras, a short self-test.",
    ),
    "data": LazyCommand("instructerc.cli.data:app", "List, download, look at and check corpora and data of your own."),
}
"""Every command, in the order of the help: name, where it stands, what it does. To add one, add a line."""


class _RootGroup(LazyGroup):
    def invoke(self, ctx: Any) -> Any:
        with faults_as_lines(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


# Plain help: rich would double the time of `--help` and add boxes that no screen reader needs.
app = typer.Typer(
    cls=lazy_group(COMMANDS, _RootGroup),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"instructerc {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Emotion recognition in conversation with instruction-tuned language models."""


def main() -> None:
    """What the `instructerc` program calls."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows its code, instead of ending the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # `--debug` is an option of the program, but is typed at the end of the command that just failed.
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    if debug:
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    try:
        app(arguments, prog_name="instructerc")
    except Exception as error:
        if debug:
            raise
        print_unexpected(error)
        sys.exit(1)
