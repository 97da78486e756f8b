"""Every benchmark runs, at sizes that say nothing about speed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instructerc.backbones.loading import load_backbone
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.artefact import Artefact, save_artefact
from instructerc.testing import TINY_LABELS, tiny_corpus, tiny_llama

Benchmark = Callable[[str], Any]
Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A trained model as a run leaves it, but for the training."""
    backbone = str(tiny_llama(tmp_path / "llama"))
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=None))
    artefact = Artefact(backbone=backbone, revision=None, adapter=None, prompt=spec, dtype="float32")
    save_artefact(artefact, load_backbone(backbone, dtype="float32", device="cpu"), tmp_path / "run" / "model")
    return tmp_path / "run"


@pytest.fixture
def conversations_file(tmp_path: Path) -> Path:
    path = tmp_path / "chats" / "test.jsonl"
    path.parent.mkdir()
    lines = [json.dumps(conversation.to_json()) + "\n" for conversation in tiny_corpus().test[:2]]
    path.write_text("".join(lines), encoding="utf-8")
    return path.parent


def test_synthetic_conversations_are_as_long_as_asked_and_the_same_every_time(benchmark: Benchmark) -> None:
    made = benchmark("conversations")
    first, second = made.synthetic(2, turns=7, seed=3, speakers=3)
    assert len(first) == len(second) == 7
    assert first != second
    assert first.speakers == ("Ada", "Bo", "Cy")
    assert made.synthetic(1, turns=7, seed=3, speakers=3) == (first,)
    assert made.synthetic(1, turns=7, seed=4, speakers=3) != (first,)
    assert {turn.emotion for turn in first.utterances} <= set(made.labels())
    words = [len(turn.text.split()) for turn in first.utterances]
    assert made.SHORTEST <= min(words) <= max(words) <= made.LONGEST


def test_tokens_are_counted_on_both_sides(rows_of: Rows) -> None:
    rows = rows_of("tree_tokens", "--corpora", "sample", "--conversations", "2", "--synthetic", "1", "--turns", "6")
    assert {(row["corpus"], row["task"]) for row in rows} == {
        (corpus, task) for corpus in ("sample", "synthetic, 6 turns") for task in ("learning", "recognition")
    }
    for row in rows:
        assert row["prompts"] < row["alone"] <= row["padded"]
        assert row["trees"] < row["alone"]
        assert 0 < row["filled"] <= 1


def test_padding_is_counted(benchmark: Benchmark) -> None:
    counting = benchmark("tree_tokens")
    assert counting.padded_tokens([5, 1, 4, 2], 2) == 2 * 5 + 2 * 2
    assert counting.tree_tokens([[(1, 2, 3), (1, 2, 4)], [(1, 2, 3)]], 10) == (7, 0.7)


def test_a_corpus_that_is_not_at_hand_is_left_out(
    benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("INSTRUCTERC_SHARED", raising=False)
    assert benchmark("measuring").corpus_of("meld") is None
    assert "meld: left out" in capsys.readouterr().err


def test_a_command_names_no_place_of_one_machine(benchmark: Benchmark, tmp_path: Path) -> None:
    words = ["--folder", str(tmp_path / "meld"), "--json", "rows.json", "--turns", "6"]
    assert benchmark("measuring").command_line(words).endswith(".py --folder meld --turns 6")


def test_the_benchmark_for_gpus_runs_dry(rows_of: Rows) -> None:
    rows = rows_of("gpu_trees", "--dry", "--sides", "sdpa", "padded")
    assert [row["side"] for row in rows] == ["sdpa", "padded"]
    assert rows[0]["tokens"] < rows[1]["tokens"]


def test_without_a_gpu_that_benchmark_says_so(
    benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert benchmark("gpu_trees").main([]) == 0
    assert "skipped: no GPU here" in capsys.readouterr().out


def test_recognition_names_the_same_emotions_on_all_sides_that_score(
    rows_of: Rows, checkpoint: Path, conversations_file: Path
) -> None:
    sizes = ("--corpus", str(conversations_file), "--rounds", "1", "--float32")
    rows = {row["side"]: row for row in rows_of("recognition_speed", str(checkpoint), *sizes)}
    assert list(rows) == ["tree", "generate", "padded", "alone"]
    assert rows["padded"]["agreement"] == rows["alone"]["agreement"] == 1
    assert 0 <= rows["generate"]["stopped"] <= 1
    assert rows["tree"]["turns"] == 8


@pytest.mark.slow
def test_training_is_measured_on_all_sides(rows_of: Rows) -> None:
    sizes = ("--conversations", "2", "--turns", "4", "--rounds", "1", "--layers", "1", "--width", "64")
    rows = rows_of("training_speed", "--cases", "llama-long", *sizes)
    assert [row["side"] for row in rows] == ["tree", "padded", "sorted"]
    assert {row["examples"] for row in rows} == {8}
    assert all(row["token_ratio"] > 1 and row["memory"] > 0 for row in rows[1:])


@pytest.mark.slow
def test_memory_is_estimated_beside_what_is_measured(rows_of: Rows) -> None:
    sizes = ("--steps", "1", "--layers", "1", "--width", "64")
    (row,) = rows_of("backbone_memory", "--cases", "llama-lora", *sizes)
    parts = (row[part] for part in ("weights", "states", "activations"))
    assert row["estimate"] == pytest.approx(sum(parts), rel=1e-3)
    assert row["ratio"] == pytest.approx(row["estimate"] / row["measured"], rel=1e-3)


@pytest.mark.slow
def test_wordings_are_measured(rows_of: Rows) -> None:
    rows = rows_of("wordings", "--corpora", "sample", "--conversations", "1", "--rounds", "1", "--strides", "4")
    assert [row["wording"] for row in rows] == ["released", "compact-repeated", "compact"]
    assert rows[0]["fewer"] == 1 < rows[1]["fewer"] < rows[2]["fewer"]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("aten::addmm", "linear layers"),
        ("aten::_fused_adamw_", "optimiser"),
        ("aten::_log_softmax", "head's loss"),
        ("aten::gelu", "everything else"),
    ],
)
def test_a_profile_groups_operations(benchmark: Benchmark, operation: str, kind: str) -> None:
    assert benchmark("training_speed").kind_of(operation) == kind
    assert "training_speed" in sys.modules


@pytest.mark.slow
def test_attention_in_float32_is_as_near_to_the_exact_gradient(rows_of: Rows) -> None:
    rows = rows_of("padded_attention", "--sizes", "2", "--rounds", "1")
    assert [row["attention"] for row in rows] == ["sdpa", "sdpa in float32", "eager"]
    assert all(row["milliseconds"] > 0 and 0 < row["difference"] < 0.1 for row in rows)


@pytest.mark.slow
def test_weights_that_are_cast_once_give_the_same_bits(rows_of: Rows) -> None:
    rows = rows_of("settled", "--rounds", "1", "--conversations", "2")
    assert [(row["weights"], row["same"]) for row in rows] == [
        ("cast at every pass", "the same bits"),
        ("cast once", "the same bits"),
    ]
    assert all(row["live"] > 0 and row["speed"] > 0 for row in rows)


@pytest.mark.slow
def test_small_models_are_timed_on_short_and_long_conversations(rows_of: Rows) -> None:
    rows = rows_of("small_speed", "--rounds", "1", "--limit", "2", "--threads", "1", "--models", "shipped")
    assert [(row["conversations"], row["threads"]) for row in rows] == [
        ("MELD, test split", 1),
        ("one of 2,000 turns", 1),
    ]
    assert all(row["speed"] > 0 and row["memory"] > 100 for row in rows)
