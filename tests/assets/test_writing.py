from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from instructerc.assets import write_atomically


@pytest.mark.parametrize(("content", "bytes_"), [("naïve\r\n…\n", "naïve\r\n…\n".encode()), (b"\x00\xff", b"\x00\xff")])
def test_the_content_is_written_as_it_is(tmp_path: Path, content: str | bytes, bytes_: bytes) -> None:
    path = write_atomically(tmp_path / "new" / "file", content)
    assert path.read_bytes() == bytes_
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old", encoding="utf-8")
    write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "new"


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("old", encoding="utf-8")

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")
def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("", encoding="utf-8")
    path = write_atomically(tmp_path / "file", "")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
