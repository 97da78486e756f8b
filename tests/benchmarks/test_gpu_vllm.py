"""The benchmark of vLLM, where there is neither vLLM nor a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def test_it_runs_dry(rows_of: Callable[..., list[dict[str, Any]]]) -> None:
    rows = rows_of("gpu_vllm", "--dry")
    assert [row["side"] for row in rows] == ["trees", "padded"]
    assert all(row["agreement"] == 1 and row["difference"] < 1e-3 for row in rows)


def test_without_a_gpu_it_says_so(
    benchmark: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert benchmark("gpu_vllm").main([]) == 0
    assert "skipped: no GPU here" in capsys.readouterr().out


def test_other_emotions_count_where_they_are_no_close_call(benchmark: Callable[[str], Any]) -> None:
    right = [[-1.0, -2.0], [-1.0, -1.001], [-2.0, -1.0]]
    found = [[-2.0, -1.0], [-1.001, -1.0], [-2.0, -1.0]]
    agreement, difference, wrong = benchmark("gpu_vllm").compare(found, right, 0.01)
    assert (agreement, difference, wrong) == (pytest.approx(1 / 3), 1.0, 1)
