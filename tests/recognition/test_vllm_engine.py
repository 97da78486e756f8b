"""vLLM as an engine: held against scoring and generation of our own, through a stand-in that answers as vLLM does."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.adapters import AdapterSpec
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.errors import ArtefactError, BackboneError, UsageError
from instructerc.prompts import PromptSpec
from instructerc.recognition.artefact import Artefact, save_artefact
from instructerc.recognition.generation import GreedyGeneration
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import PaddedScoring
from instructerc.recognition.tree_scoring import TreeScoring
from instructerc.recognition.vllm_engine import VllmEngine, edges_of, load_vllm
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus, tiny_llama
from tests.tiny_models import load
from tests.vllm_stand_in import FakeModule, SamplingParams, StandIn

SPEC = PromptSpec(labels=TINY_LABELS, wording="compact")
PREFIXES = ("joy", "joyful", "joyfulness", "sad")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load(tiny_llama(tmp_path_factory.mktemp("llama")))


def encode(backbone: Backbone, labels: Sequence[str] = TINY_LABELS) -> list[EncodedExample]:
    spec = PromptSpec(labels=tuple(labels), wording="compact")
    encoder = PromptEncoder(backbone.tokenizer, backbone.context)
    return encoder.encode_all(spec.examples(tiny_corpus().test[0]))


def engine_of(backbone: Backbone, **settings: Any) -> VllmEngine:
    return VllmEngine(llm=StandIn(backbone), sampling=SamplingParams, tokenizer=backbone.tokenizer, **settings)


@pytest.mark.parametrize("labels", [TINY_LABELS, PREFIXES], ids=["plain", "one begins like another"])
def test_scores_are_those_of_padded_batches_and_of_trees(llama: Backbone, labels: Sequence[str]) -> None:
    examples = encode(llama, labels)
    assert max(len(answer) for answer in examples[0].answers) > 2, "labels of several tokens are put to the test"
    found = engine_of(llama).score(examples)
    for expected in (PaddedScoring().score(llama, examples), TreeScoring().score(llama, examples)):
        for row, right in zip(found, expected, strict=True):
            assert row == pytest.approx(right, rel=0, abs=1e-4)


def test_what_labels_share_is_asked_once(llama: Backbone) -> None:
    (example, *_) = encode(llama, PREFIXES)
    engine = engine_of(llama)
    engine.score([example])
    asked = engine.llm.prompts  # type: ignore[attr-defined]
    assert len(asked) == len(edges_of(example.answers)) < sum(map(len, example.answers))
    assert all(tuple(ids[: len(example.prompt)]) == example.prompt for ids in asked)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_size_of_batches_changes_nothing(llama: Backbone, batch_size: int) -> None:
    examples = encode(llama)
    done: list[int] = []
    found = engine_of(llama, batch_size=batch_size).score(examples, progress=done.append)
    assert found == engine_of(llama).score(examples)
    assert sum(done) == len(examples)
    assert len(done) > 1


def test_generation_is_greedy_and_ends_where_ours_does(llama: Backbone) -> None:
    examples = encode(llama)
    done: list[int] = []
    found = engine_of(llama, batch_size=3).generate(examples, progress=done.append)
    assert found == GreedyGeneration().generate(llama, examples)
    assert any(found)
    assert sum(done) == len(examples)


def test_a_template_that_ends_answers_its_own_way_is_heard(llama: Backbone) -> None:
    plain = encode(llama)
    usual = GreedyGeneration().generate(llama, plain)
    # Whatever the model writes at the second place is said to end an answer, as the token of a chat template does.
    ends = [llama.tokenizer.encode(text, add_special_tokens=False)[1] for text in usual]
    examples = [
        replace(example, answers=tuple((*answer[:-1], end) for answer in example.answers))
        for example, end in zip(plain, ends, strict=True)
    ]
    found = engine_of(llama).generate(examples)
    assert found == [GreedyGeneration().generate(llama, [example])[0] for example in examples]
    assert found != usual


@pytest.mark.parametrize("mode", ["score", "generate"])
def test_a_recogniser_on_it_says_the_same(llama: Backbone, mode: Any) -> None:
    plain = EmotionRecognizer(backbone=llama, prompt=SPEC, mode=mode).recognize(tiny_conversation())
    served = EmotionRecognizer(backbone=llama, prompt=SPEC, mode=mode, engine=engine_of(llama))
    rows = served.recognize(tiny_conversation())
    assert [(row.emotion, row.answer) for row in rows] == [(row.emotion, row.answer) for row in plain]
    for row, right in zip(rows, plain, strict=True):
        assert row.probabilities == (None if mode == "generate" else pytest.approx(right.probabilities, abs=1e-4))
    session = served.session()
    live = [session.add(turn.speaker, turn.text).emotion for turn in tiny_conversation().utterances]
    assert live == [row.emotion for row in plain]


def test_a_release_that_forces_nothing_is_found_out(llama: Backbone) -> None:
    def forgetful(**given: Any) -> SamplingParams:
        return SamplingParams(**{**given, "allowed_token_ids": None})

    engine = VllmEngine(llm=StandIn(llama), sampling=forgetful, tokenizer=llama.tokenizer)
    with pytest.raises(BackboneError, match="vLLM was to write token"):
        engine.score(encode(llama))


@pytest.fixture
def vllm(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> FakeModule:
    module = FakeModule(lambda name: llama)
    monkeypatch.setitem(sys.modules, "vllm", module)
    return module


def artefact(llama: Backbone, **given: Any) -> Artefact:
    settings = {"backbone": llama.source, "revision": None, "adapter": None, "prompt": SPEC, "dtype": "float32"}
    return Artefact(**{**settings, **given})


def test_an_untrained_model_is_loaded_by_its_folder(vllm: FakeModule, llama: Backbone, tmp_path: Path) -> None:
    save_artefact(artefact(llama, max_length=128), None, tmp_path)
    served = EmotionRecognizer.from_pretrained(tmp_path, engine="vllm")
    plain = EmotionRecognizer.from_pretrained(tmp_path, device="cpu")
    rows, right = served.recognize(tiny_conversation()), plain.recognize(tiny_conversation())
    assert [(row.emotion, row.model) for row in rows] == [(row.emotion, row.model) for row in right]
    assert vllm.given == {
        "model": llama.source,
        "revision": None,
        "dtype": "float32",
        "max_model_len": 128,
        "enable_prefix_caching": True,
        "generation_config": "vllm",
        "logprobs_mode": "raw_logprobs",
        "trust_remote_code": False,
        "seed": 0,
    }


def test_a_merged_model_is_the_checkpoint_in_its_folder(vllm: FakeModule, llama: Backbone, tmp_path: Path) -> None:
    tiny_llama(tmp_path)
    save_artefact(artefact(llama, backbone="."), None, tmp_path)
    EmotionRecognizer.from_pretrained(tmp_path, engine="vllm")
    assert vllm.given["model"] == str(tmp_path)


def test_an_adapter_has_to_be_merged_first(vllm: FakeModule, llama: Backbone, tmp_path: Path) -> None:
    record = artefact(llama, adapter=AdapterSpec(method="lora")).to_json()
    (tmp_path / "artefact.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match=r"vLLM reads whole models: merge the two first \(instructerc merge\)"):
        EmotionRecognizer.from_pretrained(tmp_path, engine="vllm")


def test_what_it_does_not_do(vllm: FakeModule, llama: Backbone, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="vLLM does not know the backbone 'embedded'"):
        load_vllm("embedded")
    with pytest.raises(UsageError, match="vLLM reads weights as they are, not in 4bit"):
        load_vllm(llama.source, quantization="4bit")
    save_artefact(artefact(llama), None, tmp_path)
    with pytest.raises(UsageError, match=r"recognition.engine is 'tgi': choose one of transformers, vllm"):
        EmotionRecognizer.from_pretrained(tmp_path, engine="tgi")  # type: ignore[arg-type]
    with pytest.raises(ArtefactError):
        EmotionRecognizer.from_pretrained(tmp_path / "nothing", engine="vllm")


def test_what_it_cannot_load_is_said_in_a_line(
    vllm: FakeModule, llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**given: Any) -> Any:
        raise ValueError("no such architecture\nand a long list")

    monkeypatch.setattr(vllm, "LLM", refuse)
    with pytest.raises(BackboneError, match=r"vLLM cannot load it \(no such architecture\): use engine transformers"):
        load_vllm(llama.source)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_it_says_what_to_install(llama: Backbone) -> None:
    with pytest.raises(UsageError, match=r"pip install 'instructerc\[vllm\]'"):
        load_vllm(llama.source)


@pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None or not torch.cuda.is_available(), reason="needs vLLM and a GPU"
)
def test_vllm_itself_gives_the_labels_of_transformers(tmp_path: Path) -> None:
    backbone = load(tiny_llama(tmp_path))
    backbone.model.to("cuda")
    examples = encode(backbone)
    _, engine = load_vllm(str(tmp_path), dtype="float32", gpu_memory_utilization=0.2, enforce_eager=True)
    right = PaddedScoring().score(backbone, examples)
    for row, expected in zip(engine.score(examples), right, strict=True):
        assert row == pytest.approx(expected, rel=0, abs=1e-3)
