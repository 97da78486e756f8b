"""Laws of the house that no single module could keep alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import instructerc

PACKAGE = Path(instructerc.__file__).parent

ROOMS = (
    "errors",
    "conversation",
    "labels",
    "assets",
    "corpora",
    "prompts",
    "demonstrations",
    "trees",
    "backbones",
    "recognition",
    "evaluation",
    "training",
    "baselines",
    "reporting",
    "experiments",
    "reproduction",
    "recipes",
    "launch",
    "scale",
    "serving",
    "diagnosis",
    "cli",
    "testing",
)
"""Ground floor first: a room imports only rooms that stand before it (docs/architecture.md)."""

HEAVY = ("torch", "transformers", "pydantic", "numpy")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str | None:
    """The room in a dotted name; None for the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "instructerc" and len(parts) > 1 else None


def imported_rooms(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from instructerc import errors` imports a room too.
            front = node.module == "instructerc"
            names = [f"instructerc.{alias.name}" for alias in node.names] if front else [node.module]
        for name in names:
            room = room_of(name)
            if room is not None and not room.startswith("_"):
                yield node.lineno, room


def test_every_module_stands_in_a_room() -> None:
    rooms = {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in modules()} - {"__init__", "__main__"}
    assert rooms <= set(ROOMS), "name the new room in ROOMS and in docs/architecture.md"


@pytest.mark.parametrize("file", modules(), ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_rooms_that_stand_before_it(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own in ("__init__", "__main__"):
        return  # the front door opens onto every room
    for line, room in imported_rooms(file):
        allowed = ROOMS.index(room) <= ROOMS.index(own)
        assert allowed, f"{file.name}:{line}: {own} imports {room}, which stands above it"


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint('\\nLOADED', *sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, encoding="utf-8")
    return set(ran.stdout.rpartition("LOADED")[2].split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_after("import instructerc").intersection(HEAVY)


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], HEAVY),
        # A command's own help makes its parameters, for which typer loads pydantic.
        (["run", "--help"], ("torch", "transformers", "numpy")),
        (["recipes", "--help"], ("torch", "transformers", "numpy")),
        (["recipes", "show", "quickstart"], ("torch", "transformers", "numpy")),
    ],
    ids=str,
)
def test_help_loads_nothing_heavy(arguments: list[str], heavy: tuple[str, ...]) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['instructerc', *{arguments!r}]\n"
        "from instructerc.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
    )
    assert not loaded_after(code).intersection(heavy)


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {file.parent for file in Path(__file__).parent.rglob("test_*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_files_stay_short() -> None:
    long = [file.name for file in modules() if len(file.read_text(encoding="utf-8").splitlines()) > 500]
    assert not long, "split it: files have about 150 lines, 500 at most"
