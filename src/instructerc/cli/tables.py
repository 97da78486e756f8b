"""Tables as plain text: the same on a terminal, in a pipe and in a screen reader."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def text_table(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """Columns of equal width, two blanks apart; wide characters count as two.

    Args:
        rows: The cells, all rows of one length.
        right: Numbers of the columns that are aligned to the right, counted from 0.

    Returns:
        A line a row, without blanks at its end.

    Example:
        >>> print(text_table([("label", "turns"), ("joy", "12")], right=(1,)))
        label  turns
        joy       12
    """
    from rich.cells import cell_len

    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            gap = " " * (widths[column] - cell_len(cell))
            cells.append(gap + cell if column in right else cell + gap)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
