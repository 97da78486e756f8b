from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructerc.assets import Asset, Retry, download
from instructerc.errors import ChecksumError, DownloadError, LicenceGatedError, OfflineError, UsageError
from tests.publisher import Publisher

CONTENT = bytes(range(256)) * 1000
AT_ONCE = Retry(attempts=3, first_wait=0.0)


def asset_of(publisher: Publisher, content: bytes = CONTENT, *, known: bool = True) -> Asset:
    publisher.files["file.bin"] = content
    return Asset(
        name="file.bin",
        url=f"{publisher.address}/file.bin",
        sha256=hashlib.sha256(content).hexdigest() if known else None,
        size=len(content) if known else None,
    )


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def test_a_file_arrives_whole_and_nothing_else_is_left(publisher: Publisher, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    target = tmp_path / "deep" / "down" / "file.bin"
    found = download(asset_of(publisher), target, progress=lambda *step: seen.append(step), retry=AT_ONCE)
    assert found == target
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]
    assert seen[0] == ("file.bin", 0, len(CONTENT))
    assert seen[-1] == ("file.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_what_is_there_already_is_not_asked_for(publisher: Publisher, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(CONTENT)
    download(asset_of(publisher), target)
    assert publisher.asked == []


def test_what_is_there_already_needs_no_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTRUCTERC_OFFLINE", "1")
    target = tmp_path / "file.bin"
    target.write_bytes(CONTENT)
    assert download(Asset(name="file.bin", url="http://127.0.0.1:9/file.bin"), target) == target


def test_another_file_in_its_place_is_never_overwritten(publisher: Publisher, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"mine")
    with pytest.raises(ChecksumError, match=r"has 4 bytes, expected 256000 .*delete it"):
        download(asset_of(publisher), target)
    assert target.read_bytes() == b"mine"


def test_a_cut_connection_is_continued_where_it_broke(publisher: Publisher, tmp_path: Path) -> None:
    publisher.cuts = [100_000, 50_000]
    target = download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert publisher.requested_ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_that_falls_silent_is_left_and_asked_again(publisher: Publisher, tmp_path: Path) -> None:
    publisher.silences = [100_000, 0]
    target = download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE, timeout=0.2)
    assert target.read_bytes() == CONTENT
    first, *others = publisher.requested_ranges
    assert first is None
    assert len(others) == 2
    assert all(re.fullmatch(r"bytes=[1-9]\d*-", str(range_)) for range_ in others), "what arrived was kept"


def test_a_server_that_stays_silent_is_named(publisher: Publisher, tmp_path: Path) -> None:
    publisher.silences = [0] * 20
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1.*timed out"):
        download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE, timeout=0.1)
    assert not (tmp_path / "file.bin").exists()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, 3000), max_size=6), known=st.booleans(), etag=st.sampled_from([None, '"a"', 'W/"a"'])
)
def test_wherever_it_breaks_the_file_is_right_or_absent(
    publisher: Publisher, tmp_path_factory: pytest.TempPathFactory, cuts: list[int], known: bool, etag: str | None
) -> None:
    content = bytes(range(250)) * 20
    publisher.cuts, publisher.etag = list(cuts), etag
    target = tmp_path_factory.mktemp("download") / "file.bin"
    try:
        download(asset_of(publisher, content, known=known), target, retry=AT_ONCE)
    except DownloadError:
        assert not target.exists()
    else:
        assert target.read_bytes() == content


def test_progress_earns_new_tries(publisher: Publisher, tmp_path: Path) -> None:
    publisher.cuts = [1000] * 10
    target = download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE)
    assert target.read_bytes() == CONTENT


def test_giving_up_keeps_what_arrived_and_the_next_call_goes_on(publisher: Publisher, tmp_path: Path) -> None:
    asset, target = asset_of(publisher), tmp_path / "file.bin"
    publisher.cuts = [70_000, 0, 0, 0]
    with pytest.raises(
        DownloadError, match=r"connection closed after 70000 of 256000 bytes, after 3 tries; .*\.part keeps"
    ):
        download(asset, target, retry=AT_ONCE)
    assert not target.exists()
    assert part_of(target).read_bytes() == CONTENT[:70_000]
    publisher.cuts, publisher.asked = [], []
    assert download(asset, target, retry=AT_ONCE).read_bytes() == CONTENT
    assert publisher.requested_ranges == ["bytes=70000-"]
    assert not part_of(target).exists()


