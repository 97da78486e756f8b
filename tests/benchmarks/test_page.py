"""docs/benchmarks.md is made from what was measured, and says what was not."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The script, with results and page of its own."""
    if not SCRIPTS.is_dir():
        pytest.skip("the scripts are not part of this installation")
    monkeypatch.syspath_prepend(SCRIPTS)
    module = importlib.import_module("benchmarks_page")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "benchmarks.md")
    return module


def record(page: Any, name: str, **values: Any) -> None:
    (page.RESULTS / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")


def training(page: Any, seed: int, weighted_f1: float) -> None:
    run = {
        "weighted_f1": weighted_f1,
        "validation": [[1, 0.3], [2, 0.35]],
    }
    same = {"corpus": "emorynlp", "wording": "compact", "batching": "tree", "steps": "s", "window": "size 12"}
    record(page, f"wording-emorynlp-compact-tree-s-{seed}", **same, seed=seed, run=run)


def test_what_was_not_measured_is_missing_and_says_how_to_measure_it(page: Any) -> None:
    text = page.page()
    assert text.count("**Not measured yet.**") == len(page.SECTIONS)
    assert "python benchmarks/gpu_trees.py --json benchmarks/results/gpu-trees.json" in text
    assert text.count("| seed 1, seed 2 |") == len(page.TRAININGS)


def test_rows_are_written_as_people_read_them(page: Any) -> None:
    columns = [
        {"key": "case", "heading": "case", "spec": "", "unit": ""},
        {"key": "tokens", "heading": "tokens", "spec": ",", "unit": ""},
        {"key": "ratio", "heading": "ratio", "spec": ".2f", "unit": "×"},
    ]
    rows = [{"case": "long", "tokens": 12345, "ratio": 2.345}, {"case": "short", "tokens": 7}]
    machine = {"device": "CPU", "threads": 1, "cores": 2}
    given = {"columns": columns, "rows": rows, "machine": machine, "notes": ["A note."]}
    record(page, "tree-tokens", command="python benchmarks/x.py", **given)
    text = page.page()
    assert "| case | tokens | ratio |\n| --- | --- | --- |\n| long | 12,345 | 2.35× |\n| short | 7 |  |" in text
    assert "A note." in text
    assert "`python benchmarks/x.py` (CPU, 1 of 2 cores)" in text


def test_trainings_are_averaged_over_seeds_and_absent_ones_are_named(page: Any) -> None:
    training(page, 1, 0.30)
    assert "| emorynlp | compact | tree | s | size 12 | 30.00 | 35.00 | 1 | seed 2 |" in page.page()
    training(page, 2, 0.32)
    assert "| 31.00 ± 1.41 | 35.00 ± 0.00 | 1, 2 |  |" in page.page()


def test_a_page_that_is_out_of_date_is_found(page: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert page.main([]) == 0
    assert page.main(["--check"]) == 0
    training(page, 1, 0.30)
    assert page.main(["--check"]) == 1
