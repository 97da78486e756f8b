"""The tree of exceptions: what each message says, and what a command exits with."""

from __future__ import annotations

import re
from pathlib import Path

from instructerc import errors
from instructerc.errors import InstructERCError, InvalidRowsError, Problem, UsageError


def test_the_tree_at_the_top_of_the_file_names_every_exception_under_its_parent() -> None:
    parents: list[str] = []
    drawn = {}
    for line in (errors.__doc__ or "").split("```")[1].strip().splitlines():
        name = re.search(r"\w+", line)
        assert name is not None
        depth = 0 if name.start() == 0 else name.start() // 4
        drawn[name[0]] = parents[depth - 1] if depth else "Exception"
        parents[depth:] = [name[0]]
    defined = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert drawn == {error.__name__: error.__bases__[0].__name__ for error in defined}


def test_usage_exits_with_2_and_failure_with_1() -> None:
    defined = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    for error in defined:
        assert issubclass(error, InstructERCError)
        assert error.exit_code == (2 if issubclass(error, UsageError) else 1)


def test_many_problems_are_carried_whole_and_shown_in_part() -> None:
    problems = [Problem(Path("a.csv"), line, "text", "is empty") for line in range(2, 32)]
    error = InvalidRowsError(problems)
    assert error.problems == tuple(problems)
    lines = str(error).splitlines()
    assert lines[0] == "a.csv:2: text: is empty"
    assert lines[-1] == "… and 10 more: `instructerc data validate` lists all"
