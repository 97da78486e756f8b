"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: nothing is judged by how long it took. CI tries the same examples each time, people try new ones.
settings.register_profile(
    "project",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

SHARED_VARIABLE = "INSTRUCTERC_SHARED"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real corpus files and reference values; tests that need it skip where it is not named."""
    folder = os.environ.get(SHARED_VARIABLE)
    if not folder:
        pytest.skip(f"{SHARED_VARIABLE} is unset: it names the folder with real corpora and reference values")
    return Path(folder)


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps tests away from the user's cache, and from any hub."""
    monkeypatch.setenv("INSTRUCTERC_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("INSTRUCTERC_OFFLINE", raising=False)
