"""The benchmarks as modules: they are scripts, and import one another by their names."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports a benchmark by its name."""
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are not part of this installation")
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def rows_of(benchmark: Callable[[str], Any], tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Runs a benchmark, and gives the rows that it wrote."""

    def run(name: str, *arguments: str) -> list[dict[str, Any]]:
        file = tmp_path / "rows.json"
        assert not benchmark(name).main([*arguments, "--json", str(file)])
        record = json.loads(file.read_text(encoding="utf-8"))
        assert set(record) == {"command", "machine", "versions", "columns", "rows", "notes"}
        assert str(tmp_path) not in file.read_text(encoding="utf-8")
        rows: list[dict[str, Any]] = record["rows"]
        assert {key for row in rows for key in row} >= {column["key"] for column in record["columns"][:2]}
        return rows

    return run
