"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import sys
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


_FROZEN: list[int] = [0]


def pytest_runtest_setup() -> None:
    """Takes the modules of torch and transformers out of what the garbage collector walks.

    A run collects garbage where a stage ends, to free the trained model; with half a million objects of libraries in
    the heap each such walk takes a third of a second, and thousands of tests do it.
    """
    if len(sys.modules) > _FROZEN[0] + 300:
        gc.collect()
        gc.freeze()
        _FROZEN[0] = len(sys.modules)
