"""all-MiniLM-L6-v2 that reads each turn in both directions, and the turns from left to right."""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest
import torch

from instructerc.assets import embedded as assets
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import use_trees
from instructerc.backbones.loading import load_backbone, load_skeleton
from instructerc.backbones.padding import prompt_inputs
from instructerc.backbones.self_check import largest_difference
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.conversation import Conversation, Utterance
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.cached_scoring import CachedScoring
from instructerc.recognition.generation import GreedyGeneration
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import PaddedScoring
from instructerc.recognition.tree_scoring import TreeScoring
from instructerc.testing import TINY_LABELS, tiny_conversation
from instructerc.training.batches import PaddedBatching
from instructerc.training.objective import weighted_loss
from instructerc.training.tree_batches import TreeBatching
from tests.recognition.scores import PREFIXES, assert_equal, encode
from tests.tiny_models import load

pytest.importorskip(assets.PACKAGE, reason="the weights of the embedded backbones are not installed")


@functools.cache
def turns() -> Backbone:
    """To be read only."""
    found = load("embedded-turns")
    assert use_trees(found, "auto")
    return found


def by_the_library(example: EncodedExample) -> list[float]:
    """Log-likelihoods by transformers' own BERT, a pass for each token of an answer, masks written out by hand."""
    from transformers import BertModel

    bert = BertModel.from_pretrained(assets.embedded_model_directory(), attn_implementation="eager").eval()
    words = bert.embeddings.word_embeddings.weight
    found = []
    for answer in example.answers:
        total = 0.0
        for place, token in enumerate(answer):
            ids = [*example.prompt, *answer[:place]]
            sight = torch.full((len(ids), len(ids)), torch.finfo(torch.float32).min)
            stops = list(accumulate((*example.spans, *[1] * place)))
            for first, stop in zip([0, *stops], stops, strict=False):
                sight[first:stop, :stop] = 0.0
            states = bert(torch.tensor([ids]), attention_mask=sight[None, None]).last_hidden_state[0]
            end = len(example.prompt)
            state = states[-1] if place else states[end - example.focus : end].mean(dim=0)
            total += float((state @ words.T).log_softmax(-1)[token])
        found.append(total)
    return found


def test_scores_are_those_of_the_librarys_own_encoder() -> None:
    some = encode(turns(), PREFIXES)[1:4]
    assert all(len(example.spans) > 2 for example in some)
    with torch.no_grad():
        expected = [by_the_library(example) for example in some]
    assert_equal(PaddedScoring().score(turns(), some), expected)
    assert_equal(TreeScoring().score(turns(), some), expected)


def test_the_instruction_each_turn_and_the_question_are_spans() -> None:
    example = encode(turns(), wording="compact")[2]
    stops = list(accumulate(example.spans))
    texts = [
        turns().tokenizer.decode(example.prompt[stop - size : stop])
        for size, stop in zip(example.spans, stops, strict=True)
    ]
    assert [text.split()[0] for text in texts] == ["[CLS]", "a", "b", "a", "a"]
    assert texts[-2:] == ["a : great.", "a feels :"]


@pytest.mark.parametrize("wording", ["released", "paper", "compact", "compact-repeated", "plain"])
@pytest.mark.parametrize("window", [Window(size=2), Window(size=4, stride=3), Window(size=1, context="both")], ids=str)
def test_batches_trees_and_caches_score_alike(wording: str, window: Window) -> None:
    examples = encode(turns(), PREFIXES, wording=wording, window=window)
    expected = PaddedScoring(batch_size=5).score(turns(), examples)
    assert_equal(TreeScoring().score(turns(), examples), expected)
    assert_equal(TreeScoring(budget=60).score(turns(), examples), expected)
    assert_equal(CachedScoring().score(turns(), examples), expected)


def test_prompts_may_come_in_any_order() -> None:
    examples = encode(turns(), wording="compact")
    order = [3, 0, 3, 3, 2, 7, 1, 5, 4]
    expected = PaddedScoring().score(turns(), examples)
    scoring = CachedScoring()
    assert_equal(scoring.score(turns(), [examples[number] for number in order]), [expected[number] for number in order])
    assert scoring.kept_tokens(examples[4]) == len(examples[4].prompt) - examples[4].focus  # read again, as it is asked


def test_the_same_words_asked_about_another_turn_are_another_prompt() -> None:
    chat = Conversation("c", (Utterance("a", "no"), Utterance("a", "I lost it!"), Utterance("a", "great")))
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=None, context="both"))
    examples = PromptEncoder.of(turns(), spec).encode_all(spec.examples(chat))
    assert len({example.prompt for example in examples}) == 1
    scores = TreeScoring().score(turns(), examples)
    assert scores[0] != scores[1]
    assert_equal(scores, PaddedScoring().score(turns(), examples))
    assert_equal(CachedScoring().score(turns(), examples), scores)


