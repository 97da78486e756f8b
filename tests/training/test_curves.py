"""The course of a training, on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.training.curves import Curves


def validation(epoch: int, weighted_f1: float) -> dict[str, object]:
    return {"step": 10 * epoch, "epoch": epoch, "validation": {"weighted_f1": weighted_f1}}


def test_rows_are_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run" / "curves.jsonl"
    curves = Curves.resume(path, step=0)
    curves.add({"step": 1, "loss": 2.0})
    curves.add(validation(1, 0.5))
    assert Curves.resume(path, step=100).rows == curves.rows == [{"step": 1, "loss": 2.0}, validation(1, 0.5)]


def test_rows_of_steps_that_will_be_taken_again_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "curves.jsonl"
    curves = Curves.resume(path, step=0)
    for step in (1, 2, 3):
        curves.add({"step": step, "loss": 1.0})
    assert [row["step"] for row in Curves.resume(path, step=2).rows] == [1, 2]
    assert [row["step"] for row in Curves.resume(path, step=9).rows] == [1, 2]


@pytest.mark.parametrize("torn", ['{"step": 2, "lo', "{", '{"step": 2, "loss": 1.0'])
def test_a_torn_last_line_is_cut(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "curves.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n' + torn, encoding="utf-8")
    assert Curves.resume(path, step=9).rows == [{"step": 1, "loss": 2.0}]
    assert path.read_text(encoding="utf-8") == '{"step": 1, "loss": 2.0}\n'


def test_the_earliest_of_equally_good_epochs_is_best(tmp_path: Path) -> None:
    curves = Curves.resume(tmp_path / "curves.jsonl", step=0)
    assert curves.best is None
    assert curves.since_best == 0
    seen = []
    for epoch, figure in enumerate((0.4, 0.6, 0.6, 0.5, 0.7), start=1):
        curves.add(validation(epoch, figure))
        assert curves.best is not None
        seen.append((curves.best["epoch"], curves.since_best))
    assert seen == [(1, 0), (2, 0), (2, 1), (2, 2), (5, 0)]
