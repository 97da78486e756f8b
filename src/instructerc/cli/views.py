"""Prints what rich lays out: coloured on a terminal, plain and unwrapped in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPE_WIDTH = 200
"""Columns of a table that no terminal limits."""


def print_view(view: RenderableType, *, soft_wrap: bool = False) -> None:
    """Prints a rich view on stdout.

    Args:
        view: What to print.
        soft_wrap: Leaves long lines to the terminal to wrap, for text; tables are laid out to its width.
    """
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    # Captured, because rich ends the program in its own way when the reader of a pipe goes away.
    with console.capture() as captured:
        console.print(view, soft_wrap=soft_wrap)
    sys.stdout.write(captured.get())
