"""Writes docs/recipes.md from the schema and the shipped recipes; with --check only says whether it is current."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pages import write_or_check

from instructerc.experiments.keys import Key, schema_keys
from instructerc.experiments.resolve import RECIPES, recipe_names, resolve

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"

HEAD = """\
# Recipes

<!-- Written by scripts/recipes_page.py from the schema and the shipped recipes: change those, then `make docs`. -->

A recipe is a YAML file that says all about one experiment: data, model, training, measurement.

```
instructerc recipes ls                                 what is shipped
instructerc recipes show quickstart                    read one; each is a documented page
instructerc recipes cp quickstart mine.yaml            copy it, to change it
instructerc run mine.yaml --set training.epochs=3      run it; --set replaces a value, the last one wins
instructerc run mine.yaml --explain                    each effective value, and who said so
instructerc run mine.yaml --dry-run                    load, count, show prompts, estimate memory; train nothing
```

- Every key has a default; a recipe says what differs. An empty section means its defaults.
- A key that is unknown, has a wrong value or no effect is an error. All faults come at once, each with file, line, key
  and what would be right.
- Values are YAML 1.2: `1e-4` is a number, `no` is a text. Paths are seen from where the command is launched.
- A run folder keeps the resolved recipe; `instructerc run` takes that file like any other.

*Source* says where a default comes from: `method §n` is section n of [method.md](method.md), which says what the paper
(arXiv 2309.11911) and its released code do, and what we do; a default without a source is ours.

What each experiment of the released scripts is called here stands in [migration.md](migration.md).
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## Shipped recipes\n", *map(_recipe, recipe_names()), "## Keys\n", *_sections()]
    return "\n".join(parts)


def _recipe(name: str) -> str:
    lines = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    comment = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").removeprefix(" "))
    return f"### {name}\n\n{resolve(name).recipe.description}\n\n```\n" + "\n".join(comment) + "\n```\n"


def _sections() -> list[str]:
    keys = schema_keys()
    top = [key for key in keys.values() if "." not in key.path and not key.section]
    tables = [_table("The recipe itself", "", top)]
    for section in (key for key in keys.values() if key.section):
        inside = [key for path, key in keys.items() if path.rpartition(".")[0] == section.path]
        tables.append(_table(f"`{section.path}`", section.description, inside))
    return tables


def _table(title: str, about: str, keys: list[Key]) -> str:
    rows = [f"| `{key.path}` | {_cell(key.takes)} | {_default(key)} | {_meaning(key)} |" for key in keys]
    head = ["| key | takes | default | what it does |", "| --- | --- | --- | --- |"]
    return "\n".join([f"### {title}\n", *([about + "\n"] if about else []), *head, *rows, ""])


def _default(key: Key) -> str:
    if key.required:
        return "must be given"
    return f"`{json.dumps(key.default)}`"


def _meaning(key: Key) -> str:
    notes = [f"unit: {key.unit}"] if key.unit else []
    notes += [f"source: {key.source}"] if key.source else []
    return _cell(key.description + (f" ({'; '.join(notes)})" if notes else ""))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def main(arguments: list[str]) -> int:
    """Writes or checks the page; returns the exit status."""
    return write_or_check(PAGE, page(), arguments, source="the schema")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
