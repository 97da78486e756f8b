from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from instructerc.errors import UnknownNameError, UsageError
from instructerc.experiments.documents import read_value
from instructerc.experiments.resolve import resolve
from instructerc.reproduction.grid import Request, expand
from instructerc.reproduction.reading import read_table
from instructerc.reproduction.settings import key_of, setting_of
from tests.reproduction.examples import TABLE, small_table

UNIFIED = read_table("unified")


def some(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), unique=True).map(tuple)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    return Request(
        rows=draw(some(tuple(row.name for row in UNIFIED.rows))),
        corpora=draw(some(tuple(UNIFIED.corpora))),
        values=draw(some(UNIFIED.values)),
        seeds=tuple(draw(st.lists(st.integers(0, 9), unique=True, min_size=1, max_size=3))),
    )


@settings(max_examples=30)
@given(requests())
def test_a_grid_has_no_cell_twice_and_is_always_the_same(request: Request) -> None:
    cells = expand(UNIFIED, request)
    assert cells == expand(UNIFIED, request)
    assert len({cell.name for cell in cells}) == len({cell.folder for cell in cells}) == len(cells)


@settings(max_examples=30)
@given(requests())
def test_a_part_of_a_grid_is_what_the_whole_has_there(request: Request) -> None:
    whole = expand(UNIFIED, replace(request, rows=(), values=()))
    part = [
        cell
        for cell in whole
        if (not request.rows or cell.row in request.rows) and (not request.values or cell.value in request.values)
    ]
    assert expand(UNIFIED, request) == part
    assert {cell.seed for cell in whole} == set(request.seeds)
    assert {corpus for cell in whole for corpus in cell.corpora} == set(request.corpora or UNIFIED.corpora)


@settings(max_examples=30)
@given(requests())
def test_a_mixture_is_one_training_and_a_single_row_one_a_corpus(request: Request) -> None:
    corpora = len(request.corpora or UNIFIED.corpora)
    points = len(request.values or UNIFIED.values) * len(request.seeds)
    rows = [row for row in UNIFIED.rows if not request.rows or row.name in request.rows]
    assert len(expand(UNIFIED, request)) == sum(points * (1 if row.mixture else corpora) for row in rows)


def test_the_command_line_of_a_cell_is_the_cell() -> None:
    for cell in expand(UNIFIED, Request(corpora=("meld", "emorynlp"), data=Path("/da ta"), values=("1/4",))):
        words = cell.command()
        assert words[:3] == ["instructerc", "run", "meld"]
        given_texts = [text for option, text in itertools.pairwise(words) if option == "--set"]
        again = resolve(words[2], given_texts)
        assert key_of(setting_of(again)) == key_of(setting_of(cell.resolve()))
        assert words[-3:] == ["--out", str(cell.folder), "--resume"]


def test_the_row_beats_the_command_line_which_beats_the_table(tmp_path: Path) -> None:
    text = TABLE.replace("- name: single\n    overrides: {}", "- name: single\n    overrides: {window.size: 3}")
    table = small_table(tmp_path, text)
    [single] = expand(
        table,
        Request(
            rows=("single",),
            corpora=("meld",),
            values=("1/2",),
            settings=("training.epochs=2", "window.stride=2"),
            seeds=(7,),
        ),
    )
    recipe = single.resolve().recipe
    assert (recipe.training.epochs, recipe.window.size, recipe.window.stride) == (2, 3, 2)
    assert (recipe.data.fraction, recipe.seed) == (0.5, 7)
    [plain] = expand(table, Request(rows=("single",), corpora=("meld",), values=("1",)))
    assert plain.resolve().recipe.training.epochs == 1


def test_published_numbers_hold_in_the_published_base_only(tmp_path: Path) -> None:
    table = small_table(tmp_path)

    def epochs(**wish: str) -> set[int]:
        return {cell.resolve().recipe.training.epochs for cell in expand(table, Request(**wish))}  # type: ignore[arg-type]

    assert epochs(backbone="llama2-7b") == {15}
    assert epochs(backbone="embedded") == epochs() == {1}
    assert epochs(backbone="llama2-7b", recipe="meld") == {1}


