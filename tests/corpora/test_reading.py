"""What all readers of files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.corpora.reading import Source, byte_faults, decode, in_order, refuse
from instructerc.errors import InvalidRowsError, Problem, UnreadableFileError


@given(st.binary(max_size=40), st.integers(0, 10**9))
def test_bytes_have_no_fault_exactly_when_they_are_text(raw: bytes, offset: int) -> None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        assert any("not UTF-8" in fault for fault in byte_faults(raw, offset))
    else:
        assert bool(byte_faults(raw, offset)) == ("\0" in text)


def test_an_unreadable_file_carries_its_problem(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        decode(Source(tmp_path / "a.csv"), [])
    assert caught.value.problem == Problem(tmp_path / "a.csv", None, None, "no such file: check the path")
    assert str(caught.value) == str(caught.value.problem)
    assert UnreadableFileError("plain").problem is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_that_may_not_be_read_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch(mode=0)
    with pytest.raises(UnreadableFileError, match="cannot be opened: Permission denied"):
        decode(Source(path), [])


@pytest.mark.parametrize("content", [b"%PDF-1.7", b"\x1f\x8b\x08", b"PAR1", b"PK\x03\x04", b"\xff\xfea\0", b"a\0b\0"])
def test_what_is_not_text_says_what_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"PDF|gzip|Parquet|Excel|UTF-16"):
        decode(Source(path), [])


def test_problems_stand_in_the_order_of_files_and_lines() -> None:
    first, second = Path("b"), Path("a")
    found = [Problem(first, 3, None, "x"), Problem(second, 1, None, "x"), Problem(first, None, None, "x")]
    assert [(problem.file.name, problem.line) for problem in in_order(found)] == [("b", None), ("b", 3), ("a", 1)]
    refuse([])
    with pytest.raises(InvalidRowsError):
        refuse(found)
