"""What the scripts that write a page of docs/ have in common."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def between(text: str, start: str, end: str, middle: str) -> str:
    r"""A page with what stands between two marks replaced; the marks stay.

    Example:
        >>> between("a <x> old </x> z", "<x>", "</x>", "new")
        'a <x>\n\nnew\n\n</x> z'
    """
    before, _, rest = text.partition(start)
    return f"{before}{start}\n\n{middle}\n\n{end}{rest.partition(end)[2]}"


def write_or_check(page: Path, text: str, arguments: Sequence[str], *, source: str) -> int:
    """Writes a page; with --check only says whether it is what it is made from.

    Args:
        page: Its file.
        text: What belongs into it.
        arguments: Those of the command line.
        source: What it is made from, for people.

    Returns:
        The exit status.
    """
    if "--check" not in arguments:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return 0
    print(f"{page.name} is not what {source} says: run `make docs`", file=sys.stderr)
    return 1
