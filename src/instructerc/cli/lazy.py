"""Groups of commands that load a command's module when it is called, not before.

So `--help` and the shell's completion stay fast however many commands there are, and whatever they import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

_OF_PROGRAMS = ("install_completion", "show_completion")


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command that is known by where it stands.

    Attributes:
        target: `module:name` of a function or of a `typer.Typer`.
        summary: Its line in the help of the group; equals the first line of its own help (a test compares them).
    """

    target: str
    summary: str

    def load(self, name: str) -> Any:
        """The command itself, under that name."""
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command(name)(found)
            found = app
        command = typer.main.get_command(found)
        command.name = name
        # An app is a program to Typer, which gives it options to install its completion: only the root is one.
        command.params = [parameter for parameter in command.params if parameter.name not in _OF_PROGRAMS]
        return command


class LazyGroup(TyperGroup):
    """A group whose commands stand in a table; `lazy_group` makes one.

    `get_command` gives stand-ins that know their summary, which is all that a listing needs; `load` gives the command.
    """

    table: ClassVar[Mapping[str, LazyCommand]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, lazy in self.table.items():
            self.commands[name] = TyperCommand(name, short_help=lazy.summary, help=lazy.summary, rich_markup_mode=None)

    def load(self, name: str) -> Any:
        """The command of that name, its module imported."""
        return self.table[name].load(name) if name in self.table else self.commands[name]

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of the group."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            # Typer's own flags default to None; to coerce that, it loads pydantic, which no help page needs.
            if getattr(parameter, "is_bool_flag", False) and parameter.default is None:
                parameter.default = False
        return parameters

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Finds the command that was called, and loads it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else self.load(name), rest


def lazy_group(table: Mapping[str, LazyCommand], base: type[LazyGroup] = LazyGroup) -> type[LazyGroup]:
    """A group class over a table of commands, in its order.

    Args:
        table: The commands by name.
        base: What the class derives from.

    Returns:
        The class, for `typer.Typer(cls=…)`.
    """
    return type("LazyGroup", (base,), {"table": table})
