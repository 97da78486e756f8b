"""Which checkpoints count."""

from __future__ import annotations

from pathlib import Path

from instructerc.training.checkpoints import (
    COMPLETE,
    complete_checkpoints,
    finish_checkpoint,
    last_checkpoint,
    remove_after,
    step_of,
)


def made(folder: Path, step: int, *, whole: bool = True) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    if whole:
        (checkpoint / COMPLETE).touch()
    return checkpoint


def test_checkpoints_are_ordered_by_number_not_by_name(tmp_path: Path) -> None:
    for step in (100, 9, 20):
        made(tmp_path, step)
    assert [step_of(path) for path in complete_checkpoints(tmp_path)] == [9, 20, 100]
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-100"


def test_a_torn_one_does_not_count(tmp_path: Path) -> None:
    made(tmp_path, 10)
    made(tmp_path, 20, whole=False)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_a_folder_that_does_not_exist_has_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "nowhere") is None


def test_the_old_one_goes_only_after_the_new_one_is_whole(tmp_path: Path) -> None:
    old, torn, new = made(tmp_path, 10), made(tmp_path, 15, whole=False), made(tmp_path, 20, whole=False)
    assert last_checkpoint(tmp_path) == old
    finish_checkpoint(new)
    assert last_checkpoint(tmp_path) == new
    assert not old.exists()
    assert not torn.exists()


def test_what_a_resume_does_not_start_from_is_removed(tmp_path: Path) -> None:
    for step, whole in ((5, True), (10, True), (11, False), (12, True)):
        made(tmp_path, step, whole=whole)
    remove_after(tmp_path, 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-5"]
    remove_after(tmp_path, -1)
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_somebody_laid_beside_them_is_left_alone(tmp_path: Path) -> None:
    made(tmp_path, 10)
    copy = tmp_path / "checkpoint-5-good"
    copy.mkdir()
    (copy / COMPLETE).touch()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    finish_checkpoint(tmp_path / "checkpoint-10")
    remove_after(tmp_path, 0)
    assert copy.is_dir()
