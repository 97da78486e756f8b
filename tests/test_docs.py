"""README and docs/ name only commands, options, files and recipes that exist, and Python that runs."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from instructerc import EmotionRecognizer
from instructerc.cli import app
from instructerc.cli.lazy import LazyGroup
from instructerc.experiments.keys import schema_keys
from instructerc.experiments.resolve import RECIPES, recipe_names
from instructerc.recognition.predictions import TurnPrediction

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *RECIPES.glob("*.yaml")])
# In a block or a recipe's comment a command starts the line, perhaps behind a heading; what stands two blanks behind it
# explains it. In a sentence it stands in backticks.
OF_BLOCK = re.compile(r"^(?:# *)?(?:[A-Z][\w ]*:? {2,}){0,2}(instructerc .+)", re.MULTILINE)
OF_SENTENCE = re.compile(r"`(instructerc [^`]+)`")
BESIDE = re.compile(r"\s{2,}.*|\s#.*")


def commands(page: Path) -> Iterator[str]:
    text = re.sub(r"\s*\\\n\s+", " ", page.read_text(encoding="utf-8"))
    for command in [*OF_BLOCK.findall(text), *OF_SENTENCE.findall(text)]:
        yield BESIDE.sub("", command.replace("\n", " "))


# What malformed_input.md shows is wrong on purpose.
ALL = [(page.name, command) for page in PAGES for command in commands(page) if page.name != "malformed_input.md"]


def unknown(words: list[str]) -> list[str]:
    """The words of a command line that name no command, option, recipe or key."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and re.fullmatch("[a-z]+", words[0]):
        name, *words = words
        if name not in command.commands:
            return [name]
        command = command.load(name) if isinstance(command, LazyGroup) else command.commands[name]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    faults = [word for word in words if word.startswith("--") and word not in options]
    if command.name == "run" and words and re.fullmatch(r"[a-z0-9-]+", words[0]) and words[0] not in recipe_names():
        faults.append(words[0])
    keys = [word.partition("=")[0] for before, word in itertools.pairwise(words) if before == "--set"]
    return faults + [key for key in keys if key not in schema_keys()]


def test_there_are_commands_to_look_at() -> None:
    assert len(ALL) > 40
    assert unknown(["data", "pek"]) == ["pek"]
    assert unknown(["run", "quickstrat", "--dryrun", "--set", "training.epoch=3"]) == [
        "--dryrun",
        "quickstrat",
        "training.epoch",
    ]


@pytest.mark.parametrize(("page", "command"), ALL, ids=[f"{page}-{command}"[:60] for page, command in ALL])
def test_a_command_that_a_page_shows_exists(page: str, command: str) -> None:
    assert unknown(shlex.split(command)[1:]) == [], f"{page}: {command}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".md"], ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_of_the_docs_names_every_page() -> None:
    if not (ROOT / "docs").is_dir():
        pytest.skip("the docs are not part of this installation")
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+\.md)\)", text)) == {page.name for page in (ROOT / "docs").glob("[a-z]*.md")}


def test_the_example_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Stub:
        def recognize(self, conversation: Any) -> list[TurnPrediction]:
            return [
                TurnPrediction(conversation=conversation.id, turn=turn, emotion="anger", speaker=said.speaker)
                for turn, said in enumerate(conversation.utterances)
            ]

    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", lambda folder: Stub())
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert max(map(len, code.splitlines())) <= 88
    exec(code, {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["Ada", "Bo", "Ada"]


@pytest.mark.parametrize(
    "name",
    ["results_table.py", "benchmarks_page.py", "baselines_table.py", "small_models.py", "shipped_card.py"],
)
def test_tables_of_results_are_those_of_the_result_files(name: str) -> None:
    script = ROOT / "scripts" / name
    if not script.is_file():
        pytest.skip("the scripts are not part of the source distribution")
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
