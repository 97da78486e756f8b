from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from instructerc.assets import Asset, Retry
from instructerc.corpora import catalog
from instructerc.corpora.catalog import SOURCES, Source
from instructerc.corpora.download import download_corpus, is_complete
from instructerc.corpora.load import load_corpus
from instructerc.errors import ChecksumError, DownloadError, LicenceGatedError, OfflineError, UnknownNameError
from tests.corpora.test_dailydialog import CODES, TEXTS
from tests.corpora.test_meld import TWO
from tests.publisher import Publisher, publish

AT_ONCE = Retry(attempts=2, first_wait=0.0)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    monkeypatch.setenv("INSTRUCTERC_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with publish(Publisher()) as running:
        yield running


def republish(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    monkeypatch.setattr(catalog, "SOURCES", {**SOURCES, source.name: source})


@pytest.fixture
def meld(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> Source:
    content = TWO.encode()
    files = []
    for asset in SOURCES["meld"].files:
        publisher.files[asset.name] = content
        address = f"{publisher.address}/{asset.name}"
        files.append(replace(asset, url=address, sha256=hashlib.sha256(content).hexdigest(), size=len(content)))
    source = replace(SOURCES["meld"], files=tuple(files))
    republish(monkeypatch, source)
    return source


@pytest.fixture
def dailydialog(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Published as the original is: an archive of three archives."""
    original = SOURCES["dailydialog"]
    contents = {a.name: (CODES if "emotion" in a.name else TEXTS).encode() for a in original.files}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as outer:
        for split in ("train", "validation", "test"):
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as opened:
                for name, content in contents.items():
                    if name.startswith(split):
                        opened.writestr(name, content)
            outer.writestr(f"ijcnlp_dailydialog/{split}.zip", inner.getvalue())
        outer.writestr("ijcnlp_dailydialog/readme.txt", "")
    data = packed.getvalue()
    publisher.files["packed.zip"] = data
    archive = Asset(
        name="ijcnlp_dailydialog.zip",
        url=f"{publisher.address}/packed.zip",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
    )
    files = tuple(replace(a, sha256=hashlib.sha256(contents[a.name]).hexdigest()) for a in original.files)
    source = replace(original, archive=archive, files=files)
    republish(monkeypatch, source)
    return source


def test_what_is_downloaded_can_be_loaded(publisher: Publisher, meld: Source) -> None:
    seen: list[str] = []
    assert not is_complete(meld)
    found = download_corpus("meld", progress=lambda name, done, total: seen.append(name), retry=AT_ONCE)
    assert found == tuple(meld.folder / asset.name for asset in meld.files)
    assert is_complete(meld)
    assert set(seen) == {asset.name for asset in meld.files}
    assert [c.id for c in load_corpus("meld").train] == ["train-0", "train-7"]


def test_a_second_call_asks_nobody(publisher: Publisher, meld: Source, tmp_path: Path) -> None:
    download_corpus("meld", tmp_path, retry=AT_ONCE)
    publisher.asked.clear()
    download_corpus("meld", tmp_path, retry=AT_ONCE)
    assert publisher.asked == []


def test_an_interrupted_download_goes_on_where_it_stopped(publisher: Publisher, meld: Source, tmp_path: Path) -> None:
    publisher.cuts = [len(TWO), 100, 0]
    with pytest.raises(DownloadError, match="check the connection and run it again"):
        download_corpus("meld", tmp_path, retry=AT_ONCE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev_sent_emo.csv.part", "train_sent_emo.csv"]
    publisher.asked.clear()
    download_corpus("meld", tmp_path, retry=AT_ONCE)
    assert publisher.asked == [("/dev_sent_emo.csv", "bytes=100-"), ("/test_sent_emo.csv", None)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dev_sent_emo.csv",
        "test_sent_emo.csv",
        "train_sent_emo.csv",
    ]


def test_a_changed_file_is_refused(publisher: Publisher, meld: Source, tmp_path: Path) -> None:
    publisher.files["test_sent_emo.csv"] = TWO.replace("Joey", "Zoey").encode()
    with pytest.raises(ChecksumError, match="test_sent_emo"):
        download_corpus("meld", tmp_path, retry=AT_ONCE)
    assert not list(tmp_path.glob("test_sent_emo*"))


def test_an_archive_is_unpacked_and_removed(publisher: Publisher, dailydialog: Source, tmp_path: Path) -> None:
    found = download_corpus("dailydialog", tmp_path, retry=AT_ONCE)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [asset.name for asset in dailydialog.files]
    assert not (tmp_path / "ijcnlp_dailydialog.zip").exists()
    assert len(load_corpus("dailydialog", folder=tmp_path).train) == 2
    publisher.asked.clear()
    download_corpus("dailydialog", tmp_path, retry=AT_ONCE)
    assert publisher.asked == []


def test_an_archive_put_there_by_hand_needs_no_connection(
    publisher: Publisher, dailydialog: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTRUCTERC_OFFLINE", "1")
    (tmp_path / "ijcnlp_dailydialog.zip").write_bytes(publisher.files["packed.zip"])
    assert len(download_corpus("dailydialog", tmp_path)) == 6
    assert publisher.asked == []


def test_a_publisher_who_is_away_gets_a_note(publisher: Publisher, dailydialog: Source, tmp_path: Path) -> None:
    publisher.files.clear()
    with pytest.raises(DownloadError, match=r"answers 404 .*The Internet Archive keeps copies"):
        download_corpus("dailydialog", tmp_path, retry=AT_ONCE)


def test_what_was_put_in_place_by_hand_is_seen(tmp_path: Path) -> None:
    assert not any(is_complete(SOURCES[name], tmp_path) for name in ("iemocap", "iemocap-cosmic"))
    for session in range(1, 6):
        for part in ("transcriptions", "EmoEvaluation"):
            (tmp_path / "IEMOCAP_full_release" / f"Session{session}" / "dialog" / part).mkdir(parents=True)
    (tmp_path / "iemocap.pkl").write_bytes(b"")
    assert all(is_complete(SOURCES[name], tmp_path) for name in ("iemocap", "iemocap-cosmic", "sample"))


@pytest.mark.parametrize("name", ["iemocap", "iemocap-cosmic"])
def test_a_gated_corpus_says_where_to_ask_and_where_to_put_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(LicenceGatedError) as caught:
        download_corpus(name, tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "https://sail.usc.edu/iemocap/" in message
    assert message.endswith(f"into its folder, {tmp_path}" if "cosmic" in name else f"stand in its folder, {tmp_path}")


def test_offline_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(OfflineError, match=r"train_sent_emo\.csv is not here, and HF_HUB_OFFLINE forbids downloads"):
        download_corpus("meld", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_bundled_corpus_needs_no_download(tmp_path: Path) -> None:
    assert download_corpus("sample", tmp_path) == ()


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'meld'"):
        download_corpus("mled")
