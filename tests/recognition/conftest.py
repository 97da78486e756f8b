"""A tiny random Llama for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.backbones.backbone import Backbone
from instructerc.testing import tiny_llama
from tests.tiny_models import load


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its checkpoint, to be read only."""
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def llama(llama_folder: Path) -> Backbone:
    """Freshly loaded: a test may change it."""
    return load(llama_folder)
