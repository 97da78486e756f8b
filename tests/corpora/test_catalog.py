from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.assets import Asset, sha256_of
from instructerc.corpora.catalog import SOURCES, Source, get_source
from instructerc.errors import UnknownNameError

FOLDERS = {
    "meld": "meld",
    "emorynlp": "emorynlp",
    "emorynlp-v1": "emorynlp",
    "dailydialog": "dailydialog",
    "meld-cosmic": "cosmic",
    "emorynlp-cosmic": "cosmic",
}


def test_every_corpus_has_its_name() -> None:
    assert list(SOURCES) == [
        "sample",
        "meld",
        "meld-cosmic",
        "emorynlp",
        "emorynlp-cosmic",
        "emorynlp-v1",
        "iemocap",
        "iemocap-cosmic",
        "dailydialog",
    ]
    assert all(name == source.name for name, source in SOURCES.items())


@pytest.mark.parametrize("name", FOLDERS)
def test_sums_and_sizes_are_those_of_the_published_files(shared: Path, name: str) -> None:
    for asset in SOURCES[name].files:
        path = shared / "data" / FOLDERS[name] / asset.name
        if path.exists():
            assert (path.stat().st_size, sha256_of(path)) == (asset.size, asset.sha256)
        else:
            assert (asset.name, asset.sha256) == ("emotion-detection-trn.json", None)


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.name)
def test_every_source_is_complete(source: Source) -> None:
    assert source.licence
    assert source.citation
    assert source.title


def test_files_that_are_downloaded_one_by_one_end_in_their_name() -> None:
    assets: list[Asset] = [a for s in SOURCES.values() if s.archive is None for a in s.files]
    assert all(asset.url.startswith("https://") and asset.url.endswith(f"/{asset.name}") for asset in assets)


def test_access_says_how_one_gets_it() -> None:
    assert {name: source.access for name, source in SOURCES.items() if source.access != "download"} == {
        "sample": "bundled",
        "iemocap": "on request",
        "iemocap-cosmic": "on request",
    }


def test_files_lie_in_the_cache_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTRUCTERC_HOME", str(tmp_path))
    assert SOURCES["meld"].folder == tmp_path / "corpora" / "meld"


def test_an_unknown_name_gets_its_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown corpus 'emorynpl': did you mean 'emorynlp'"):
        get_source("emorynpl")
