"""What a source is cut into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.errors import UnknownNameError, UnreadableFileError, UsageError
from instructerc.scale import partitions as module
from instructerc.scale.partitions import partitions

SIZE = 2**20


def lines(path: Path, count: int, *, text: str = "hm") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    records = ({"id": f"c{number}", "utterances": [{"speaker": "Ann", "text": text}]} for number in range(count))
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_a_folder_is_its_files_with_those_below_it_and_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/2024/x.jsonl", ".git/y.jsonl", "_temporary/z.jsonl", "readme.md"):
        lines(tmp_path / name, 1)
    (tmp_path / "b.csv").write_text("conversation,turn,speaker,text\na,0,Ann,hi\n", encoding="utf-8")
    found = partitions(str(tmp_path), size=SIZE)
    assert [part.name for part in found] == ["a/2024/x", "b", "b-jsonl"]
    assert found[0].source == str(tmp_path / "a/2024/x.jsonl")


def test_a_single_file_is_a_partition(tmp_path: Path) -> None:
    (part,) = partitions(str(lines(tmp_path / "calls.jsonl", 2)), size=SIZE)
    assert (part.name, part.start, part.end, part.first_line) == ("calls", 0, None, 1)


def test_a_large_file_is_cut_between_lines_and_nothing_is_lost(tmp_path: Path) -> None:
    path = lines(tmp_path / "calls.jsonl", 9_000, text="ü" * 100)
    whole = path.read_bytes()
    found = partitions(str(path), size=SIZE)
    assert len(found) > 1
    pieces = [whole[part.start : part.end] for part in found]
    assert b"".join(pieces) == whole
    assert all(piece.endswith(b"\n") and len(piece) < SIZE + 1_000 for piece in pieces)
    assert [part.first_line for part in found] == [1 + whole[: part.start].count(b"\n") for part in found]
    assert [part.size for part in found] == [len(piece) for piece in pieces]
    assert found == partitions(str(path), size=SIZE)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.integers(1, 60), st.integers(1, 50), st.booleans())
def test_borders_are_the_first_lines_behind_each_multiple(
    lengths: list[int], size: int, block: int, ends: bool
) -> None:
    text = b"\n".join(b"x" * length for length in lengths) + b"\n" * ends

    class System:
        def open(self, path: str, mode: str) -> object:
            import io

            return io.BytesIO(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = list(module._borders(System(), "", size))
    starts = [place + 1 for place, letter in enumerate(text) if letter == ord("\n")]
    expected = []
    wanted = size
    for start in starts:
        if start >= wanted:
            expected.append((start, text[:start].count(b"\n") + 1))
            while wanted <= start:
                wanted += size
    # However it was read, borders stand where lines begin, and are at least about a size apart.
    assert [start for start, _ in found] == sorted({start for start, _ in found})
    assert all(start in starts and line == text[:start].count(b"\n") + 1 for start, line in found)
    assert len(found) <= len(text) // size
    if found or expected:
        assert found[0] == expected[0]


def test_other_formats_are_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("conversation,turn,speaker,text\n" + f"a,0,Ann,{'x' * 100}\n" * 20_000, encoding="utf-8")
    assert len(partitions(str(path), size=SIZE)) == 1


def test_a_file_that_changes_is_another_partition(tmp_path: Path) -> None:
    path = lines(tmp_path / "calls.jsonl", 2)
    (before,) = partitions(str(path), size=SIZE)
    lines(path, 3)
    (after,) = partitions(str(path), size=SIZE)
    assert before.fingerprint != after.fingerprint
    assert before == before.from_json(json.loads(json.dumps(before.to_json())))


def test_what_cannot_be_cut_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file or folder"):
        partitions(str(tmp_path / "nowhere"), size=SIZE)
    with pytest.raises(UnreadableFileError, match="holds no file that ends in"):
        partitions(str(tmp_path), size=SIZE)
    with pytest.raises(UsageError, match="take 1,048,576 or more"):
        partitions(str(tmp_path), size=10)
    with pytest.raises(UsageError, match="cannot be reached"):
        partitions("nosuch://bucket/calls", size=SIZE)
    with pytest.raises(UnknownNameError, match="format"):
        partitions(str(tmp_path), size=SIZE, format="xml")
