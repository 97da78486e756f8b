"""Whatever it is fed, what reads ends with a result, or with an error of ours."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import FOUND, TARGETS, mutated

OTHERS = [name for name in TARGETS if not name.startswith("reader: ")]
"""Readers of conversations have tests of their own (`tests/corpora/test_hostile.py`)."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.parametrize("name", OTHERS)
@given(seed=st.integers(0, 2**32))
def test_what_is_wrong_is_refused_by_an_error_of_ours(place: Path, name: str, seed: int) -> None:
    draw = random.Random(seed)
    folder = place / name.replace(" ", "-")
    folder.mkdir(exist_ok=True)
    TARGETS[name].read(mutated(draw.choice(TARGETS[name].seeds), draw), folder)


@pytest.mark.parametrize("name", OTHERS)
@given(content=st.binary(max_size=200))
def test_and_so_is_what_is_nothing(place: Path, name: str, content: bytes) -> None:
    folder = place / name.replace(" ", "-")
    folder.mkdir(exist_ok=True)
    TARGETS[name].read(content, folder)


@pytest.mark.parametrize("name", FOUND)
def test_what_once_was_a_fault_is_none(tmp_path: Path, name: str) -> None:
    for content in FOUND[name]:
        TARGETS[name].read(base64.b64decode(content), tmp_path)
