"""Trees or padded batches: who decides, and what is said about it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from instructerc.backbones import batching
from instructerc.backbones.abilities import TreeAbility
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import use_trees
from instructerc.errors import BackboneError, UsageError
from tests.tiny_models import load, tiny_bloom


def test_trees_where_they_are_exact_and_padded_batches_by_hand(llama: Backbone) -> None:
    assert [use_trees(llama, batching) for batching in ("auto", "tree", "padded")] == [True, True, False]


def test_a_misspelt_batching_is_named(llama: Backbone) -> None:
    with pytest.raises(UsageError, match="batching is 'trees': choose one of auto, tree, padded"):
        use_trees(llama, "trees")  # type: ignore[arg-type]


def test_a_backbone_that_takes_no_trees_reads_padded_batches_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backbone = load(tiny_bloom(tmp_path))
    assert not use_trees(backbone, "auto")
    assert not use_trees(backbone, "auto")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("instructerc", logging.WARNING)
    assert record.getMessage() == (
        f"{tmp_path}: model type 'bloom' is not on the list of those known to be exact: "
        "reads padded batches instead of token trees"
    )


def test_the_line_needs_no_set_up_to_be_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Python prints warnings of loggers that nobody has set up; pytest's own handlers stand aside here."""
    backbone = load(tiny_bloom(tmp_path))
    capsys.readouterr()
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        use_trees(backbone, "auto")
    finally:
        root.handlers = handlers
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"{tmp_path}: model type 'bloom'")


def test_padded_by_hand_tries_and_says_nothing(llama: Backbone, caplog: pytest.LogCaptureFixture) -> None:
    assert not use_trees(llama, "padded")
    assert llama.tree_verdict is None
    assert not caplog.records


def test_trees_by_hand_that_cannot_be_are_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BackboneError) as caught:
        use_trees(load(tiny_bloom(tmp_path)), "tree")
    assert str(caught.value) == (
        f"{tmp_path}: takes no token trees: model type 'bloom' is not on the list of those known to be exact: "
        "set batching to auto"
    )
    assert not caplog.records


def test_a_failing_check_is_heeded_and_not_made_again(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    checked: list[Backbone] = []

    def check(backbone: Backbone) -> TreeAbility:
        checked.append(backbone)
        return TreeAbility(able=False, reason="logits differ by 0.31 of the largest, over 0.0001")

    monkeypatch.setattr(batching, "check_trees", check)
    assert not use_trees(llama, "auto")
    assert checked
    checked.clear()
    assert "logits differ by 0.31 of the largest, over 0.0001: reads padded batches" in caplog.text
    with pytest.raises(BackboneError, match=r"takes no token trees: logits differ by 0\.31 of the largest, over"):
        use_trees(llama, "tree")
    assert not checked


def test_blocks_that_fail_the_check_leave_the_masks_of_sdpa(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(backbone: Backbone) -> TreeAbility:
        return TreeAbility(able=backbone.model.config._attn_implementation == "sdpa")

    monkeypatch.setattr(batching, "check_trees", check)
    assert use_trees(llama, "tree")
    assert llama.model.config._attn_implementation == "sdpa"
