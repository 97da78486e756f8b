"""`instructerc recipes`: the recipes that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    help="List, read and copy the recipes that come with the package.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def complete_recipe(incomplete: str) -> list[str]:
    """Names of shipped recipes that begin with what was typed: for the shell's completion."""
    from instructerc.experiments.resolve import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete)]


Name = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe.", autocompletion=complete_recipe)
]


@app.command("ls")
def list_recipes(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the recipes, one a line, with what each is for."""
    from instructerc.experiments.resolve import recipe_names, resolve

    recipes = {name: resolve(name).recipe for name in recipe_names()}
    if json:
        from json import dumps

        rows = [
            {
                "name": name,
                "description": recipe.description,
                "corpus": None if recipe.data.prompts else recipe.data.corpus,
                "backbone": recipe.endpoint.model or recipe.backbone.name,
            }
            for name, recipe in recipes.items()
        ]
        typer.echo(dumps(rows, indent=2, ensure_ascii=False))
        return
    from instructerc.cli.tables import text_table

    typer.echo(text_table([(name, recipe.description) for name, recipe in recipes.items()]))


@app.command("show")
def show_recipe(name: Name, *, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print a recipe: the documented page, or with --json its values."""
    from instructerc.experiments.resolve import find_recipe, resolve

    if json:
        typer.echo(resolve(name).recipe.model_dump_json(indent=2))
        return
    typer.echo(find_recipe(name).read_text(encoding="utf-8"), nl=False)


@app.command("cp")
def copy_recipe(
    name: Name,
    target: Annotated[
        Path | None, typer.Argument(metavar="TARGET", help="File or folder to copy to; here by default.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Copy a recipe, to change it and run it by its path."""
    from instructerc.assets import write_atomically
    from instructerc.errors import UsageError
    from instructerc.experiments.resolve import find_recipe

    source = find_recipe(name)
    file = Path(source.name) if target is None else target
    if file.is_dir():
        file /= source.name
    if file.exists() and not force:
        raise UsageError(f"{file} is there already: choose another name, or replace it with --force")
    write_atomically(file, source.read_text(encoding="utf-8"))
    typer.echo(str(file))
