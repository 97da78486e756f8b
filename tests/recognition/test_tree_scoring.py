"""Scoring by token trees gives what reading every prompt and label alone gives."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.recognition import tree_scoring
from instructerc.recognition.scoring import PaddedScoring
from instructerc.recognition.tree_scoring import TreeScoring
from instructerc.testing import TINY_LABELS, tiny_llama
from instructerc.trees import Row
from tests.recognition.scores import PREFIXES, assert_equal, encode
from tests.tiny_models import FAMILIES, load, log_likelihoods_alone, tiny_family


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("labels", [TINY_LABELS, PREFIXES], ids=["labels", "labels that begin with one another"])
def test_scores_are_those_of_each_answer_read_alone(family: str, labels: tuple[str, ...], tmp_path: Path) -> None:
    backbone = load(tiny_family(family, tmp_path))
    examples = encode(backbone, labels)
    expected = [log_likelihoods_alone(backbone, example) for example in examples]
    assert_equal(TreeScoring().score(backbone, examples), expected)


@pytest.mark.parametrize("budget", [1, 40, 100_000])
def test_the_budget_of_a_row_changes_no_score(budget: int, tmp_path: Path) -> None:
    backbone = load(tiny_llama(tmp_path))
    examples = encode(backbone)
    assert_equal(TreeScoring(budget=budget).score(backbone, examples), PaddedScoring().score(backbone, examples))


def test_progress_counts_every_example_once(tmp_path: Path) -> None:
    backbone = load(tiny_llama(tmp_path))
    examples = encode(backbone)
    told: list[int] = []
    TreeScoring(budget=30).score(backbone, examples, progress=told.append)
    assert sum(told) == len(examples)


@pytest.mark.slow
def test_a_row_is_let_go_once_it_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths of all rows take as much as every prompt once a label: nobody reads them again."""
    held: list[weakref.ref[Any]] = []
    score_row = tree_scoring._score_row

    def watched(backbone: Backbone, row: Row, answers: Sequence[Sequence[int]]) -> list[float]:
        gc.collect()
        assert [array() for array in held] == [None] * len(held)
        held.extend(weakref.ref(array) for array in (row.tokens, *row.paths))
        return score_row(backbone, row, answers)

    monkeypatch.setattr(tree_scoring, "_score_row", watched)
    backbone = load(tiny_llama(tmp_path))
    TreeScoring(budget=30).score(backbone, encode(backbone))
    assert len(held) > 2


def test_the_embedded_backbone_scores_the_same_both_ways() -> None:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    backbone = load_backbone("embedded", precision="float32", device="cpu")
    examples = encode(backbone)
    assert_equal(TreeScoring().score(backbone, examples), PaddedScoring().score(backbone, examples))


def test_eager_attention_gets_an_additive_mask(tmp_path: Path) -> None:
    backbone = load(tiny_llama(tmp_path))
    examples = encode(backbone)
    expected = TreeScoring().score(backbone, examples)
    backbone.model.set_attn_implementation("eager")
    assert_equal(TreeScoring().score(backbone, examples), expected)
