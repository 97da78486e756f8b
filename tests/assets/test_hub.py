"""Files to a hub and back, through the hub's real client; the hub is a stand-in on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from instructerc.assets.hub import download_files, is_repository, upload_files
from instructerc.errors import AssetError, OfflineError, UsageError
from tests.hub import TOKEN, Hub, Repository, connected, open_hub

REPOSITORY = "ada/feelings"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with connected(monkeypatch, tmp_path / "cache") as hub:
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    (place / "pool").mkdir(parents=True)
    (place / "artefact.json").write_text('{"a": 1}', encoding="utf-8")
    (place / "pool" / "entries.jsonl").write_bytes(b"\x00\xff" * 1000)
    (place / "private.txt").write_text("not for others", encoding="utf-8")
    return place


def upload(folder: Path, **options: object) -> str:
    names = ["artefact.json", "pool/entries.jsonl"]
    return upload_files(folder, names, REPOSITORY, message="Upload", **options)  # type: ignore[arg-type]


def test_what_went_up_comes_down_again(hub: Hub, folder: Path) -> None:
    url = upload(folder)
    assert url.startswith(f"{hub.address}/{REPOSITORY}/commit/")
    assert set(hub.repositories[REPOSITORY].files("main") or ()) == {"artefact.json", "pool/entries.jsonl"}
    found = download_files(REPOSITORY, first="artefact.json", patterns=["*.json", "pool/*"])
    for name in ("artefact.json", "pool/entries.jsonl"):
        assert (found / name).read_bytes() == (folder / name).read_bytes()


def test_files_that_nobody_asked_for_stay_on_the_hub(hub: Hub, folder: Path) -> None:
    upload(folder)
    found = download_files(REPOSITORY, first="artefact.json", patterns=["*.json"])
    assert [path.name for path in found.iterdir()] == ["artefact.json"]


def test_an_upload_is_one_commit(hub: Hub, folder: Path) -> None:
    upload(folder)
    assert len([line for line in hub.asked if "/commit/" in line]) == 1


def test_a_branch_is_made_and_found(hub: Hub, folder: Path) -> None:
    upload(folder, revision="trial")
    assert not hub.repositories[REPOSITORY].files("main")
    assert download_files(REPOSITORY, first="artefact.json", patterns=["*"], revision="trial").is_dir()
    with pytest.raises(AssetError, match=r"ada/feelings: .*holds no artefact\.json"):
        download_files(REPOSITORY, first="artefact.json", patterns=["*"])


def test_private_means_private(hub: Hub, folder: Path) -> None:
    upload(folder, private=True)
    assert hub.repositories[REPOSITORY].private
    hub.repositories[REPOSITORY] = Repository(private=False)
    with pytest.raises(UsageError, match="is public already: make it private there"):
        upload(folder, private=True)
    assert not hub.repositories[REPOSITORY].files("main")


@pytest.mark.parametrize("switch", ["INSTRUCTERC_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_nothing_is_sent_where_a_switch_forbids_it(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    monkeypatch.setenv(switch, "1")
    with pytest.raises(OfflineError, match=f"{switch} forbids the network: unset it to upload"):
        upload(folder)
    with pytest.raises(OfflineError, match=f"not in the hub's cache, and {switch} forbids downloads"):
        download_files(REPOSITORY, first="artefact.json", patterns=["*"])
    assert hub.asked == []


def test_a_hub_that_keeps_silent_is_not_waited_for(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import file_download

    upload(folder)
    monkeypatch.setattr("instructerc.assets.hub.SILENCE", 0.2)
    monkeypatch.setattr(file_download, "_ETAG_RETRY_TIMEOUT", 0.2, raising=False)
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client waits between its tries
    hub.silent = True
    with pytest.raises(AssetError, match=r"the hub did not deliver it .*check the network") as caught:
        download_files(REPOSITORY, first="artefact.json", patterns=["*.json"])
    assert "\n" not in str(caught.value)


def test_half_a_file_is_not_taken_for_one(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client waits between its tries
    upload(folder)
    hub.cut = 3
    with pytest.raises(AssetError, match="the hub did not deliver it"):
        download_files(REPOSITORY, first="artefact.json", patterns=["*.json"])
    hub.cut = None
    found = download_files(REPOSITORY, first="artefact.json", patterns=["*.json"])
    assert (found / "artefact.json").read_text(encoding="utf-8") == '{"a": 1}'


def test_what_is_in_the_cache_needs_no_network(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(folder)
    before = download_files(REPOSITORY, first="artefact.json", patterns=["*"])
    hub.asked.clear()
    monkeypatch.setenv("INSTRUCTERC_OFFLINE", "1")
    assert download_files(REPOSITORY, first="artefact.json", patterns=["*"]) == before
    assert hub.asked == []


def test_without_a_token_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> None:
    with (
        connected(monkeypatch, tmp_path / "cache", token=None) as hub,
        pytest.raises(AssetError, match="no access token: log in with `hf auth login`, or set HF_TOKEN"),
    ):
        upload(folder)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "does not accept the access token"), (403, "take one with write access"), (500, "did not take the files")],
)
def test_a_refusal_is_one_line_that_says_what_to_do(hub: Hub, folder: Path, status: int, reason: str) -> None:
    hub.refuse = status
    with pytest.raises(AssetError, match=reason) as caught:
        upload(folder)
    assert str(caught.value).startswith("ada/feelings: ")
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_token_that_the_hub_does_not_know_is_refused(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(AssetError, match="does not accept the access token"):
        upload(folder)


def test_a_repository_that_is_not_there_is_named(hub: Hub) -> None:
    with pytest.raises(
        AssetError, match=r"ada/nothing: is no folder here, and the hub has no such repository"
    ) as caught:
        download_files("ada/nothing", first="artefact.json", patterns=["*"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["feelings", "a/b/c", "", "/a", "a/", "../a/b", "a b/c", "-a/b", "~/b"])
def test_what_is_no_repository_is_refused_before_anything_is_sent(hub: Hub, folder: Path, name: str) -> None:
    assert not is_repository(name)
    with pytest.raises(UsageError, match="write OWNER/TITLE"):
        upload_files(folder, ["artefact.json"], name, message="Upload")
    assert hub.asked == []


@pytest.mark.slow
def test_the_environment_of_a_new_process_is_enough(folder: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom instructerc.assets.hub import download_files, upload_files\n"
        f"upload_files(Path({str(folder)!r}), ['artefact.json'], {REPOSITORY!r}, message='Upload')\n"
        f"print(download_files({REPOSITORY!r}, first='artefact.json', patterns=['*']))\n"
    )
    off = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "INSTRUCTERC_OFFLINE"}
    with open_hub() as hub:
        own = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN}
        environment = {name: value for name, value in os.environ.items() if name not in off} | own
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (Path(done.stdout.strip().splitlines()[-1]) / "artefact.json").is_file()
