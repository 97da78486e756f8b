"""all-MiniLM-L6-v2 as a prefix language model: prompts in both directions, answers from left to right."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructerc.assets import embedded as assets
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import use_trees
from instructerc.backbones.loading import load_backbone, load_skeleton
from instructerc.backbones.padding import prefix_mask, prompt_inputs
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import BackboneError
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.generation import GreedyGeneration
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import PaddedScoring
from instructerc.testing import tiny_conversation
from instructerc.training.batches import PaddedBatching, target_answer
from instructerc.training.objective import weighted_loss
from tests.recognition.scores import PREFIXES, assert_equal, encode
from tests.tiny_models import load

pytest.importorskip(assets.PACKAGE, reason="the weights of the embedded backbones are not installed")


@pytest.fixture(scope="module")
def encoder() -> Backbone:
    """To be read only."""
    return load("embedded-encoder")


@pytest.fixture(scope="module")
def prompts(encoder: Backbone) -> list[EncodedExample]:
    return encode(encoder, PREFIXES)


def by_the_library(example: EncodedExample) -> list[float]:
    """Log-likelihoods by transformers' own BERT: an encoder for the first token, then masks written out by hand."""
    from transformers import BertModel

    bert = BertModel.from_pretrained(assets.embedded_model_directory(), attn_implementation="eager").eval()
    words = bert.embeddings.word_embeddings.weight
    found = []
    prompt, focus = example.prompt, example.focus
    for answer in example.answers:
        total = 0.0
        for place, token in enumerate(answer):
            ids = [*prompt, *answer[:place]]
            sight = torch.ones(len(ids), len(ids))
            for row in range(len(ids)):
                sight[row, max(row + 1, len(prompt)) :] = 0
            seen = torch.where(sight.bool(), 0.0, torch.finfo(torch.float32).min)[None, None]
            types = torch.tensor([[0] * (len(prompt) - focus) + [1] * focus + [0] * place])
            states = bert(torch.tensor([ids]), attention_mask=seen, token_type_ids=types).last_hidden_state[0]
            state = states[-1] if place else states[len(prompt) - focus :].mean(dim=0)
            total += float((state @ words.T).log_softmax(-1)[token])
        found.append(total)
    return found


def test_scores_are_those_of_the_librarys_own_encoder(encoder: Backbone, prompts: list[EncodedExample]) -> None:
    some = prompts[2:4]
    with torch.no_grad():
        expected = [by_the_library(example) for example in some]
    assert_equal(PaddedScoring().score(encoder, some), expected)


def test_the_focus_is_the_target_turn_and_its_question(encoder: Backbone, prompts: list[EncodedExample]) -> None:
    example = encode(encoder, wording="compact")[2]
    text = encoder.tokenizer.decode(example.prompt[-example.focus :])
    assert text == "a : great. a feels :"


@pytest.mark.parametrize(
    ("settings", "task", "asked"),
    [
        ({"wording": "compact"}, "prediction", "b will feel :"),
        (
            {"wording": "compact", "window": Window(size=1, context="both")},
            "recognition",
            "b : two b : three b feels :",
        ),
        ({"wording": "plain"}, "recognition", None),
    ],
    ids=["a question without its turn", "turns after the target", "a prompt that is all question"],
)
def test_what_is_asked_about_in_other_prompts(
    encoder: Backbone, settings: dict[str, Any], task: Any, asked: str | None
) -> None:
    chat = Conversation("c", (Utterance("a", "one"), Utterance("b", "two"), Utterance("b", "three")))
    spec = PromptSpec(labels=("joy", "anger"), **settings)
    encoded = PromptEncoder.of(encoder, spec).encode(spec.example(chat, 1, task=task))
    text = encoder.tokenizer.decode(encoded.prompt[len(encoded.prompt) - encoded.focus :])
    assert text == (asked or "please select the emotional label of < two > from < joy, anger > :")


