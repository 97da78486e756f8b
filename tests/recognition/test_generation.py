"""Greedy generation, against the loop that everybody would write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import PromptSpec
from instructerc.recognition.generation import GreedyGeneration
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus, tiny_llama
from tests.tiny_models import load, logits_alone, tiny_bloom, tiny_mistral

SAMPLING = {
    "do_sample": True,
    "temperature": 1.7,
    "top_p": 0.9,
    "top_k": 5,
    "repetition_penalty": 5.0,
    "no_repeat_ngram_size": 1,
    "min_new_tokens": 3,
    "max_length": 3,
    "suppress_tokens": list(range(100)),
}


def encode(backbone: Backbone) -> list[EncodedExample]:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact")
    encoder = PromptEncoder(backbone.tokenizer, backbone.context)
    chats = (tiny_conversation(), tiny_corpus().test[0])
    return encoder.encode_all(example for chat in chats for example in spec.examples(chat))


def by_hand(backbone: Backbone, example: EncodedExample) -> str:
    """The most probable token, one after another, until the end token or until the answer is too long."""
    ids: list[int] = []
    with torch.no_grad():
        for _ in range(max(map(len, example.answers)) + 1):
            ids.append(int(logits_alone(backbone, (*example.prompt, *ids))[-1].argmax()))
            if ids[-1] == backbone.tokenizer.eos_token_id:
                break
    answer: str = backbone.tokenizer.decode(ids, skip_special_tokens=True)
    return answer.strip()


@pytest.mark.parametrize("build", [tiny_llama, tiny_bloom, tiny_mistral])
def test_answers_are_those_of_the_plain_loop(tmp_path: Path, build: Any) -> None:
    backbone = load(build(tmp_path))
    examples = encode(backbone)
    expected = [by_hand(backbone, example) for example in examples]
    assert len(set(expected)) > 1
    for batch_size in (1, 3, 16):
        assert GreedyGeneration(batch_size=batch_size).generate(backbone, examples) == expected


def test_the_embedded_backbone_generates_greedily_too() -> None:
    pytest.importorskip(PACKAGE, reason="the weights of the embedded backbone are not installed")
    backbone = load("embedded")
    examples = encode(backbone)
    assert GreedyGeneration().generate(backbone, examples) == [by_hand(backbone, example) for example in examples]


@pytest.mark.parametrize("adapted", [False, True])
def test_a_checkpoints_own_settings_do_not_apply(llama_folder: Path, tmp_path: Path, adapted: bool) -> None:
    own = tiny_llama(tmp_path)
    path = own / "generation_config.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, **SAMPLING}), encoding="utf-8")
    plain, sampling = load(llama_folder), load(own)
    if adapted:
        attach(sampling, AdapterSpec(rank=4))
        sampling.model.eval()
    expected = GreedyGeneration().generate(plain, encode(plain))
    assert GreedyGeneration().generate(sampling, encode(sampling)) == expected


def test_an_answer_ends_at_the_end_token(llama: Backbone) -> None:
    example = encode(llama)[0]
    with torch.no_grad():
        first = int(logits_alone(llama, example.prompt)[-1].argmax())
        second = int(logits_alone(llama, (*example.prompt, first))[-1].argmax())
    assert first != second
    (before,) = GreedyGeneration().generate(llama, [example])
    llama.tokenizer.eos_token = llama.tokenizer.convert_ids_to_tokens(second)
    (after,) = GreedyGeneration().generate(llama, [example])
    assert after == by_hand(llama, example) == llama.tokenizer.decode([first, second]).strip()
    assert len(after) < len(before)


def test_progress_counts_every_example_once(llama: Backbone) -> None:
    done: list[int] = []
    GreedyGeneration(batch_size=3).generate(llama, encode(llama), progress=done.append)
    assert done == [3, 3, 2]


def test_nothing_to_generate_is_no_error(llama: Backbone) -> None:
    assert GreedyGeneration().generate(llama, []) == []
