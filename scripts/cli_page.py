"""Writes docs/cli.md from the command line itself; with --check only says whether it is current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from pages import write_or_check

from instructerc.cli import app
from instructerc.cli.lazy import LazyGroup

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"

HEAD = """\
# Command line

<!-- Written by scripts/cli_page.py from the commands: change those, then `make docs`. -->

Results go to standard output, progress and messages to standard error. Exit codes: 0 where all went well, 1 where
something went wrong, 2 where the command was not understood, 3 where `predict` set conversations aside and went on.
`--debug`, before the command, shows the traceback of an error.

"""


def commands(group: Any, context: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every command below a group: its words, and its help."""
    for name in group.list_commands(context):
        command = group.load(name) if isinstance(group, LazyGroup) else group.get_command(context, name)
        inner = type(context)(command, parent=context, info_name=name, terminal_width=100, max_content_width=100)
        words = f"{path} {name}"
        yield words, command.get_help(inner).strip()
        if hasattr(command, "list_commands"):
            yield from commands(command, inner, words)


def page() -> str:
    """The page."""
    root: Any = typer.main.get_command(app)
    context = root.context_class(root, info_name="instructerc", terminal_width=100, max_content_width=100)
    parts = [f"## {words}\n\n```text\n{help}\n```\n" for words, help in commands(root, context, "instructerc")]  # noqa: A001
    return HEAD + f"```text\n{root.get_help(context).strip()}\n```\n\n" + "\n".join(parts)


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), sys.argv[1:], source="the command line"))