def test_a_batch_scores_as_each_prompt_alone(encoder: Backbone, prompts: list[EncodedExample]) -> None:
    assert len({len(example.prompt) for example in prompts}) > 1
    alone = [PaddedScoring().score(encoder, [example])[0] for example in prompts]
    assert_equal(PaddedScoring(batch_size=5).score(encoder, prompts), alone)


def test_training_asks_what_recognition_measures(encoder: Backbone, prompts: list[EncodedExample]) -> None:
    examples = [
        EncodedExample(**{**{name: getattr(e, name) for name in e.__dataclass_fields__}, "target": number % 4})
        for number, e in enumerate(prompts)
    ]
    batching = PaddedBatching(
        micro_batch=4, pad=encoder.tokenizer.pad_token_id, loss_weighting="token", both_ways=encoder.both_ways
    )
    with torch.no_grad():
        found = sum(float(weighted_loss(encoder, encoder.model, batch)) for batch in batching.micro_batches(examples))
    scores = PaddedScoring().score(encoder, examples)
    expected = -sum(
        row[example.answers.index(target_answer(example))] for row, example in zip(scores, examples, strict=True)
    )
    assert found == pytest.approx(expected, rel=1e-4)


@given(st.data())
def test_a_prompt_is_seen_whole_and_an_answer_by_nobody_before_it(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=4))
    longest = max(map(sum, sizes))
    mask = torch.tensor([[0] * (longest - p - a) + [1] * (p + a) for p, a in sizes])
    found = prefix_mask(mask, [answer for _, answer in sizes])
    for row, (prompt, answer) in enumerate(sizes):
        first = longest - prompt - answer
        for query in range(first, longest):
            seen = [key for key in range(longest) if found[row, 0, query, key]]
            assert seen == list(range(first, max(query + 1, first + prompt)))
    assert found.any(-1).all()  # a query that sees nothing would be no number


def test_both_kinds_of_attention_agree(encoder: Backbone, prompts: list[EncodedExample]) -> None:
    eager = load_backbone("embedded-encoder", precision="float32", device="cpu", attention="eager")
    assert_equal(PaddedScoring().score(eager, prompts), PaddedScoring().score(encoder, prompts))


def test_what_it_writes_begins_with_what_it_finds_likeliest(encoder: Backbone, prompts: list[EncodedExample]) -> None:
    example = prompts[3]
    with torch.no_grad():
        likeliest = int(encoder.model(**prompt_inputs(encoder, [example])).logits[0, -1].argmax())
    (written,) = GreedyGeneration(batch_size=2).generate(encoder, [example])
    assert written.split()[0] == encoder.tokenizer.decode([likeliest]).strip()


def test_adapters_look_both_ways_as_well(prompts: list[EncodedExample]) -> None:
    backbone = load("embedded-encoder")
    plain = PaddedScoring().score(backbone, prompts)
    attach(backbone, AdapterSpec(method="lora"))
    assert backbone.both_ways
    assert_equal(PaddedScoring().score(backbone, prompts), plain)  # fresh adapters change nothing


def test_it_reads_padded_batches_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    backbone = load("embedded-encoder")
    with caplog.at_level(logging.WARNING, "instructerc"):
        assert not use_trees(backbone, "auto")
    assert not caplog.records
    with pytest.raises(BackboneError, match="its prompts are read in both directions: set batching to auto"):
        use_trees(backbone, "tree")


def test_its_skeleton_says_the_same() -> None:
    assert load_skeleton("embedded-encoder").both_ways
    assert not load_skeleton("embedded").both_ways


def test_a_live_conversation_is_read_as_the_whole(encoder: Backbone) -> None:
    spec = PromptSpec(labels=("joy", "anger", "neutral"), wording="compact")
    recognizer = EmotionRecognizer(backbone=encoder, prompt=spec)
    chat = tiny_conversation()
    session = recognizer.session()
    rows = [session.add(turn.speaker, turn.text) for turn in chat.utterances]
    for found, expected in zip(rows, recognizer.recognize(chat), strict=True):
        assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
