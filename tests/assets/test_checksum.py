from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructerc.assets import sha256_of, verify
from instructerc.errors import ChecksumError


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(content=st.binary(max_size=3000))
def test_the_sum_is_that_of_the_whole_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_content_longer_than_a_block(tmp_path: Path) -> None:
    content = b"ab" * (1 << 20)
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_the_right_file_passes_whatever_the_case_of_the_sum(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    verify(tmp_path / "file", hashlib.sha256(b"content").hexdigest().upper())


def test_another_file_is_named_with_both_sums(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    found, expected = hashlib.sha256(b"content").hexdigest(), "0" * 64
    with pytest.raises(ChecksumError, match=rf"file: SHA-256 is {found}, expected {expected}: .*delete it"):
        verify(tmp_path / "file", expected)
