from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.errors import RecipeError, UnknownNameError
from instructerc.reproduction.reading import read_figure, read_table
from tests.reproduction.examples import TABLE, small_table


def test_a_file_says_what_the_table_is(tmp_path: Path) -> None:
    table = small_table(tmp_path)
    assert (table.name, table.title, table.source, table.runs) == ("small", "Small", "Table 1", 3)
    assert table.corpora == {"meld": "meld", "emorynlp": "emorynlp"}
    assert table.values == ("1", "1/2")
    other, single, mix = table.rows
    assert (other.overrides, single.overrides, mix.mixture) == (None, {}, True)
    assert other.reported["meld"].keys() == {"1"}
    assert str(other.reported["meld"]["1"]) == "38.6"
    assert single.reported["meld"]["1"].deviation == 0.08
    assert single.title == "single"


def test_corpora_may_be_paths(tmp_path: Path) -> None:
    text = "corpora: {mine: chats/, meld: meld}\nrows: [{name: a, overrides: {}}]\n"
    table = small_table(tmp_path, text)
    assert table.corpora == {"mine": "chats/", "meld": "meld"}
    assert table.values == ("",)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("titel: x", "titel: unknown key: did you mean 'title'?"),
        ("runs: many", "runs: 'many' is wrong: takes a whole number >= 1, or null"),
        ("title: 3", "title: 3 is no text: quote it"),
        ("settings: fast", "settings: 'fast' is no mapping: write keys of a recipe"),
        ("shows: agreement", "shows: 'agreement' is no list"),
        ("axis: fast", "axis: takes the keys title, scale and values"),
        ("axis: {values: {a: {}}, scale: square}", "axis.scale: 'square' is wrong: choose one of linear, log"),
    ],
)
def test_a_fault_of_the_table_is_named(tmp_path: Path, line: str, fault: str) -> None:
    text = f"corpora: [meld]\nrows: [{{name: a, overrides: {{}}}}]\n{line}\n"
    with pytest.raises(RecipeError) as caught:
        small_table(tmp_path, text)
    assert f"{tmp_path / 'small.yaml'}: {fault}" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("{overrides: {}}", "rows[1].name: None is wrong"),
        ("7", "rows[1]: 7 is no mapping: begin with `name: …`"),
        ("{name: a, report: {}}", "rows[1].report: unknown key: did you mean 'reported'?"),
        ("{name: a, overrides: 3}", "row a: overrides: 3 is no mapping"),
        ("{name: a, at: {'2': {}}}", "row a: at: '2' is no value of the axis: there is none"),
        ("{name: a, at: 2}", "row a: at: takes a mapping"),
        ("{name: a, mixture: 3}", "row a: mixture: 3 is wrong: takes true or false"),
        ("{name: a, reported: 3}", "row a: reported: takes a mapping of corpora to figures"),
        ("{name: a, reported: {mled: 3}}", "row a: reported: 'mled' is no corpus of the table: choose one of meld"),
        ("{name: a, reported: {meld: [1, 2]}}", "row a: reported.meld: 2 figures for 1 values of the axis"),
        ("{name: a, reported: {meld: high}}", "row a: reported.meld: 'high' is no figure: write 71.39"),
        ("{name: a, marks: x}", "row a: marks: 'x' is no list"),
    ],
)
def test_a_fault_of_a_row_is_named(tmp_path: Path, row: str, fault: str) -> None:
    with pytest.raises(RecipeError) as caught:
        small_table(tmp_path, f"corpora: [meld]\nrows: [{row}]\n")
    assert fault in str(caught.value)


def test_every_fault_is_listed(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        small_table(tmp_path, "corpora: 3\nrows: [{name: a}, {name: a}]\nruns: 0\n")
    assert len(caught.value.violations) == 3
    assert "rows: the name 'a' stands twice" in str(caught.value)
    with pytest.raises(RecipeError, match="rows: is empty"):
        small_table(tmp_path, "corpora: [meld]\n")


def test_an_unknown_table_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ablation'"):
        read_table("abltion")


def test_a_table_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_table(str(tmp_path / "none.yaml"))
    with pytest.raises(RecipeError, match=r"the tag .* is refused"):
        small_table(tmp_path, TABLE + "x: !!python/name:os.system\n")


@given(st.integers(0, 10000), st.integers(0, 99))
def test_a_figure_is_read_as_it_is_printed(hundredths: int, deviation: int) -> None:
    text = f"{hundredths / 100:.2f}"
    alone, beside = read_figure(text), read_figure(f"{text} ± .{deviation:02d}")
    assert alone is not None
    assert beside is not None
    assert (alone.value, str(alone), alone.deviation) == (float(text), text, None)
    assert (beside.value, beside.deviation) == (float(text), deviation / 100)


@pytest.mark.parametrize("given", [True, None, "", "-3", "100.5", "1e1", "7 +- 1", [1]])
def test_what_is_no_figure_is_none(given: object) -> None:
    assert read_figure(given) is None


def test_names_end_with_their_line(tmp_path: Path) -> None:
    text = 'corpora: {"c\\n": meld}\nrows: [{name: "a\\n", overrides: {}}]\n'
    with pytest.raises(RecipeError) as caught:
        small_table(tmp_path, text)
    assert r"corpora: 'c\n' is wrong" in str(caught.value)
    assert r"rows[1].name: 'a\n' is wrong" in str(caught.value)
