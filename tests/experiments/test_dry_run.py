"""The dry run counts what a run would meet, and trains nothing."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.memory import MIB
from instructerc.backbones.tokens import PromptEncoder
from instructerc.conversation import SPLITS, Conversation, Utterance
from instructerc.errors import BackboneError, PromptTooLongError
from instructerc.experiments.dry_run import dry_run
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import run_recipe
from instructerc.prompts import PromptSpec
from instructerc.testing import TINY_LABELS, tiny_corpus
from tests.corpora.iemocap import write_release
from tests.experiments.recipes import Log, recipe, values, write_conversations
from tests.tiny_models import tiny_bloom


def test_counts_are_those_of_every_prompt_encoded(llama_folder: Path, corpus_folder: Path, tmp_path: Path) -> None:
    found = dry_run(recipe(tmp_path, values(corpus_folder, llama_folder), "prompt.max_length=32"))
    encoder = PromptEncoder(load_backbone(str(llama_folder), device="cpu").tokenizer, 32)
    spec = PromptSpec(labels=TINY_LABELS, wording="compact")
    for split in SPLITS:
        chats = tiny_corpus().split(split)
        encoded = [encoder.encode(example) for chat in chats for example in spec.labelled_examples(chat)]
        lengths = [len(example.prompt) for example in encoded]
        assert found.splits[split] == {
            "conversations": len(chats),
            "examples": len(encoded),
            "prompt tokens": sum(lengths),
            "tokens in the median prompt": round(statistics.median(lengths)),
            "tokens in the longest prompt": max(lengths),
            "turns dropped because prompts were too long": sum(example.dropped_turns for example in encoded),
            "tokens cut because prompts were too long": 0,
        }
    assert found.splits["train"]["turns dropped because prompts were too long"] > 0


def test_steps_are_those_of_the_run(llama_folder: Path, corpus_folder: Path, tmp_path: Path) -> None:
    resolved = recipe(tmp_path, values(corpus_folder, llama_folder), "training.batch_size=7")
    log = Log()
    run_recipe(resolved, watcher=log)
    assert log.start == (dry_run(resolved).steps, 0)


@pytest.mark.parametrize("batching", ["auto", "padded"])
def test_it_says_how_examples_would_be_read_as_the_run_does(
    llama_folder: Path, corpus_folder: Path, tmp_path: Path, batching: str
) -> None:
    resolved = recipe(tmp_path, values(corpus_folder, llama_folder), f"training.batching={batching}")
    found = dry_run(resolved)
    method = run_recipe(resolved).report.provenance["Method"]
    assert (found.workloads[""].batches, str(found.workloads[""].tokens)) == (method["batches"], method["tokens"])
    for line in found.workloads[""].lines():
        assert line in found.to_text().splitlines()
    assert found.to_json()["stages"][0]["tokens"]["read"] == found.workloads[""].tokens.read


def test_trees_that_the_backbone_does_not_take_are_refused(corpus_folder: Path, tmp_path: Path) -> None:
    given = values(corpus_folder, tiny_bloom(tmp_path / "bloom"))
    with pytest.raises(BackboneError, match="takes no token trees: model type 'bloom'"):
        dry_run(recipe(tmp_path, given, "training.batching=tree"))
    assert (
        dry_run(recipe(tmp_path, given)).workloads[""].batches.startswith("padded batches (batching: auto; model type")
    )


def test_nothing_is_trained_and_nothing_is_written(
    llama_folder: Path, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", refuse)
    dry_run(recipe(tmp_path, values(corpus_folder, llama_folder)))
    assert not (tmp_path / "run").exists()


def test_two_prompts_are_shown_the_second_with_a_history(
    llama_folder: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    found = dry_run(recipe(tmp_path, values(corpus_folder, llama_folder)))
    assert [target for _, target in found.prompts] == ["neutral", "joy"]
    assert found.prompts[1][0].endswith("A: Any news today?\nB: We won the match!\nB feels:")
    text = found.to_text()
    assert "B feels:⟦joy⟧" in text
    assert "optimiser steps 12" in text
    record = json.loads(json.dumps(found.to_json()))
    assert record["prompts"][0]["target"] == "neutral"
    assert record["memory_mib"]["total"] == sum(found.memory.values())


def test_without_a_history_the_first_two_prompts_are_shown(
    llama_folder: Path, corpus_folder: Path, tmp_path: Path
) -> None:
    found = dry_run(recipe(tmp_path, values(corpus_folder, llama_folder), "window.size=0"))
    assert len(found.prompts) == 2


def test_memory_of_the_embedded_backbone_is_that_of_its_parameters(corpus_folder: Path, tmp_path: Path) -> None:
    given = values(corpus_folder, Path("embedded"))
    given["backbone"] = {"name": "embedded"}
    whole = dry_run(recipe(tmp_path, given)).memory
    lora = dry_run(recipe(tmp_path, {**given, "adapter": {"method": "lora"}})).memory
    parameters = sum(p.numel() for p in load_backbone("embedded", device="cpu").model.parameters())
    assert whole["weights"] == pytest.approx(4 * parameters / MIB, abs=2)
    assert lora["weights"] == whole["weights"]
    assert lora["optimiser"] < whole["optimiser"] / 10


def test_a_turn_that_is_too_long_is_found(llama_folder: Path, corpus_folder: Path, tmp_path: Path) -> None:
    long = Conversation("long", (Utterance("Ada", "no, " * 300, "anger"),))
    write_conversations(corpus_folder / "test.jsonl", [*tiny_corpus().test, long])
    with pytest.raises(PromptTooLongError, match="conversation 'long', turn 0"):
        dry_run(recipe(tmp_path, values(corpus_folder, llama_folder)))


def test_the_recipe_for_iemocap_reads_what_its_publisher_hands_out(tmp_path: Path) -> None:
    pytest.importorskip(PACKAGE, reason="the weights of the embedded backbones are not installed")
    release = write_release(tmp_path / "release", validation=True)
    found = dry_run(resolve("turns-iemocap", [f"data.folder={release}", "data.leaks=published"]))
    assert found.labels == ("happy", "sad", "neutral", "angry", "excited", "frustrated")
    assert {split: counts["examples"] for split, counts in found.splits.items()} == {
        "train": 4,
        "validation": 12,
        "test": 1,
    }
    assert "as trees" in "".join(found.workloads[""].lines())
