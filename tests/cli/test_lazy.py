"""Groups of commands that load nothing before they must."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from instructerc import cli
from instructerc.cli import data
from instructerc.cli.lazy import LazyCommand, lazy_group

HEAVY = (
    "torch",
    "transformers",
    "pydantic",
    "numpy",
    "matplotlib",
    "pyarrow",
    "sklearn",
    "peft",
    "yaml",
    "jinja2",
    "rich",
)


EVERY_COMMAND = [item for group in (cli.COMMANDS, data.COMMANDS) for item in group.items()]


@pytest.mark.parametrize(("name", "lazy"), EVERY_COMMAND)
def test_a_summary_is_what_the_command_says_of_itself(name: str, lazy: LazyCommand) -> None:
    command = lazy.load(name)
    assert command.name == name
    assert command.help.splitlines()[0] == lazy.summary


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["data", "--help"], ["data", "peek", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom instructerc.cli import main\nsys.argv = ['instructerc', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('loaded', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_commands_keep_the_order_of_the_table_and_a_typo_names_the_nearest() -> None:
    runner = CliRunner()
    listed = runner.invoke(cli.app, ["--help"]).output
    assert [listed.index(f"\n  {name} ") for name in cli.COMMANDS] == sorted(
        listed.index(f"\n  {name} ") for name in cli.COMMANDS
    )
    wrong = runner.invoke(cli.app, ["data", "pek"])
    assert wrong.exit_code == 2
    assert "Did you mean 'peek'?" in wrong.output


@pytest.mark.parametrize(
    ("words", "completions"),
    [("instructerc da", ["data"]), ("instructerc data st", ["stats"]), ("instructerc data peek samp", ["sample"])],
)
def test_the_shell_completes_commands_and_corpora(words: str, completions: list[str]) -> None:
    environment = {
        "_INSTRUCTERC_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = CliRunner().invoke(cli.app, [], env=environment, prog_name="instructerc")
    assert done.output.split() == completions


def test_a_function_and_an_app_are_loaded_alike() -> None:
    table = {
        "ls": LazyCommand("instructerc.cli.data.ls:list_corpora", "A function."),
        "data": LazyCommand("instructerc.cli.data:app", "An app."),
    }
    app = typer.Typer(cls=lazy_group(table))
    app.callback()(lambda: None)
    direct = CliRunner().invoke(app, ["ls", "--json"])
    assert direct.exit_code == 0
    assert direct.output == CliRunner().invoke(app, ["data", "ls", "--json"]).output
