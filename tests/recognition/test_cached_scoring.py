"""Scoring on the keys and values of the prompt before gives what reading every prompt and label alone gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.rows import block_mask, boolean_mask
from instructerc.prompts import Window
from instructerc.recognition.cached_scoring import CachedScoring
from instructerc.recognition.scoring import PaddedScoring
from instructerc.testing import TINY_LABELS
from instructerc.trees import TokenTree
from tests.recognition.scores import PREFIXES, assert_equal, encode
from tests.tiny_models import FAMILIES, load, log_likelihoods_alone, tiny_family, tiny_mistral


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_each_answer_read_alone(family: str, tmp_path: Path) -> None:
    backbone = load(tiny_family(family, tmp_path))
    examples = encode(backbone, PREFIXES)
    expected = [log_likelihoods_alone(backbone, example) for example in examples]
    assert_equal(CachedScoring().score(backbone, examples), expected)


@pytest.mark.parametrize("family", ["llama", "mistral, sliding", "gemma3, mixed"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_any_attention_that_takes_a_mask_scores_the_same(family: str, attention: str, tmp_path: Path) -> None:
    backbone = load(tiny_family(family, tmp_path))
    examples = encode(backbone)[:6]
    expected = [log_likelihoods_alone(backbone, example) for example in examples]
    backbone.model.set_attn_implementation(attention)
    assert_equal(CachedScoring().score(backbone, examples), expected)


@pytest.mark.parametrize("past", [0, 3, 200])
@pytest.mark.parametrize("window", [None, 2, 100])
def test_flex_attention_sees_what_the_others_see(past: int, window: int | None) -> None:
    cached = [3] * past
    tree = TokenTree.from_sequences([[*cached, *fresh] for fresh in ([5, 6, 7, 8], [5, 6, 9], [5, 6, 9, 4, 4])])
    expected = boolean_mask(tree, window, past=past)
    sees = block_mask(tree, window, torch.device("cpu"), past=past).mask_mod
    zero = torch.tensor(0)
    found = sees(zero, zero, torch.arange(len(tree) - past)[:, None], torch.arange(len(tree))[None, :])
    assert torch.equal(found, expected[0, 0])


@pytest.mark.parametrize("wording", ["released", "paper", "compact", "plain"])
def test_prompts_may_come_in_any_order(llama: Backbone, wording: str) -> None:
    examples = encode(llama, wording=wording, window=Window(size=2))
    order = [5, 0, 11, 11, 3, 2, 2, 10, 1, 0]
    expected = [log_likelihoods_alone(llama, example) for example in examples]
    found = CachedScoring().score(llama, [examples[number] for number in order])
    assert_equal(found, [expected[number] for number in order])


def test_the_same_prompt_again_reads_its_last_token_only(llama: Backbone) -> None:
    (example, *_) = encode(llama)
    scoring = CachedScoring()
    first = scoring.score(llama, [example])
    assert scoring.kept_tokens(example) == len(example.prompt) - 1
    assert_equal(scoring.score(llama, [example]), first)


def test_a_prompt_that_is_the_beginning_of_the_one_before(llama: Backbone) -> None:
    example = encode(llama)[3]
    beginning = replace(example, prompt=example.prompt[:-5])
    found = CachedScoring().score(llama, [example, beginning, example])
    assert_equal(found, [log_likelihoods_alone(llama, item) for item in (example, beginning, example)])


def test_other_labels_may_follow(llama: Backbone) -> None:
    both = [*encode(llama)[:4], *encode(llama, PREFIXES)[:4]]
    assert_equal(CachedScoring().score(llama, both), [log_likelihoods_alone(llama, example) for example in both])


def test_one_label_of_one_token_is_enough(llama: Backbone) -> None:
    examples = [replace(example, answers=((7,),)) for example in encode(llama)[:3]]
    assert_equal(CachedScoring().score(llama, examples), [log_likelihoods_alone(llama, item) for item in examples])


def test_an_adapter_is_looked_through(llama: Backbone) -> None:
    attach(llama, AdapterSpec(method="lora", rank=2))
    with torch.no_grad():
        for name, parameter in llama.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(0))
    llama.model.eval()
    examples = encode(llama)
    assert_equal(
        CachedScoring().score(llama, examples), [log_likelihoods_alone(llama, example) for example in examples]
    )


@pytest.mark.parametrize("labels", [TINY_LABELS, PREFIXES], ids=["labels", "labels that begin with one another"])
def test_the_embedded_backbone_scores_the_same(labels: tuple[str, ...]) -> None:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    backbone = load_backbone("embedded", precision="float32", device="cpu")
    examples = encode(backbone, labels, wording="released")
    assert_equal(CachedScoring().score(backbone, examples), PaddedScoring().score(backbone, examples))


@pytest.mark.parametrize("family", ["llama", "mistral, sliding", "gemma3, mixed"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
def test_bfloat16_is_as_near_as_bfloat16_gets(family: str, attention: str, weights: Any, tmp_path: Path) -> None:
    folder = tiny_family(family, tmp_path)
    exact = load(folder)
    backbone = load_backbone(str(folder), dtype=weights, precision="bf16", device="cpu")
    assert backbone.autocast == (weights == "float32")
    backbone.model.set_attn_implementation(attention)
    examples = encode(backbone)
    expected = [log_likelihoods_alone(exact, example) for example in examples]
    for found, right in zip(CachedScoring().score(backbone, examples), expected, strict=True):
        assert found == pytest.approx(right, rel=0.05, abs=0.3)


def test_a_layer_with_a_window_forgets_nothing(tmp_path: Path) -> None:
    backbone = load(tiny_mistral(tmp_path, window=4))
    scoring = CachedScoring()
    examples = encode(backbone)
    scoring.score(backbone, examples[:4])
    assert scoring.held_tokens == len(examples[3].prompt) > 4
    assert {layer.keys.shape[-2] for layer in scoring._held.cache.layers} == {scoring.held_tokens}  # type: ignore[union-attr]


def test_labels_do_not_stay_in_memory(llama: Backbone) -> None:
    scoring = CachedScoring()
    for example in encode(llama, PREFIXES):
        scoring.score(llama, [example])
        assert scoring._held is not None
        assert scoring._held.cache.get_seq_length() == scoring.held_tokens == len(example.prompt)
    scoring.release()
    assert scoring.held_tokens == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
def test_what_breaks_a_pass_off_leaves_no_half_written_cache(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    examples = encode(llama)
    scoring = CachedScoring()
    scoring.score(llama, examples[:2])
    layer = llama.model.model.layers[1]

    def broken(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(layer, "forward", broken)
        with pytest.raises(error):
            scoring.score(llama, examples[2:3])
    assert scoring.held_tokens == 0
    assert_equal(scoring.score(llama, examples[2:3]), [log_likelihoods_alone(llama, examples[2])])


def test_progress_counts_every_example_once(llama: Backbone) -> None:
    told: list[int] = []
    CachedScoring().score(llama, encode(llama), progress=told.append)
    assert told == [1] * 12
