"""docs/small_models.md is made from finished runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import RunResult
from tests.baselines.test_results import ROOT, script


def test_a_run_becomes_a_row_of_its_corpus_seeds_together(
    finished: RunResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = script("record_try", monkeypatch).record_of(finished.folder, "tiny", "a tiny Llama", "")
    assert record["test"] == finished.weighted_f1
    assert record["recipe"]["training.epochs"] == 2
    assert not {"output.folder", "data.folder"} & set(record["recipe"])
    for seed, other in ((1, 0.5), (2, 0.7)):
        given = {**record, "corpus": "meld", "seed": seed, "validation": 0.6, "test": other, "minutes": 3}
        (tmp_path / f"tiny-meld-{seed}.json").write_text(json.dumps(given), encoding="utf-8")
    better = {**record, "name": "big", "what": "a bigger one", "corpus": "meld", "validation": 0.8, "minutes": 9}
    (tmp_path / "big-meld-42.json").write_text(json.dumps({**better, "test": 0.1}), encoding="utf-8")
    title, _, head, rule, first, second = script("small_models", monkeypatch).tables(tmp_path).split("\n")
    assert title == "### MELD"
    assert head.count("|") == rule.count("|") == first.count("|") == second.count("|")
    assert first.startswith("| a bigger one | 80.00 | 10.00 |")  # validation decides, not test
    assert second == "| a tiny Llama | 60.00 ± 0.00 | 60.00 ± 14.14 | 1, 2 | 3 min | `tiny` |"


def test_every_idea_is_a_recipe_of_its_own_and_one_that_is_recorded_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tries = script("small_tries", monkeypatch)
    recipes = [resolve(idea.recipe, [*tries.BASE, *idea.changes]).recipe.model_dump_json() for idea in tries.TRIES]
    assert len(set(recipes)) == len({idea.name for idea in tries.TRIES}) == len(tries.TRIES)
    commands: list[list[str]] = []
    monkeypatch.setattr(tries.subprocess, "run", lambda command, **_: commands.append(command))
    for idea in tries.TRIES[1:]:
        (tmp_path / f"{idea.name}-meld-42.json").touch()
    monkeypatch.setattr("sys.argv", ["small_tries.py", "--data", "here", "--results", str(tmp_path)])
    tries.main()
    trained, recorded = commands
    assert trained[3:5] == ["run", "encoder"]
    assert "data.folder=here" in trained
    assert recorded[2] == tries.TRIES[0].name


def results() -> list[dict[str, Any]]:
    files = sorted((ROOT / "benchmarks" / "results" / "small").glob("*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def test_every_try_was_chosen_by_validation_with_the_guard_on_or_says_that_leaks_were_left_in() -> None:
    for record in results():
        assert record["recipe"]["checkpoints.select"] == "validation"
        assert (record["recipe"]["data.leaks"] == "guarded") != ("leaks left in" in record["what"])
        assert record["recipe"]["window.context"] == "past"
        assert not any("/" in str(value) for value in record["recipe"].values()), record["name"]
