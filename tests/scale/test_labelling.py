"""One partition, whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instructerc.corpora.jsonl import write_jsonl
from instructerc.errors import UsageError
from instructerc.recognition.labelling import label_conversations
from instructerc.recognition.predictions import read_predictions
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.scale import labelling as module
from instructerc.scale.labelling import find_done, label_partition
from instructerc.scale.partitions import Partition, partitions
from instructerc.testing import tiny_corpus

SIZE = 2**20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "in" / "chats.jsonl", tiny_corpus().test)


def only(source: Path | str) -> Partition:
    (found,) = partitions(str(source), size=SIZE)
    return found


def test_a_partition_is_labelled_as_a_file_would_be(
    recognizer: EmotionRecognizer, source: Path, tmp_path: Path
) -> None:
    done = label_partition(recognizer, only(source), str(tmp_path / "out"))
    label_conversations(recognizer, iter(tiny_corpus().test), tmp_path / "alone.jsonl")
    assert (tmp_path / "out" / "chats.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()
    assert (done.conversations, done.turns, done.set_aside, done.fault) == (6, 24, 0, "")
    assert find_done(only(source), str(tmp_path / "out"), model=recognizer.model_hash, output="jsonl") == done
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["chats.done.json", "chats.jsonl"]


def test_faults_name_the_file_and_the_line_in_it(recognizer: EmotionRecognizer, source: Path, tmp_path: Path) -> None:
    whole = source.read_bytes()
    source.write_bytes(whole + b'{"id": "torn\n' + whole.replace(b'"tiny', b'"again'))
    part = only(source)
    start = len(whole)
    cut = Partition(
        name="chats-00001", source=part.source, version=part.version, start=start, end=start + 13, first_line=7
    )
    done = label_partition(recognizer, cut, str(tmp_path / "out"))
    assert (done.conversations, done.set_aside) == (0, 1)
    (error,) = map(json.loads, (tmp_path / "out" / "chats-00001.errors.jsonl").read_text(encoding="utf-8").splitlines())
    assert (error["file"], error["line"]) == (str(source), 7)
    assert "not JSON" in error["reason"]


def test_a_file_that_cannot_be_read_is_told_and_tried_again(recognizer: EmotionRecognizer, tmp_path: Path) -> None:
    path = tmp_path / "in" / "calls.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00")
    done = label_partition(recognizer, only(path), str(tmp_path / "out"))
    assert str(path) in done.fault
    assert find_done(only(path), str(tmp_path / "out"), model=recognizer.model_hash, output="jsonl") is None


def test_what_has_changed_since_is_done_again_and_another_model_refused(
    recognizer: EmotionRecognizer, source: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    label_partition(recognizer, only(source), out)
    with pytest.raises(UsageError, match="name another folder"):
        find_done(only(source), out, model="another", output="jsonl")
    with pytest.raises(UsageError, match=r"as jsonl, and this is .* as csv"):
        find_done(only(source), out, model=recognizer.model_hash, output="csv")
    os.utime(source, ns=(1, 1))
    assert find_done(only(source), out, model=recognizer.model_hash, output="jsonl") is None


@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
def test_any_file_system_will_do(recognizer: EmotionRecognizer, source: Path, output: Any) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/in/deep/chats.jsonl", source.read_bytes())
    (part,) = partitions("memory://in", size=SIZE)
    assert part.source == "memory:///in/deep/chats.jsonl"
    done = label_partition(recognizer, part, "memory://out", output=output)
    assert find_done(part, "memory://out", model=recognizer.model_hash, output=output) == done
    assert {f"/out/deep/chats.{output}", "/out/deep/chats.done.json"} == set(memory.find("/out"))
    memory.rm("/out", recursive=True)
    memory.rm("/in", recursive=True)


def test_a_worker_that_dies_in_the_middle_leaves_nothing_that_looks_done(
    recognizer: EmotionRecognizer, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    published = module._publish

    def killed(path: Path, out: str, name: str) -> None:
        if name.endswith("done.json"):
            raise Killed
        published(path, out, name)

    out = tmp_path / "out"
    monkeypatch.setattr(module, "_publish", killed)
    with pytest.raises(Killed):
        label_partition(recognizer, only(source), str(out))
    assert find_done(only(source), str(out), model=recognizer.model_hash, output="jsonl") is None
    monkeypatch.setattr(module, "_publish", published)
    label_partition(recognizer, only(source), str(out))
    assert len(read_predictions(out / "chats.jsonl")) == 24


@pytest.fixture(autouse=True)
def _no_rest(tmp_path: Path) -> Iterator[None]:
    """Whatever happens, no half file stays behind."""
    yield
    assert not list(tmp_path.rglob("*.tmp"))
