"""`instructerc data`: corpora and data of one's own."""

from __future__ import annotations

import typer

from instructerc.cli.lazy import LazyCommand, lazy_group

COMMANDS = {
    "ls": LazyCommand("instructerc.cli.data.ls:list_corpora", "List the corpora that have a name."),
    "download": LazyCommand("instructerc.cli.data.download:download", "Download a corpus from its publisher."),
    "peek": LazyCommand("instructerc.cli.data.peek:peek", "Print conversations, each emotion in its colour."),
    "stats": LazyCommand("instructerc.cli.data.stats:stats", "Print sizes, label counts and lengths of a corpus."),
    "validate": LazyCommand("instructerc.cli.data.validate:validate", "List everything that is wrong with data."),
    "leaks": LazyCommand("instructerc.cli.data.leaks:leaks", "List turns that are trained on and measured on."),
    "export": LazyCommand("instructerc.cli.data.export:export", "Write the prompt files of one corpus or several."),
}
"""Every command, in the order of the help: name, where it stands, what it does. To add one, add a line."""

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    help="List, download, look at and check corpora and data of your own.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Keeps the group a group while it registers no command itself."""
