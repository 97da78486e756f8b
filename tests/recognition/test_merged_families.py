"""A trained model of every family, merged: the same answers, from a folder that stands alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from instructerc.backbones.adapters import AdapterSpec
from instructerc.recognition.merging import compare_answers, write_merged
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_corpus
from tests.chatglm_models import tiny_chatglm, tiny_chatglm2
from tests.recognition.trained import trained
from tests.test_families import FAMILIES

OF_CHATGLM = {"chatglm": tiny_chatglm, "chatglm2": tiny_chatglm2}
ALL_FAMILIES = {**FAMILIES, **OF_CHATGLM}


@pytest.mark.parametrize("spec", [AdapterSpec(rank=4), AdapterSpec(method="all")], ids=["lora", "all"])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_a_merged_model_of_a_family_answers_as_the_trained_one(family: str, spec: AdapterSpec, tmp_path: Path) -> None:
    before = trained(ALL_FAMILIES[family](tmp_path / "base"), tmp_path / "trained", spec)
    conversation = tiny_corpus().test[0]
    expected = EmotionRecognizer.from_pretrained(before, device="cpu").recognize(conversation)
    write_merged(before, tmp_path / "merged")
    shutil.rmtree(tmp_path / "base")
    shutil.rmtree(before)
    found = EmotionRecognizer.from_pretrained(tmp_path / "merged", device="cpu").recognize(conversation)
    difference = compare_answers(expected, found)
    assert difference.changed == 0
    assert difference.probability is not None
    assert difference.probability < 1e-3