def test_a_recipe_keeps_its_backbone_unless_another_is_named(tmp_path: Path) -> None:
    table = small_table(tmp_path)
    own, other = (
        expand(table, Request(recipe="llama2-7b-meld", backbone=name))[0].resolve().recipe.backbone.name
        for name in ("", "qwen3-0.6b")
    )
    assert (own, other) == ("llama2-7b", "qwen3-0.6b")


def test_folders_of_corpora_stand_in_the_folder_of_data(tmp_path: Path) -> None:
    cells = {cell.row: cell for cell in expand(small_table(tmp_path), Request(data=tmp_path, values=("1",)))}
    assert cells["single"].overrides["data.folder"] == str(tmp_path / "emorynlp")
    assert cells["mix"].overrides["data.folder"] == str(tmp_path)


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        (Request(rows=("singel",)), "row of table small 'singel': did you mean 'single'"),
        (Request(corpora=("mled",)), "corpus of table small 'mled': did you mean 'meld'"),
        (Request(values=("1/3",)), "value of table small '1/3'"),
    ],
)
def test_unknown_parts_are_named(tmp_path: Path, wish: Request, kind: str) -> None:
    with pytest.raises(UnknownNameError, match=kind):
        expand(small_table(tmp_path), wish)


def test_settings_that_have_options_are_refused(tmp_path: Path) -> None:
    for text in ("seed=3", "output.folder=x", "data.corpus=meld", "data.folder=x"):
        with pytest.raises(UsageError, match="has options of its own here"):
            expand(small_table(tmp_path), Request(settings=(text,)))
    with pytest.raises(UsageError, match="is no KEY=VALUE"):
        expand(small_table(tmp_path), Request(settings=("epochs",)))


def test_a_table_without_axis_takes_no_values() -> None:
    with pytest.raises(UsageError, match="varies nothing beside its rows: remove --values 1/4"):
        expand(read_table("ablation"), Request(values=("1/4",)))


@pytest.mark.parametrize(
    ("text", "both", "name"),
    [
        (
            "corpora: [meld]\naxis: {values: {1/2: {}, 1_2: {}}}\nrows: [{name: a, overrides: {}}]\n",
            "row a on meld at 1/2 and row a on meld at 1_2",
            "a-meld-1_2",
        ),
        (
            "corpora: [x-meld, meld]\nrows: [{name: full, overrides: {}}, {name: full-x, overrides: {}}]\n",
            "row full on x-meld and row full-x on meld",
            "full-x-meld",
        ),
    ],
)
@pytest.mark.parametrize("part", [{}, {"corpora": ("meld",)}])
def test_cells_of_one_name_are_refused(
    tmp_path: Path, text: str, both: str, name: str, part: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(UsageError, match=f"table small: {both} are both called {name}: rename one"):
        expand(small_table(tmp_path, text), Request(**part))  # type: ignore[arg-type]


def test_rows_that_are_reported_only_have_no_cells_to_name(tmp_path: Path) -> None:
    text = "corpora: {x-meld: sample, meld: meld}\nrows: [{name: full, overrides: {}}, {name: full-x}]\n"
    assert [cell.name for cell in expand(small_table(tmp_path, text), Request())] == ["full-x-meld-42", "full-meld-42"]


def test_a_seed_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seeds 1, 2, 1: one stands twice"):
        expand(small_table(tmp_path), Request(seeds=(1, 2, 1)))


@pytest.mark.parametrize("given", ["[meld, emorynlp]", "[]"])
def test_a_row_that_sets_another_number_of_corpora_is_refused(tmp_path: Path, given: str) -> None:
    text = f"corpora: [meld]\nrows: [{{name: a, overrides: {{data.corpus: {given}}}}}]\n"
    with pytest.raises(UsageError, match=r"row a sets data.corpus to [02] for meld: name 1, or leave it out"):
        expand(small_table(tmp_path, text), Request())


@given(st.text("ab\n./-_$ \r", min_size=1))
@example("released\n")
def test_a_text_among_the_overrides_is_read_back_as_it_was(text: str) -> None:
    [cell] = expand(read_table("main"), Request(corpora=("meld",), rows=("instructerc",)))
    [written] = replace(cell, overrides={"data.unify": text}).texts
    assert read_value(written.partition("=")[2]) == text
