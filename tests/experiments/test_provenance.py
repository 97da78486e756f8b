"""Where figures come from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from instructerc import __version__
from instructerc.experiments import provenance
from instructerc.experiments.provenance import git_revision, machine, peak_memory_mib, versions


def checkout(folder: Path, *, add: bool) -> Path:
    """A repository that holds a file named like the module."""
    file = folder / "provenance.py"
    file.write_text("one", encoding="utf-8")
    for arguments in (
        ["init", "-q"],
        ["add", "provenance.py" if add else "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)
    if not add:
        file = folder / "untracked" / "provenance.py"
        file.parent.mkdir()
        file.write_text("one", encoding="utf-8")
    return file


def test_versions_name_what_figures_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions()
    assert found["instructerc"] == __version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"torch", "transformers", "peft"} <= set(found)
    monkeypatch.setattr(provenance, "LIBRARIES", ("no-such-library",))
    assert versions()["no-such-library"] == "not installed"


def test_the_revision_is_that_of_the_source_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = checkout(tmp_path, add=True)
    monkeypatch.setattr(provenance, "__file__", str(file))
    clean = git_revision()
    assert clean is not None
    assert len(clean) == 40
    file.write_text("two", encoding="utf-8")
    assert git_revision() == f"{clean}+changes"


def test_looking_writes_nothing_into_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = checkout(tmp_path, add=True)
    monkeypatch.setattr(provenance, "__file__", str(file))
    os.utime(file, (1, 1))  # git would note the new time in its index, and leave a lock where a disk is full
    before = (tmp_path / ".git" / "index").read_bytes()
    git_revision()
    assert (tmp_path / ".git" / "index").read_bytes() == before


def test_a_repository_around_an_installed_package_is_not_its_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(checkout(tmp_path, add=False)))
    assert git_revision() is None


def test_without_a_repository_or_without_git_there_is_no_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert git_revision() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_revision() is None


def test_the_machine_is_described_without_its_name() -> None:
    found = machine()
    assert set(found) == {"system", "cores", "threads", "device"}
    peak = peak_memory_mib()
    assert peak is None or 10 < peak < 1_000_000
