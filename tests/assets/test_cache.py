from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.assets import cache_directory, offline, offline_switch


def test_our_variable_names_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTRUCTERC_HOME", str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine"
    assert not cache_directory().exists()


def test_a_relative_or_home_path_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INSTRUCTERC_HOME", "here")
    assert cache_directory() == tmp_path / "here"
    monkeypatch.setenv("INSTRUCTERC_HOME", "~/there")
    assert cache_directory() == Path.home() / "there"


def test_without_it_the_platform_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("INSTRUCTERC_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "instructerc"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == Path.home() / ".cache" / "instructerc"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == Path.home() / ".cache" / "instructerc"


@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_each_switch_turns_downloads_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for name in ("INSTRUCTERC_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        with monkeypatch.context() as patch:
            for other in ("INSTRUCTERC_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
                patch.delenv(other, raising=False)
            patch.setenv(name, value)
            assert offline()
            assert offline_switch() == name


@pytest.mark.parametrize("value", ["", "0", "false", "no", "off"])
def test_other_values_leave_them_on(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for name in ("INSTRUCTERC_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, value)
    assert not offline()
