"""A disk that is full ends a training with a line, tears nothing, and a resume ends as if nothing had been."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from instructerc.errors import NotWrittenError
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_conversation
from instructerc.training.checkpoints import complete_checkpoints, saying_what_is_full, saying_where_it_is_full
from tests.training.runs import train, validations, weights

resource = pytest.importorskip("resource", reason="quotas of this kind are Unix's")


@contextlib.contextmanager
def quota(size: int) -> Iterator[None]:
    """No file of this process may become larger than so many bytes: the system itself refuses to write on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("size", "place"), [(100_000, "model"), (250_000, "checkpoint-6")], ids=["in the model", "in a checkpoint"]
)
def test_the_place_is_named_and_a_resume_ends_as_if_nothing_had_been(
    llama_folder: Path, tmp_path: Path, size: int, place: str
) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    train(llama_folder, whole)
    with quota(size), pytest.raises(NotWrittenError, match=rf"{place}: could not be written \(.*--resume"):
        train(llama_folder, torn)
    assert not complete_checkpoints(torn / "checkpoints")
    train(llama_folder, torn, resume=True)
    assert weights(torn) == weights(whole)
    assert validations(torn) == validations(whole)


def test_what_was_written_before_is_whole(llama_folder: Path, tmp_path: Path) -> None:
    train(llama_folder, tmp_path, epochs=1)
    before = weights(tmp_path)
    with quota(100_000), pytest.raises(NotWrittenError):
        train(llama_folder, tmp_path, resume=True, epochs=4, keep="all")
    assert weights(tmp_path) == before
    assert EmotionRecognizer.from_pretrained(tmp_path / "model").recognize(tiny_conversation())


def test_other_faults_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"), saying_what_is_full(tmp_path):
        raise RuntimeError("shapes do not match")
    with pytest.raises(NotWrittenError, match="No space left on device"), saying_what_is_full(tmp_path):
        raise OSError(28, "No space left on device")


def test_of_a_whole_run_only_a_disk_without_room_is_meant(tmp_path: Path) -> None:
    said = rf"{tmp_path}: could not be written \(File too large\).*--resume"
    with quota(4), pytest.raises(NotWrittenError, match=said), saying_where_it_is_full(tmp_path):
        (tmp_path / "file").write_text("too long", encoding="utf-8")
    with pytest.raises(FileNotFoundError), saying_where_it_is_full(tmp_path):
        (tmp_path / "missing").read_bytes()
