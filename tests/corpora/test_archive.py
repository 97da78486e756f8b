from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from instructerc.assets import Asset
from instructerc.corpora import archive
from instructerc.corpora.archive import unpack
from instructerc.errors import ChecksumError, DownloadError

FILES = {"train/one.txt": b"one", "test/two.txt": b"two"}


def asset_of(name: str, content: bytes) -> Asset:
    return Asset(name=name, url="http://example.invalid", sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def targets_in(folder: Path) -> dict[Asset, Path]:
    return {asset_of(name, content): folder / name for name, content in FILES.items()}


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def put(folder: Path, data: bytes) -> Path:
    path = folder / "packed.zip"
    path.write_bytes(data)
    return path


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_wanted_files_go_where_they_belong_wherever_they_stand(tmp_path: Path) -> None:
    members = {"any/where/one.txt": b"one", "two.txt": b"two", "readme.txt": b"not wanted", "any/": b""}
    unpack(put(tmp_path, zipped(members)), targets_in(tmp_path / "out"))
    assert written(tmp_path / "out") == FILES


def test_archives_inside_the_archive_are_opened(tmp_path: Path) -> None:
    members = {
        f"all/{name}.zip": zipped({f"{name}/{name}.txt": content})
        for name, content in (("one", b"one"), ("two", b"two"))
    }
    unpack(put(tmp_path, zipped(members)), targets_in(tmp_path / "out"))
    assert written(tmp_path / "out") == FILES


def test_leftovers_of_other_systems_are_passed_over(tmp_path: Path) -> None:
    members = {"one.txt": b"one", "two.txt": b"two", "__MACOSX/one.txt": b"junk", "._two.txt": b"junk"}
    unpack(put(tmp_path, zipped(members)), targets_in(tmp_path / "out"))
    assert written(tmp_path / "out") == FILES


@pytest.mark.parametrize(
    "name", ["../one.txt", "a/../../one.txt", "/etc/one.txt", "..\\one.txt", "C:\\one.txt", "C:/one.txt"]
)
@pytest.mark.parametrize("nested", [True, False])
def test_a_name_that_leaves_its_folder_refuses_the_archive(tmp_path: Path, name: str, nested: bool) -> None:
    data = zipped({"two.txt": b"two", "x.txt": b"", name: b"one"})
    with pytest.raises(DownloadError, match=r"packed\.zip: holds .*, which leaves its folder: it is refused whole"):
        unpack(put(tmp_path, zipped({"inner.zip": data}) if nested else data), targets_in(tmp_path / "out"))
    assert written(tmp_path) == {"packed.zip": (tmp_path / "packed.zip").read_bytes()}


def test_files_that_are_lacking_are_all_named_and_none_is_written(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"lacks one\.txt, two\.txt: it is not the published archive"):
        unpack(put(tmp_path, zipped({"three.txt": b""})), targets_in(tmp_path / "out"))
    with pytest.raises(DownloadError, match=r"lacks two\.txt"):
        unpack(put(tmp_path, zipped({"one.txt": b"one"})), targets_in(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_changed_file_is_named_and_none_is_written(tmp_path: Path) -> None:
    with pytest.raises(ChecksumError, match=r"SHA-256 of its test/two\.txt is .* delete it and download it again"):
        unpack(put(tmp_path, zipped({"one.txt": b"one", "two.txt": b"2"})), targets_in(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_named(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DownloadError, match=r"packed\.zip: is no whole zip archive"):
        unpack(put(tmp_path, data), targets_in(tmp_path / "out"))


def test_an_archive_cut_or_damaged_anywhere_writes_nothing(tmp_path: Path) -> None:
    whole = zipped(FILES, zipfile.ZIP_STORED)
    for end in range(0, len(whole), 7):
        with pytest.raises((DownloadError, ChecksumError)):
            unpack(put(tmp_path, whole[:end]), targets_in(tmp_path / "out"))
    with pytest.raises(DownloadError, match="is no whole zip archive"):
        unpack(
            put(tmp_path, whole.replace(b"one", b"0ne", 2).replace(b"0ne.txt", b"one.txt")),
            targets_in(tmp_path / "out"),
        )
    assert not (tmp_path / "out").exists()


def test_a_file_that_unpacks_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_LARGEST_MEMBER", 2)
    with pytest.raises(DownloadError, match="unpacks to 3 bytes: it is refused"):
        unpack(put(tmp_path, zipped(FILES)), targets_in(tmp_path / "out"))
