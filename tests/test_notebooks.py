"""The notebooks run from the first cell to the last, are stored without outputs, and name only what exists."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_docs import OF_SENTENCE, unknown

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

if not FOLDER.is_dir():
    pytest.skip("the notebooks are not part of this installation", allow_module_level=True)

# A cell is Python and nothing else, so that a fresh interpreter stands in for Jupyter and its thirty packages.
RUN = """
import json, sys
for hidden in sys.argv[2:]:
    sys.modules[hidden] = None
names = {"__name__": "__main__"}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        print("== cell", cell["id"], flush=True)
        exec(compile("".join(cell["source"]), f"cell {cell['id']}", "exec"), names)
"""


def run(name: str, folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """What each code cell printed, by its id, in a process of its own whose files all go to `folder`."""
    environment = {**os.environ, "MPLBACKEND": "agg", "DISPLAY": "", "TMPDIR": str(folder), "COLUMNS": "120"}
    command = [sys.executable, "-c", RUN, str(FOLDER / name), *without]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    pieces = re.split(r"^== cell (\S+)\n", done.stdout, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(name: str) -> set[str]:
    return {cell["id"] for cell in read(FOLDER / name)["cells"] if cell["cell_type"] == "code"}


def texts(path: Path) -> str:
    """What a page says to people: a notebook without its code."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = read(path)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


@pytest.mark.slow
def test_a_look_at_the_data_runs(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    printed = run("data.ipynb", tmp_path)
    assert printed.keys() == code_cells("data.ipynb")
    assert "turns per conversation" in printed["statistics"]
    assert "Please select the emotional label" in printed["wordings"]
    assert re.search(r"nearest +[\d,]+ +\d", printed["agreement"])


@pytest.mark.slow
def test_a_look_at_the_data_runs_without_a_sentence_encoder(tmp_path: Path) -> None:
    printed = run("data.ipynb", tmp_path, without=("sentence_transformers",))
    assert printed.keys() == code_cells("data.ipynb")
    assert printed["agreement"].startswith("Skipped: ")


@pytest.mark.slow
def test_a_first_conversation_is_recognised_by_the_model_that_ships(tmp_path: Path) -> None:
    printed = run("first_conversation.ipynb", tmp_path)
    assert printed.keys() == code_cells("first_conversation.ipynb")
    assert [line.split()[0] for line in printed["recognize"].splitlines()][3::2] == ["anger", "joy"]
    shares = [int(found) for found in re.findall(r"(\d+) %", printed["recognize"])]
    careful = ast.literal_eval(printed["threshold"])
    # A share that rounds to the threshold itself may lie on either side of it.
    assert [emotion == "uncertain" for emotion, share in zip(careful, shares, strict=True) if share != 60] == [
        share < 60 for share in shares if share != 60
    ]
    assert {line.split()[0] for line in printed["labels"].splitlines()} <= {"satisfied", "neutral", "dissatisfied"}
    assert [line.split()[0] for line in printed["session"].splitlines()[:-1]] == [
        line.split()[0] for line in printed["recognize"].splitlines()
    ]
    assert printed["stream"].startswith("call [")


@pytest.mark.slow
def test_the_demo_trains_recognises_and_measures(tmp_path: Path) -> None:
    printed = run("demo.ipynb", tmp_path)
    assert printed.keys() == code_cells("demo.ipynb")
    assert re.search(r"weighted F1 on test: \d", printed["run"])
    assert "I am furious." in printed["recognise"]
    assert printed["session"].count("Caller ") == 2
    assert "Weighted F1" in printed["scores"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs_in_format_4_5(path: Path) -> None:
    book = read(path)
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert book["metadata"]["kernelspec"] == {"display_name": "Python 3", "language": "python", "name": "python3"}
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in ids)
    for cell in book["cells"]:
        stored = {key: value for key, value in cell.items() if key not in ("id", "source")}
        code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        assert stored in (code, {"cell_type": "markdown", "metadata": {}})


@pytest.mark.parametrize("path", [*NOTEBOOKS, FOLDER / "README.md"], ids=lambda path: path.name)
def test_a_notebook_names_only_files_headings_and_commands_that_exist(path: Path) -> None:
    text = texts(path)
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link
    for command in OF_SENTENCE.findall(text):
        assert unknown(shlex.split(command)[1:]) == [], command


def headings(path: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", texts(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}
