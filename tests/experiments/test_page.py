"""The pages of docs/ name what exists, and docs/recipes.md is what the schema and the shipped recipes say."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from instructerc.backbones.presets import PRESETS
from instructerc.corpora.catalog import SOURCES
from instructerc.experiments.keys import children, schema_keys
from instructerc.experiments.resolve import recipe_names, resolve

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "recipes_page.py"


def test_the_page_of_recipes_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    if not SCRIPT.is_file():
        pytest.skip("the scripts are not part of the source distribution")
    monkeypatch.syspath_prepend(SCRIPT.parent)
    module = importlib.import_module("recipes_page")
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run `make docs`"


@pytest.mark.parametrize("page", ["migration.md", "data.md"])
def test_a_page_names_only_keys_that_exist(page: str) -> None:
    file = ROOT / "docs" / page
    if not file.is_file():
        pytest.skip("the docs are not part of this installation")
    sections = "|".join(name for name in children("") if schema_keys()[name].section)
    named = re.findall(rf"`(?:instructerc run \S+ --set )?((?:{sections})\.[a-z_.]+)", file.read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if path not in schema_keys()] == []


def test_the_migration_page_names_only_corpora_and_backbones_that_exist() -> None:
    file = ROOT / "docs" / "migration.md"
    if not file.is_file():
        pytest.skip("the docs are not part of this installation")
    text = file.read_text(encoding="utf-8")
    assert set(re.findall(r"`data\.corpus: ([a-z0-9-]+)`", text)) <= set(SOURCES)
    assert set(re.findall(r"`backbone\.name: ([a-z0-9.-]+)`", text)) <= set(PRESETS)


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_names_only_backbones_and_corpora_that_exist(name: str) -> None:
    recipe = resolve(name).recipe
    assert recipe.backbone.name in PRESETS
    corpora = (recipe.data.corpus,) if isinstance(recipe.data.corpus, str) else recipe.data.corpus
    assert set(corpora) <= set(SOURCES) or name == "own-data"
