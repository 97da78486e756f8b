"""A tiny model, to be read only."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_llama
from tests.recognition.trained import trained


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scaled")
    return trained(tiny_llama(folder / "llama"), folder / "model")


@pytest.fixture(scope="session")
def recognizer(model_folder: Path) -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(model_folder, device="cpu")
