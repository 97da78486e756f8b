"""A chat model is asked and answers in its template, however its prompts are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import use_trees
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.artefact import Artefact, load_artefact, model_hash, read_artefact, save_artefact
from instructerc.recognition.cached_scoring import CachedScoring
from instructerc.recognition.generation import GreedyGeneration
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import PaddedScoring
from instructerc.recognition.tree_scoring import TreeScoring
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus
from instructerc.training.batches import PaddedBatching
from instructerc.training.tree_batches import TreeBatching
from tests.chat_models import CHATML, INST, LLAMA3, tiny_chat_llama
from tests.recognition.scores import assert_equal
from tests.tiny_models import load, log_likelihoods_alone, logits_alone

SPEC = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=3))


def encode(backbone: Backbone) -> list[EncodedExample]:
    chats = (tiny_conversation(), *tiny_corpus().test[:2])
    return PromptEncoder.of(backbone, SPEC).encode_all(example for chat in chats for example in SPEC.examples(chat))


@pytest.fixture(params=[CHATML, LLAMA3, INST], ids=["chatml", "llama3", "inst"])
def backbone(request: pytest.FixtureRequest, tmp_path: Path) -> Backbone:
    return load(tiny_chat_llama(tmp_path / "chatty", request.param))


def test_every_way_to_score_gives_what_reading_each_answer_alone_gives(backbone: Backbone) -> None:
    assert (backbone.style, backbone.style_reason) == ("chat", "its tokenizer has a chat template")
    assert use_trees(backbone, "auto")
    examples = encode(backbone)
    expected = [log_likelihoods_alone(backbone, example) for example in examples]
    assert_equal(PaddedScoring(batch_size=5).score(backbone, examples), expected)
    assert_equal(TreeScoring(budget=300).score(backbone, examples), expected)
    assert_equal(CachedScoring().score(backbone, examples), expected)


def test_a_session_answers_as_the_whole_conversation_does(backbone: Backbone) -> None:
    recognizer = EmotionRecognizer(backbone=backbone, prompt=SPEC)
    session, chat = recognizer.session(), tiny_corpus().test[0]
    for turn, expected in zip(chat.utterances, recognizer.recognize(chat), strict=True):
        answer = session.add(turn.speaker, turn.text)
        assert answer.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    opening = len(PromptEncoder.of(backbone, SPEC).encode_prompt("")) // 2
    assert session.statistics.cached_tokens > 3 * opening, "what the template opens with is not read again"


def test_only_the_answer_and_what_ends_it_is_learned(backbone: Backbone) -> None:
    examples = PromptEncoder.of(backbone, SPEC).encode_all(SPEC.labelled_examples(tiny_corpus().train[0]))
    answers = [example.answers[example.target or 0] for example in examples]
    tree = TreeBatching(backbone=backbone)
    padded = PaddedBatching(micro_batch=8, pad=backbone.tokenizer.pad_token_id)
    for batching in (tree, padded):
        targets = [
            int(token)
            for batch in batching.micro_batches(examples)
            for token, weight in zip(batch.targets.flatten(), batch.weights.flatten(), strict=True)
            if weight > 0
        ]
        assert sorted(targets) == sorted(token for answer in answers for token in answer)


def ends_early(backbone: Backbone, example: EncodedExample) -> None:
    """Has the model write the token that ends answers as its second one: that and its own choice change places."""
    with torch.no_grad():
        first = int(logits_alone(backbone, example.prompt)[-1].argmax())
        second = int(logits_alone(backbone, (*example.prompt, first))[-1].argmax())
        places = [second, example.answers[0][-1]]
        head = backbone.model.get_output_embeddings().weight
        head[places] = head[places[::-1]].clone()


def by_hand(backbone: Backbone, example: EncodedExample) -> str:
    ids: list[int] = []
    ends = {example.answers[0][-1], backbone.tokenizer.eos_token_id}
    with torch.no_grad():
        for _ in range(max(map(len, example.answers)) + 1):
            token = int(logits_alone(backbone, (*example.prompt, *ids))[-1].argmax())
            if token in ends:
                break
            ids.append(token)
    text: str = backbone.tokenizer.decode(ids, skip_special_tokens=True)
    return text.strip()


def test_a_generated_answer_stops_at_the_templates_own_end(backbone: Backbone) -> None:
    examples = encode(backbone)
    ends_early(backbone, examples[0])
    answers = GreedyGeneration(batch_size=4).generate(backbone, examples)
    assert answers == [by_hand(backbone, example) for example in examples]
    assert len(backbone.tokenizer(answers[0], add_special_tokens=False)["input_ids"]) <= 1


def test_an_end_that_is_not_flagged_as_special_is_no_part_of_the_answer(tmp_path: Path) -> None:
    template = "{% for message in messages %}{{ message.content }}{{ '</think>' }}{% endfor %}"
    backbone = load(tiny_chat_llama(tmp_path / "chatty", template))
    examples = encode(backbone)
    end = backbone.tokenizer.convert_tokens_to_ids("</think>")
    assert {answer[-1] for example in examples for answer in example.answers} == {end}
    ends_early(backbone, examples[0])
    assert "</think>" not in GreedyGeneration().generate(backbone, examples)[0]


def artefact_of(folder: Path, **changes: Any) -> Artefact:
    return Artefact(backbone=str(folder), revision=None, prompt=SPEC, dtype="float32", precision="float32", **changes)


def test_a_trained_model_keeps_its_style(tmp_path: Path) -> None:
    source = tiny_chat_llama(tmp_path / "chatty")
    for style in ("plain", "chat"):
        backbone, spec = load(source), AdapterSpec(rank=2)
        attach(backbone, spec)
        save_artefact(artefact_of(source, adapter=spec, style=style), backbone, tmp_path / style)
        artefact, loaded, _ = load_artefact(tmp_path / style, device="cpu")
        assert (artefact.style, loaded.style) == (style, style)
    renamed = source.rename(tmp_path / "chatty-base")
    place = tmp_path / "chat"
    moved = artefact_of(renamed, adapter=AdapterSpec(rank=2), style="chat")
    (place / "artefact.json").write_text(json.dumps(moved.to_json()), encoding="utf-8")
    assert EmotionRecognizer.from_pretrained(place, device="cpu").backbone.style == "chat", "whatever its name says now"


def test_a_style_says_nothing_in_the_file_where_it_is_plain(tmp_path: Path) -> None:
    plain, chat = artefact_of(tmp_path, adapter=None), artefact_of(tmp_path, adapter=None, style="chat")
    assert "style" not in plain.to_json()
    assert chat.to_json()["style"] == "chat"
    assert [Artefact.from_json(one.to_json()) for one in (plain, chat)] == [plain, chat]
    save_artefact(chat, load(tiny_chat_llama(tmp_path / "chatty")), tmp_path / "model")
    assert read_artefact(tmp_path / "model")[0] == chat
    assert model_hash(plain, tmp_path) != model_hash(chat, tmp_path)
