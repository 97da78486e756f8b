"""Every family of backbones, from a checkpoint to a merged model: what the paper used, and what is used today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from instructerc.backbones.adapters import AdapterSpec
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_corpus, tiny_llama
from tests.tiny_models import tiny, tiny_bloom
from tests.training.runs import ALL, LORA, train

FAMILIES: Mapping[str, Callable[[Path], Path]] = {
    "bert as a decoder": lambda folder: tiny(folder, "bert", is_decoder=True),
    "bloom": tiny_bloom,
    "gemma": lambda folder: tiny(folder, "gemma"),
    "gemma3": lambda folder: tiny(folder, "gemma3_text"),
    "glm": lambda folder: tiny(folder, "glm"),
    "glm4": lambda folder: tiny(folder, "glm4"),
    "llama, smollm2": tiny_llama,
    "mistral": lambda folder: tiny(folder, "mistral"),
    "qwen2": lambda folder: tiny(folder, "qwen2"),
    "qwen3": lambda folder: tiny(folder, "qwen3"),
}
"""A tiny random model of each."""


@pytest.mark.parametrize("adapter", [LORA, ALL], ids=["lora", "all"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trains_and_recognises(family: str, adapter: AdapterSpec, tmp_path: Path) -> None:
    folder = FAMILIES[family](tmp_path / "base")
    result = train(folder, tmp_path / "run", adapter=adapter, epochs=4, learning_rate=1e-2)
    assert result.steps >= 20
    losses = [row["loss"] for row in result.curves if "loss" in row]
    assert losses[-1] < losses[0]
    recognizer = EmotionRecognizer.from_pretrained(tmp_path / "run", device="cpu")
    turns = recognizer.recognize(tiny_corpus().test[0])
    assert all(set(turn.probabilities or ()) == set(recognizer.labels) for turn in turns)
