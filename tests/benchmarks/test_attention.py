"""The benchmark of attention runs, at a size that says nothing about speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from instructerc.assets.embedded import PACKAGE

Rows = Callable[..., list[dict[str, Any]]]


@pytest.mark.slow
def test_every_way_to_compute_attention_is_held_against_separate_sequences(rows_of: Rows) -> None:
    pytest.importorskip(PACKAGE, reason="the weights of the embedded backbone are not installed")
    rows = rows_of("attention", "--cases", "llama", "--turns", "3", "--rounds", "1", "--precisions", "float32")
    assert [row["attention"] for row in rows] == [
        "sdpa, boolean mask",
        "eager, additive mask",
        *(f"blocks of {size}" for size in (32, 64, 128, 256)),
    ]
    assert all(row["difference"] < 1e-5 for row in rows)
