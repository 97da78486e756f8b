"""Prints tables: coloured on a terminal, plain and unwrapped in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPE_WIDTH = 200
"""Columns of a table that no terminal limits."""


def print_view(view: RenderableType) -> None:
    """Prints a rich view on stdout."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    console.print(view)
