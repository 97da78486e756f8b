"""The tables that the package ships: their figures are the paper's, and their grids are recipes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from instructerc.errors import UsageError
from instructerc.reproduction.grid import Cell, Request, expand
from instructerc.reproduction.reading import read_table, table_names
from instructerc.reproduction.settings import key_of, setting_of
from instructerc.reproduction.table import Reported, Table

NAMES = ("ablation", "alpha", "full-parameter", "main", "pairing", "plain", "unified", "window", "zero-shot")
SMALL = Request(corpora=("meld", "emorynlp"))
LARGE = Request(backbone="llama2-7b")


def figures(table: Table) -> list[Reported]:
    return [figure for row in table.rows for values in row.reported.values() for figure in values.values()]


def keys(table: str, request: Request = SMALL) -> dict[str, str]:
    """Keys of the settings of a table's cells, by name of the cell without its seed."""
    cells = expand(read_table(table), request)
    return {cell.name.rpartition("-")[0]: key_of(setting_of(cell.resolve())) for cell in cells}


def cell_of(table: str, name: str, request: Request = LARGE) -> Cell:
    return next(cell for cell in expand(read_table(table), request) if cell.name == name)


def test_every_published_table_is_there() -> None:
    assert table_names() == NAMES


@pytest.fixture(scope="session")
def published(shared: Path) -> str:
    """The sections of the published figures."""
    path = shared / "method.md"
    if not path.is_file():
        pytest.skip("the published figures are not among the shared files")
    text = path.read_text(encoding="utf-8")
    sections = re.split(r"^## (\d+)\. ", text, flags=re.MULTILINE)
    return "\n".join(body for number, body in zip(sections[1::2], sections[2::2], strict=True) if number in "5 6 11")


@pytest.mark.parametrize("name", NAMES)
def test_every_reported_figure_is_a_published_one(name: str, published: str) -> None:
    numbers = set(re.findall(r"(?<![\d.])\d*\.\d+", published))
    found = figures(read_table(name))
    assert len(found) >= 9
    assert [figure.text for figure in found if figure.text not in numbers] == []
    deviations = [figure.deviation for figure in found if figure.deviation is not None]
    assert [value for value in deviations if f"{value:.2f}".lstrip("0") not in numbers] == []


def sequences(table: Table) -> list[str]:
    """Figures that stand side by side in the paper: a row's over the corpora, or a corpus' over the axis."""
    rows = [row for row in table.rows if row.name != "emotionic-v6"]  # its first figure is a remark on the other's
    if table.axis is None:
        return [" ".join(figures[""].text for figures in row.reported.values()) for row in rows if row.reported]
    return [" ".join(figure.text for figure in figures.values()) for row in rows for figures in row.reported.values()]


@pytest.mark.parametrize("name", NAMES)
def test_figures_stand_in_the_order_in_which_they_were_published(name: str, published: str) -> None:
    plain = re.sub(r"±\.\d+|\|", "", published).replace(" / ", " ")
    texts = [" ".join(text.split()) for text in (plain, re.sub(r"\([^)]*\)", "", plain))]
    found = sequences(read_table(name))
    assert len(found) >= 3
    assert [figures for figures in found if not any(figures in text for text in texts)] == []


@pytest.mark.parametrize("corpus", ["iemocap", "meld", "emorynlp"])
def test_curves_are_those_of_the_published_table(published: str, corpus: str) -> None:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in published.splitlines() if line[:1] == "|"]
    start = next(number for number, line in enumerate(lines) if line[0].lower() == corpus)
    for line in lines[start : start + 3]:
        for row in read_table("unified").rows:
            if row.name.split("-")[0] == line[1]:
                assert [figure.value for figure in row.reported[corpus].values()] == [float(text) for text in line[2:]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("request_", [SMALL, LARGE], ids=["embedded", "published"])
def test_every_cell_is_a_recipe(name: str, request_: Request) -> None:
    cells = expand(read_table(name), request_)
    assert cells
    for cell in cells:
        recipe = cell.resolve().recipe
        assert recipe.backbone.name == (request_.backbone or "embedded")
        assert recipe.output.folder == cell.folder
        assert recipe.seed == 42


def test_runs_that_are_the_same_have_one_key() -> None:
    ablation, alpha, pairing, unified = keys("ablation"), keys("alpha"), keys("pairing"), keys("unified")
    assert ablation["full-meld"] == alpha["instructerc-meld-0.1"] == pairing["nearest-meld"]
    assert ablation["full-meld"] == keys("main")["instructerc-meld"] == unified["single-meld-1"]
    assert ablation["without-prediction-meld"] == alpha["instructerc-meld-0"]
    assert ablation["without-retrieval-meld"] == pairing["none-meld"]
    assert unified["total-meld+emorynlp-1"] == unified["ratio-meld+emorynlp-1"]
    assert unified["total-meld+emorynlp-1_2"] != unified["ratio-meld+emorynlp-1_2"]
    assert unified["total-meld+emorynlp-1"] != unified["total-published-meld+emorynlp-1"]
    # All weights are trained in the small base, so that there is no adapter to leave out.
    assert ablation["without-lora-meld"] == ablation["full-meld"]
    assert len(set(ablation.values())) == 10


def test_in_the_published_setting_leaving_out_lora_is_another_run() -> None:
    found = keys("ablation", LARGE)
    assert len(set(found.values())) == len(found) == 18
    assert found["full-meld"] == keys("unified", LARGE)["single-meld-1"] == keys("window", LARGE)["instructerc-meld-12"]


def test_the_published_setting_has_the_published_numbers() -> None:
    full = cell_of("ablation", "full-iemocap-42").resolve().recipe
    assert (full.prompt.max_length, full.training.epochs, full.stages[0].epochs) == (1200, 15, 3)
    assert cell_of("ablation", "without-both-meld-42").resolve().recipe.training.epochs == 8
    everything = cell_of("full-parameter", "llama2-meld-42").resolve().recipe
    assert (everything.adapter.method, everything.training.learning_rate) == ("all", 2e-5)
    plain = cell_of("plain", "llama2-iemocap-42").resolve().recipe
    assert (plain.prompt.max_length, plain.training.batch_size) == (300, 16)
    assert cell_of("zero-shot", "llama2-meld-42").resolve().recipe.adapter.method == "none"


def test_the_backbone_chooses_the_row_that_it_was_reported_in() -> None:
    def rows(backbone: str) -> set[str]:
        return {cell.row for cell in expand(read_table("plain"), Request(backbone=backbone))}

    assert rows("llama-7b") == {"llama"}
    assert rows("llama2-7b") == rows("") == rows("qwen3-0.6b") == {"llama2"}


@pytest.mark.parametrize(("table", "key"), [("window", "window.size=3"), ("pairing", "demonstrations.pairing=oracle")])
def test_what_a_table_varies_cannot_be_set_for_all(table: str, key: str) -> None:
    with pytest.raises(UsageError, match=r"is what table .* itself sets in every row"):
        expand(read_table(table), Request(settings=(key,)))
