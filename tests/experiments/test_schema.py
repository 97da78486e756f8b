"""The schema: frozen, closed, documented, and strict about types."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from instructerc.backbones.adapters import AdapterSpec, Method
from instructerc.backbones.batching import Batching
from instructerc.backbones.loading import Attention, Dtype
from instructerc.baselines import BASELINES
from instructerc.corpora.columns import Columns
from instructerc.experiments.keys import children, nearest_key, schema_keys
from instructerc.experiments.rules import SILENCERS, TRAINING_ONLY
from instructerc.experiments.schema import DataSettings, PromptFiles, Recipe
from instructerc.prompts.speakers import Speakers
from instructerc.prompts.window import Context, Window
from instructerc.prompts.wording import WORDINGS
from instructerc.recognition.recognizer import Mode
from instructerc.training.settings import GroupingName, Keep, LossWeighting, Schedule
from instructerc.training.settings import TrainingSettings as StageSettings


def test_defaults_are_the_published_setting() -> None:
    recipe = Recipe()
    assert (recipe.window.size, recipe.window.stride, recipe.window.context) == (12, 1, "past")
    assert (recipe.adapter.rank, recipe.adapter.alpha, recipe.adapter.dropout) == (16, 16, 0.05)
    training = recipe.training
    assert (training.epochs, training.warmup, training.betas, training.gradient_clip) == (6, 0.1, (0.9, 0.95), 1.0)
    assert (training.schedule, training.weight_decay, recipe.seed) == ("linear", 0.0, 42)


def test_every_key_says_what_it_does() -> None:
    for path, key in schema_keys().items():
        assert len(key.description) >= 10, path
        assert key.description.endswith("."), path
        assert key.takes, path


def test_sections_with_defaults_need_nothing() -> None:
    required = [path for path, key in schema_keys().items() if key.required]
    of_prompts = ["data.prompts.train", "data.prompts.validation", "data.prompts.test"]
    assert required == [*of_prompts, "stages.name", "stages.tasks"]


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize("values", [{"epochs": "6"}, {"epochs": True}, {"epochs": 6.0}, {"warmup": "0.1"}])
def test_types_are_not_guessed(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate({"training": values})


def test_an_empty_section_means_its_defaults() -> None:
    assert Recipe.model_validate({"training": None, "data": None}) == Recipe()


def test_one_prompt_file_serves_all_splits() -> None:
    prompts = DataSettings.model_validate({"prompts": "all.json"}).prompts
    file = Path("all.json")
    assert prompts == PromptFiles(train=file, validation=file, test=file)
    assert prompts is not None
    assert prompts.single


def test_the_home_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert DataSettings.model_validate({"folder": "~/meld"}).folder == tmp_path / "meld"


def test_rules_between_keys_hold_in_python_too() -> None:
    with pytest.raises(ValidationError, match=r"training\.micro_batch: 8 is more than training\.batch_size: 4"):
        Recipe.model_validate({"training": {"batch_size": 4, "micro_batch": 8}})


def test_children_of_the_recipe_are_its_sections() -> None:
    assert children("")[:4] == ("name", "description", "seed", "data")
    assert children("window") == ("size", "stride", "context")


def test_the_schema_offers_what_the_rooms_below_offer() -> None:
    assert set(schema_keys()["prompt.wording"].choices) == set(WORDINGS)
    assert set(schema_keys()["evaluation.baselines"].choices) == set(BASELINES)
    assert set(schema_keys()["window.context"].choices) == set(get_args(Context))
    assert set(schema_keys()["prompt.speakers"].choices) == set(get_args(Speakers))
    assert set(schema_keys()["adapter.method"].choices) == {*get_args(Method), "none"}
    assert set(schema_keys()["recognition.mode"].choices) == set(get_args(Mode))
    assert set(schema_keys()["backbone.dtype"].choices) == set(get_args(Dtype))
    assert set(schema_keys()["training.schedule"].choices) == set(get_args(Schedule))
    assert set(schema_keys()["training.batching"].choices) == set(get_args(Batching))
    assert set(schema_keys()["training.grouping"].choices) == set(get_args(GroupingName))
    assert set(schema_keys()["backbone.attention"].choices) == set(get_args(Attention))
    assert set(schema_keys()["training.loss_weighting"].choices) == set(get_args(LossWeighting))
    assert set(schema_keys()["checkpoints.keep"].choices) == set(get_args(Keep))
    assert set(children("data.columns")) == {field.name for field in fields(Columns)}


def test_defaults_are_those_of_the_rooms_below() -> None:
    recipe = Recipe()
    for field in fields(StageSettings):
        if field.name not in ("learning_rate", "keep", "seed"):
            assert getattr(recipe.training, field.name) == getattr(StageSettings(), field.name), field.name
    for field in fields(AdapterSpec):
        assert getattr(recipe.adapter, field.name) == getattr(AdapterSpec(), field.name), field.name
    for field in fields(Window):
        assert getattr(recipe.window, field.name) == getattr(Window(), field.name), field.name


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("trainign", "training"),
        ("training.lr_schedule", "training.schedule"),
        ("epochs", "training.epochs"),
        ("model.dtype", "backbone.dtype"),
        ("data.columns.speakers", "data.columns.speaker"),
        ("zzz", None),
    ],
)
def test_the_nearest_key_is_found(wrong: str, right: str | None) -> None:
    assert nearest_key(wrong) == right


def test_what_trains_nothing_silences_every_key_that_says_how_to_learn() -> None:
    used_anyway = {"training.batching", "training.precision"}
    assert {f"training.{name}" for name in children("training")} == {*TRAINING_ONLY, *used_anyway}


def test_without_a_pairing_every_other_key_of_demonstrations_is_silenced() -> None:
    (silencer,) = (one for one in SILENCERS if one.key == "demonstrations.pairing")
    others = {f"demonstrations.{name}" for name in children("demonstrations")} - {silencer.key}
    assert set(silencer.silences) == others
