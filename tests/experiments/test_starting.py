"""Trainings that begin with a model that was trained before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from instructerc.backbones.adapters import PARAMETERS
from instructerc.errors import ArtefactError, AssetError, TrainingError, UsageError
from instructerc.experiments.run import RunResult, run_recipe
from instructerc.experiments.stages import plan_stages
from instructerc.experiments.starting import find_start
from tests.experiments.recipes import recipe, values

NOTHING = "training.learning_rate=1e-30"
"""A training that changes no weight."""


def test_training_begins_with_its_weights(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, finished: RunResult
) -> None:
    given = values(corpus_folder, llama_folder)
    result = run_recipe(recipe(tmp_path, given, NOTHING, "training.epochs=1", f"training.start={finished.folder}"))
    found, expected = (folder / "model" / PARAMETERS for folder in (result.folder, finished.folder))
    assert found.read_bytes() == expected.read_bytes()
    assert result.weighted_f1 == finished.weighted_f1
    assert result.report.provenance["Method"]["begins with"].startswith("model ")
    assert any("Training began with model" in notice for notice in result.report.notices)


def test_only_the_first_stage_begins_with_it(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, finished: RunResult
) -> None:
    stages = '[{"name": "a", "tasks": {"recognition": 1}}, {"name": "b", "tasks": {"recognition": 1}}]'
    resolved = recipe(tmp_path, values(corpus_folder, llama_folder), f"stages={stages}")
    first, second = plan_stages(resolved.recipe, tmp_path, start=finished.folder / "model")
    assert first.start == finished.folder / "model"
    assert second.start == first.folder / "model"


def test_a_resume_meets_the_same_model_wherever_it_lies_now(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, finished: RunResult
) -> None:
    given = values(corpus_folder, llama_folder)
    start = tmp_path / "start"
    shutil.copytree(finished.folder / "model", start)
    result = run_recipe(recipe(tmp_path, given, "training.epochs=1", f"training.start={start}"))
    moved = start.rename(tmp_path / "moved")
    again = run_recipe(recipe(tmp_path, given, "training.epochs=1", f"training.start={moved}"), resume=True)
    assert again.weighted_f1 == result.weighted_f1
    other = result.folder / "model"
    for name in (str(other), "null"):
        resolved = recipe(tmp_path, given, "training.epochs=1", f"training.start={name}")
        with pytest.raises(TrainingError, match=r"training\.start is another model"):
            run_recipe(resolved, resume=True)


def test_what_training_cannot_begin_with_is_said_before_anything_is_written(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, finished: RunResult
) -> None:
    given = values(corpus_folder, llama_folder)

    def refused(*overrides: str) -> str:
        with pytest.raises((UsageError, ArtefactError, AssetError)) as caught:
            run_recipe(recipe(tmp_path, given, *overrides))
        assert not (tmp_path / "run").exists()
        return str(caught.value)

    start = f"training.start={finished.folder}"
    assert "holds no artefact.json" in refused(f"training.start={tmp_path}")
    assert "its backbone is" in refused(start, "backbone.name=embedded", "backbone.dtype=auto")
    text = refused(start, "adapter.method=lora", "training.learning_rate=null")
    assert "it was trained with AdapterSpec(method='all'" in text
    assert "set the keys of adapter" in text


def test_a_model_of_nothing_trained_is_no_start(tmp_path: Path, llama_folder: Path, corpus_folder: Path) -> None:
    given = values(corpus_folder, llama_folder)
    untrained = {**given, "adapter": {"method": "none"}}
    del untrained["training"]
    folder = run_recipe(recipe(tmp_path / "zero", untrained)).folder
    with pytest.raises(UsageError, match="nothing in it was trained"):
        find_start(recipe(tmp_path, given, f"training.start={folder}").recipe)


@pytest.mark.parametrize("reading", ["embedded", "embedded-turns", "embedded-encoder"])
def test_an_embedded_backbone_may_begin_with_what_another_has_learned(
    tmp_path: Path, llama_folder: Path, corpus_folder: Path, reading: str
) -> None:
    given = {**values(corpus_folder, llama_folder), "backbone": {"name": reading}}
    start = find_start(recipe(tmp_path, given, "training.start=embedded").recipe)
    assert start is not None
    assert start.corpus == "meld+emorynlp"