def test_a_rest_that_cannot_be_proved_is_not_continued(publisher: Publisher, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    part_of(target).write_bytes(b"of unknown origin")
    download(asset_of(publisher, known=False), target, retry=AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert publisher.requested_ranges == [None]


def test_a_damaged_rest_is_thrown_away_and_fetched_anew(publisher: Publisher, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    part_of(target).write_bytes(b"x" * 500)
    assert download(asset_of(publisher), target, retry=AT_ONCE).read_bytes() == CONTENT
    assert publisher.requested_ranges == ["bytes=500-", None]


def test_a_rest_that_is_whole_only_gets_its_name(publisher: Publisher, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    part_of(target).write_bytes(CONTENT)
    assert download(asset_of(publisher), target, retry=AT_ONCE).read_bytes() == CONTENT
    assert publisher.asked == []


def test_a_rest_longer_than_the_file_is_thrown_away(publisher: Publisher, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    part_of(target).write_bytes(CONTENT + b"more")
    assert download(asset_of(publisher), target, retry=AT_ONCE).read_bytes() == CONTENT
    assert publisher.requested_ranges == [None]


def test_a_rest_longer_than_a_file_of_unknown_size_is_thrown_away(publisher: Publisher, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    known = asset_of(publisher)
    part_of(target).write_bytes(CONTENT + b"more")
    asset = Asset(name=known.name, url=known.url, sha256=known.sha256)
    assert download(asset, target, retry=AT_ONCE).read_bytes() == CONTENT
    assert publisher.requested_ranges == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_server_that_ignores_ranges_sends_everything_anew(publisher: Publisher, tmp_path: Path) -> None:
    publisher.ranges, publisher.cuts = False, [100_000]
    target = download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert publisher.requested_ranges == [None, "bytes=100000-"]


def test_a_server_that_ignores_ranges_and_always_breaks_ends(publisher: Publisher, tmp_path: Path) -> None:
    publisher.ranges, publisher.cuts = False, [100_000] * 50
    with pytest.raises(DownloadError, match="after 3 tries"):
        download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE)
    assert len(publisher.asked) == 3
    assert not (tmp_path / "file.bin").exists()


def test_a_server_that_continues_at_another_byte_is_not_believed(publisher: Publisher, tmp_path: Path) -> None:
    publisher.wrong_range, publisher.cuts = True, [100_000]
    target = download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert publisher.requested_ranges == [None, "bytes=100000-", None]


def test_without_a_sum_the_etag_proves_that_the_file_is_still_the_same(publisher: Publisher, tmp_path: Path) -> None:
    publisher.etag, publisher.cuts = '"first"', [100_000]
    target = download(asset_of(publisher, known=False), tmp_path / "file.bin", retry=AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert publisher.requested_ranges == [None, "bytes=100000-"]
    assert publisher.conditions == [None, '"first"']


def test_a_weak_etag_proves_nothing(publisher: Publisher, tmp_path: Path) -> None:
    publisher.etag, publisher.cuts = 'W/"first"', [100_000]
    target = download(asset_of(publisher, known=False), tmp_path / "file.bin", retry=AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert publisher.requested_ranges == [None, None]


def test_a_length_is_not_needed(publisher: Publisher, tmp_path: Path) -> None:
    publisher.lengths = False
    assert download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE).read_bytes() == CONTENT


def test_a_cut_is_seen_without_a_length_when_the_size_is_known(publisher: Publisher, tmp_path: Path) -> None:
    publisher.lengths, publisher.cuts = False, [1000]
    assert download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE).read_bytes() == CONTENT


def test_an_empty_file_is_a_file(publisher: Publisher, tmp_path: Path) -> None:
    assert download(asset_of(publisher, b"", known=False), tmp_path / "file.bin", retry=AT_ONCE).read_bytes() == b""


def test_another_content_than_the_known_one_never_gets_the_name(publisher: Publisher, tmp_path: Path) -> None:
    asset = asset_of(publisher)
    publisher.files["file.bin"] = b"x" * len(CONTENT)
    with pytest.raises(ChecksumError, match=rf"expected {asset.sha256}.*download it again"):
        download(asset, tmp_path / "file.bin", retry=AT_ONCE)
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_the_file_has_end_the_download(publisher: Publisher, tmp_path: Path) -> None:
    asset = asset_of(publisher)
    publisher.files["file.bin"] = CONTENT * 3
    with pytest.raises(ChecksumError, match="more than the 256000 bytes"):
        download(asset, tmp_path / "file.bin", retry=AT_ONCE)
    assert list(tmp_path.iterdir()) == []


def test_fewer_bytes_than_the_file_has_are_another_file(publisher: Publisher, tmp_path: Path) -> None:
    asset = asset_of(publisher)
    publisher.files["file.bin"] = CONTENT[:-1]
    with pytest.raises(ChecksumError, match="has 255999 bytes, expected 256000"):
        download(asset, tmp_path / "file.bin", retry=AT_ONCE)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_page_is_asked_for_once(publisher: Publisher, tmp_path: Path) -> None:
    asset = Asset(name="gone.bin", url=f"{publisher.address}/gone.bin")
    with pytest.raises(DownloadError, match=r"gone\.bin: the server answers 404 Not Found: .* by hand"):
        download(asset, tmp_path / "gone.bin", retry=AT_ONCE)
    assert len(publisher.asked) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_file_says_whom_to_ask(publisher: Publisher, tmp_path: Path, status: int) -> None:
    publisher.statuses = [status]
    with pytest.raises(LicenceGatedError, match="does not hand this file to everybody; ask its publisher"):
        download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_server_is_asked_again(publisher: Publisher, tmp_path: Path, status: int) -> None:
    publisher.statuses = [status, status]
    assert download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE).read_bytes() == CONTENT
    assert len(publisher.asked) == 3


def test_a_server_that_stays_busy_is_named(publisher: Publisher, tmp_path: Path) -> None:
    publisher.statuses = [503] * 9
    with pytest.raises(DownloadError, match="the server answers 503 Service Unavailable, after 3 tries"):
        download(asset_of(publisher), tmp_path / "file.bin", retry=AT_ONCE)


def test_nobody_listening_is_said(online: None, tmp_path: Path) -> None:
    asset = Asset(name="file.bin", url="http://127.0.0.1:9/file.bin")
    with pytest.raises(
        DownloadError, match=r"connection failed \(Connection refused\), after 3 tries: check the connection"
    ):
        download(asset, tmp_path / "file.bin", retry=AT_ONCE)


@pytest.mark.parametrize("switch", ["INSTRUCTERC_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_asks_nobody(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    monkeypatch.setenv(switch, "yes")
    with pytest.raises(
        OfflineError, match=rf"file\.bin is not here, and {switch} forbids downloads: unset it, or put http"
    ):
        download(asset_of(publisher), tmp_path / "new" / "file.bin")
    assert publisher.asked == []
    assert list(tmp_path.iterdir()) == []


def test_only_web_addresses_are_opened(online: None, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    asset = Asset(name="file.bin", url=(tmp_path / "secret").as_uri())
    with pytest.raises(UsageError, match="no http or https address"):
        download(asset, tmp_path / "file.bin")


def test_a_folder_in_its_place_is_said(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "file.bin").mkdir()
    with pytest.raises(DownloadError, match="is no file"):
        download(asset_of(publisher), tmp_path / "file.bin")


def test_a_file_in_the_way_of_the_folder_is_said(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(DownloadError, match=r"taken: cannot be created"):
        download(asset_of(publisher), tmp_path / "taken" / "file.bin")


def test_waits_double() -> None:
    waited: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", waited.append)
        for failures in (1, 2, 3):
            Retry(first_wait=1.0).wait(failures)
    assert waited == [1.0, 2.0, 4.0]
