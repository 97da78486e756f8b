"""Scores of a closed label set, against one forward pass a label."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.errors import BackboneError
from instructerc.labels import EKMAN
from instructerc.prompts import PromptSpec
from instructerc.recognition.scoring import PaddedScoring, log_totals, probabilities
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus, tiny_llama
from tests.tiny_models import load, log_likelihoods_alone, tiny_bloom, tiny_mistral

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "llama": tiny_llama,
    "bloom, whose positions are in its attention": tiny_bloom,
    "mistral, whose window is shorter than a prompt": tiny_mistral,
}
PREFIXES = ("joy", "joyful", "joyfulness", "sad")


def encode(backbone: Backbone, labels: Sequence[str] = TINY_LABELS, *, conversations: int = 2) -> list[EncodedExample]:
    """Prompts of several lengths, of a few conversations."""
    spec = PromptSpec(labels=tuple(labels), wording="compact")
    chats = (tiny_conversation(), *tiny_corpus().test)[:conversations]
    encoder = PromptEncoder(backbone.tokenizer, backbone.context)
    return encoder.encode_all(example for chat in chats for example in spec.examples(chat))


def assert_equal(found: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> None:
    assert len(found) == len(expected)
    for row, right in zip(found, expected, strict=True):
        assert row == pytest.approx(right, rel=0, abs=1e-5)


@pytest.fixture(params=list(FAMILIES))
def backbone(request: pytest.FixtureRequest, tmp_path: Path) -> Backbone:
    return load(FAMILIES[request.param](tmp_path))


def test_the_tiny_mistrals_window_is_shorter_than_every_prompt(tmp_path: Path) -> None:
    backbone = load(tiny_mistral(tmp_path))
    assert backbone.model.config.sliding_window < min(len(example.prompt) for example in encode(backbone))


def test_scores_are_those_of_each_answer_read_alone(backbone: Backbone) -> None:
    examples = encode(backbone)
    assert len({len(example.prompt) for example in examples}) > 3, "padding is put to the test"
    assert max(len(answer) for answer in examples[0].answers) > 2, "and labels of several tokens"
    expected = [log_likelihoods_alone(backbone, example) for example in examples]
    assert_equal(PaddedScoring().score(backbone, examples), expected)


def test_labels_that_begin_alike_are_told_apart_by_their_end(backbone: Backbone) -> None:
    examples = encode(backbone, PREFIXES, conversations=1)
    expected = [log_likelihoods_alone(backbone, example) for example in examples]
    assert_equal(PaddedScoring().score(backbone, examples), expected)
    assert len({round(score, 4) for score in expected[0]}) == len(PREFIXES)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_size_of_batches_changes_nothing(backbone: Backbone, batch_size: int) -> None:
    examples = encode(backbone)
    assert_equal(
        PaddedScoring(batch_size=batch_size).score(backbone, examples), PaddedScoring().score(backbone, examples)
    )


def test_examples_with_different_answers_go_together(backbone: Backbone) -> None:
    first, second = encode(backbone, TINY_LABELS), encode(backbone, (*EKMAN.labels, "joyfulness"))
    mixed = [example for pair in zip(first, second, strict=True) for example in pair]
    found = PaddedScoring(batch_size=4).score(backbone, mixed)
    assert [len(row) for row in found] == [3, 8] * len(first)
    assert_equal(found, [log_likelihoods_alone(backbone, example) for example in mixed])


def test_an_answer_of_one_token_is_scored(backbone: Backbone) -> None:
    examples = [EncodedExample((1, 50, 60), ((7,), (8,), (9, 7, 8)), None, 1.0)]
    assert_equal(PaddedScoring().score(backbone, examples), [log_likelihoods_alone(backbone, examples[0])])


def test_identical_prompts_get_a_row_each(llama: Backbone) -> None:
    example = encode(llama)[0]
    rows = PaddedScoring(batch_size=2).score(llama, [example] * 3)
    assert len(rows) == 3
    assert_equal(rows, [rows[0]] * 3)


def test_nothing_to_score_is_no_error(llama: Backbone) -> None:
    assert PaddedScoring().score(llama, []) == []


def test_progress_counts_every_example_once(llama: Backbone) -> None:
    done: list[int] = []
    examples = encode(llama)
    PaddedScoring(batch_size=3).score(llama, examples, progress=done.append)
    assert sum(done) == len(examples)
    assert max(done) <= 3


def test_scores_go_through_an_adapter(llama: Backbone) -> None:
    import torch

    before = PaddedScoring().score(llama, encode(llama))
    attach(llama, AdapterSpec(rank=4))
    llama.model.eval()
    with torch.no_grad():
        for name, parameter in llama.model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
    examples = encode(llama)
    found = PaddedScoring().score(llama, examples)
    assert found[0] != pytest.approx(before[0], abs=1e-3)
    assert_equal(found, [log_likelihoods_alone(llama, example) for example in examples])


def test_the_embedded_backbone_is_scored_exactly() -> None:
    pytest.importorskip(PACKAGE, reason="the weights of the embedded backbone are not installed")
    backbone = load("embedded")
    examples = encode(backbone, PREFIXES, conversations=1)
    assert max(len(answer) for answer in examples[0].answers) > 2
    # Logits of this backbone are ten times larger, so float32 rounds them more coarsely.
    for row, example in zip(PaddedScoring().score(backbone, examples), examples, strict=True):
        assert row == pytest.approx(log_likelihoods_alone(backbone, example), rel=1e-5, abs=1e-4)


@given(st.lists(st.floats(-1e4, 0), min_size=1, max_size=9))
def test_probabilities_sum_to_one_and_keep_the_order(scores: list[float]) -> None:
    shares = probabilities(scores)
    assert math.isclose(sum(shares), 1)
    assert all(0 <= share <= 1 for share in shares)
    assert max(shares) == shares[scores.index(max(scores))]


@given(st.lists(st.floats(-100, 0), min_size=1, max_size=5), st.floats(-1000, 1000))
def test_probabilities_depend_on_differences_only(scores: list[float], shift: float) -> None:
    assert probabilities([score + shift for score in scores]) == pytest.approx(probabilities(scores), abs=1e-9)


@pytest.mark.parametrize("row", [[math.nan, -1.0], [-1.0, math.nan], [-math.inf, -math.inf], [math.inf, 0.0]])
def test_likelihoods_that_are_no_numbers_are_an_error_and_no_label(row: list[float]) -> None:
    with pytest.raises(BackboneError, match=r"are no numbers .*: set backbone\.dtype to float32"):
        probabilities(row)


def test_a_label_that_is_impossible_has_no_share() -> None:
    assert probabilities([-math.inf, -1.0]) == [0.0, 1.0]


@pytest.mark.parametrize("shape", [(0, 7), (1, 7), (9, 7), (2, 5, 7)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_totals_are_sums_over_all_words_whatever_is_added_at_once(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert torch.equal(log_totals(logits), logits.float().logsumexp(dim=-1))