def test_what_was_said_is_read_once() -> None:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=None))
    chat = Conversation("c", tuple(Utterance("ab"[turn % 2], f"this is turn number {turn}") for turn in range(20)))
    examples = PromptEncoder.of(turns(), spec).encode_all(spec.examples(chat))
    labelled = [replace(example, target=0) for example in examples]
    use = TreeBatching(backbone=turns()).token_use([labelled])
    assert use.read < sum(len(example.prompt) for example in examples) / 5


@pytest.mark.parametrize("weighting", ["answer", "token"])
def test_trees_train_as_padded_batches_do(weighting: Any) -> None:
    backbone = load("embedded-turns")
    examples = [
        replace(example, target=number % 4)
        for number, example in enumerate(encode(backbone, PREFIXES, wording="compact", window=Window(size=None)))
    ]
    padded = PaddedBatching(
        micro_batch=4, pad=backbone.tokenizer.pad_token_id, loss_weighting=weighting, both_ways=True
    )
    trees = TreeBatching(backbone=backbone, loss_weighting=weighting)
    gradients = []
    for batching in (padded, trees):
        backbone.model.zero_grad()
        losses = [weighted_loss(backbone, backbone.model, batch) for batch in batching.micro_batches(examples)]
        torch.stack(losses).sum().backward()
        norms = [p.grad.norm() for p in backbone.model.parameters() if p.grad is not None]
        gradients.append([float(sum(loss.detach() for loss in losses)), *map(float, norms)])
    assert gradients[1] == pytest.approx(gradients[0], rel=1e-3, abs=1e-5)


def test_every_kind_of_attention_agrees() -> None:
    examples = encode(turns(), PREFIXES)
    expected = TreeScoring().score(turns(), examples)
    for attention in ("eager", "sdpa"):
        other = load_backbone("embedded-turns", precision="float32", device="cpu", attention=attention)  # type: ignore[arg-type]
        assert_equal(PaddedScoring().score(other, examples), expected)
        assert_equal(TreeScoring().score(other, examples), expected)
        assert_equal(CachedScoring().score(other, examples), expected)


def test_adapters_read_turns_as_well() -> None:
    examples = encode(turns(), PREFIXES)
    backbone = load("embedded-turns")
    attach(backbone, AdapterSpec(method="lora"))
    assert backbone.reading == "turns"
    assert use_trees(backbone, "tree")
    assert_equal(TreeScoring().score(backbone, examples), TreeScoring().score(turns(), examples))


def test_what_it_writes_begins_with_what_it_finds_likeliest() -> None:
    example = encode(turns(), PREFIXES)[3]
    with torch.no_grad():
        likeliest = int(turns().model(**prompt_inputs(turns(), [example])).logits[0, -1].argmax())
    (written,) = GreedyGeneration(batch_size=2).generate(turns(), [example])
    assert written.split()[0] == turns().tokenizer.decode([likeliest]).strip()


def test_a_mask_that_forgets_the_rest_of_a_turn_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert largest_difference(turns()) < 1e-5
    backbone = load_backbone("embedded-turns", precision="float32", device="cpu", attention="sdpa")
    monkeypatch.setattr(
        "instructerc.backbones.rows.visible", lambda ends, *, starts, past=0: _from_left_to_right(ends, past)
    )
    assert largest_difference(backbone) > 0.01


def _from_left_to_right(ends: Any, past: int) -> Any:
    from instructerc.trees.tree import visible

    return visible(ends, past=past)


def test_its_skeleton_says_the_same() -> None:
    assert load_skeleton("embedded-turns").reading == "turns"
    assert load_skeleton("embedded-encoder").reading == "whole"
    assert load_skeleton("embedded").reading == "forward"


@pytest.mark.parametrize("window", [Window(size=2), Window(size=4, stride=4), Window(size=None)], ids=str)
def test_a_live_conversation_is_read_as_the_whole_and_no_turn_twice(window: Window) -> None:
    spec = PromptSpec(labels=("joy", "anger", "neutral"), wording="compact", window=window)
    recognizer = EmotionRecognizer(backbone=turns(), prompt=spec)
    said = [
        *tiny_conversation().utterances,
        Utterance("***", ""),
        Utterance("a", "🙂 two\nlines"),
        Utterance("b", "no"),
    ]
    chat = Conversation("c", tuple(said))
    session = recognizer.session()
    rows = [session.add(turn.speaker, turn.text) for turn in chat.utterances]
    for found, expected in zip(rows, recognizer.recognize(chat), strict=True):
        assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    if window.size is None:
        assert session.statistics.rebuilds == 0
        assert session.statistics.cached_tokens > session.statistics.read_tokens
