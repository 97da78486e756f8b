"""Tables as plain text."""

from __future__ import annotations

from instructerc.cli.tables import text_table


def test_wide_characters_count_as_two() -> None:
    assert text_table([("怒り", "1"), ("joy", "12")], right=(1,)).splitlines() == ["怒り   1", "joy   12"]


def test_a_table_without_rows_is_empty() -> None:
    assert text_table([]) == ""
