"""`instructerc recipes` lists, shows and copies what the package ships."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.cli.recipes import complete_recipe
from instructerc.experiments.resolve import find_recipe, recipe_names

RUNNER = CliRunner()


def invoke(*arguments: str, exit_code: int = 0) -> str:
    result = RUNNER.invoke(app, ["recipes", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def test_every_recipe_is_listed_with_what_it_is_for() -> None:
    lines = invoke("ls").splitlines()
    assert [line.split()[0] for line in lines] == list(recipe_names())
    assert all(len(line.split()) > 3 for line in lines)


def test_the_list_is_json_on_request() -> None:
    rows = json.loads(invoke("ls", "--json"))
    assert [row["name"] for row in rows] == list(recipe_names())
    assert {"name", "description", "corpus", "backbone"} == set(rows[0])


def test_show_prints_the_page_as_it_is() -> None:
    assert invoke("show", "quickstart") == find_recipe("quickstart").read_text(encoding="utf-8")
    assert json.loads(invoke("show", "quickstart", "--json"))["name"] == "quickstart"


def test_a_copy_is_made_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = find_recipe("meld").read_text(encoding="utf-8")
    assert invoke("cp", "meld").strip() == "meld.yaml"
    assert invoke("cp", "meld", str(tmp_path / "deep" / "mine.yaml")).strip().endswith("mine.yaml")
    for file in (tmp_path / "meld.yaml", tmp_path / "deep" / "mine.yaml"):
        assert file.read_text(encoding="utf-8") == text


def test_a_copy_replaces_nothing_unasked(tmp_path: Path) -> None:
    file = tmp_path / "meld.yaml"
    file.write_text("mine", encoding="utf-8")
    message = invoke("cp", "meld", str(tmp_path), exit_code=2)
    assert "is there already: choose another name, or replace it with --force" in message
    assert file.read_text(encoding="utf-8") == "mine"
    invoke("cp", "meld", str(tmp_path), "--force")
    assert file.read_text(encoding="utf-8").startswith("# MELD")


def test_an_unknown_recipe_names_the_nearest() -> None:
    assert "did you mean 'quickstart'?" in invoke("show", "quickstrat", exit_code=2)


def test_the_shell_completes_names() -> None:
    assert complete_recipe("qu") == ["quickstart"]
