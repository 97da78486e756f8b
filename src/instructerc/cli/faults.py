r"""How the command line ends when something goes wrong: one line, and the right exit code.

| what happened | stderr | exit code |
|---|---|---|
| an error of ours | its message, red; a traceback with `--debug` | its `exit_code` (2 usage, 1 otherwise) |
| Ctrl-C | `interrupted` | 130 |
| the reader of our output went away (`… \| head`) | nothing | 141 |
| anything else | one line that says so; a traceback with `--debug` | 1 |
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from instructerc.errors import InstructERCError

INTERRUPTED = 130
BROKEN_PIPE = 141


@contextmanager
def faults_as_lines(*, debug: bool) -> Iterator[None]:
    """Ends the program as the table of this module says.

    Args:
        debug: Whether tracebacks are wanted.
    """
    try:
        yield
        sys.stdout.flush()
    except InstructERCError as error:
        if debug:
            traceback.print_exc()
        print_error(str(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        if debug:
            traceback.print_exc()
        print_error("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _give_up_stdout()
        raise typer.Exit(BROKEN_PIPE) from None
    except OSError as error:
        if debug:
            traceback.print_exc()
        reason = error.strerror or str(error)
        print_error(f"{error.filename}: {reason}" if error.filename else reason)
        raise typer.Exit(1) from None


def print_unexpected(error: BaseException) -> None:
    """Says that something happened that nobody foresaw."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    print_error(
        f"{reason}: this should not happen; run it again with `instructerc --debug …` and report what it prints"
    )


def print_error(message: str) -> None:
    """Prints a message on stderr, red where that is a terminal and `NO_COLOR` is not set."""
    color = False if os.environ.get("NO_COLOR") else None
    typer.secho(f"error: {message}", fg="red", err=True, color=color)


def _give_up_stdout() -> None:
    # What is still buffered would fail again when the interpreter flushes it at its end, with a warning on stderr.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # a stdout without a descriptor, as in tests
    finally:
        os.close(nowhere)
