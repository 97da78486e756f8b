from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.reproduction.grid import Request
from instructerc.reproduction.lines import Line, lines_of
from instructerc.reproduction.reading import read_figure, read_table
from tests.reproduction.examples import result, small_table

WINDOW = read_table("window")


def line_of(lines: list[Line], row: str, corpus: str = "meld", value: str = "1") -> Line:
    [found] = [line for line in lines if (line.row, line.corpus, line.value) == (row, corpus, value)]
    return found


def test_without_results_every_figure_is_missing(tmp_path: Path) -> None:
    lines = lines_of(small_table(tmp_path), Request(), [])
    assert [(line.corpus, line.row, line.value) for line in lines] == [
        ("meld", "other", "1"),
        *(("meld", row, value) for row in ("single", "mix") for value in ("1", "1/2")),
        *(("emorynlp", row, value) for row in ("single", "mix") for value in ("1", "1/2")),
    ]
    assert all(line.mean is line.deviation is line.interval is line.difference is None for line in lines)
    assert line_of(lines, "other").marks == ("reported only",)
    assert line_of(lines, "single").marks == ()


def test_one_seed_has_its_interval_and_several_have_a_deviation(tmp_path: Path) -> None:
    table = small_table(tmp_path)
    one = line_of(lines_of(table, Request(), [result("single", {"meld": 0.6})]), "single")
    assert one.mean == pytest.approx(60)
    assert one.interval == pytest.approx((50, 70))
    assert one.deviation is None
    assert one.difference == pytest.approx(60 - 69.15)
    seeds = [result("single", {"meld": figure}, seed=seed) for seed, figure in ((2, 0.7), (1, 0.6), (3, 0.8))]
    several = line_of(lines_of(table, Request(), seeds), "single")
    assert several.mean == pytest.approx(70)
    assert several.deviation == pytest.approx(10)
    assert several.interval is None
    assert list(several.figures) == [1, 2, 3]


@given(st.lists(st.floats(0.1, 0.9), min_size=2, max_size=5))
def test_mean_and_deviation_are_those_of_the_seeds(values: list[float]) -> None:
    found = [result("instructerc", {"meld": value}, seed=seed, value="5") for seed, value in enumerate(values)]
    line = line_of(lines_of(WINDOW, Request(), found), "instructerc", value="5")
    assert line.mean == pytest.approx(100 * statistics.mean(values))
    assert line.deviation == pytest.approx(100 * statistics.stdev(values), abs=1e-9)


def test_a_part_of_a_grid_is_a_part_of_the_table(tmp_path: Path) -> None:
    request = Request(rows=("single", "other"), corpora=("meld",), values=("1/2",))
    lines = lines_of(small_table(tmp_path), request, [result("single", {"meld": 0.6}, value="1/2")])
    assert [(line.row, line.corpus, line.value) for line in lines] == [("single", "meld", "1/2")]
    assert lines[0].reported == read_figure("67.54")


def test_a_mixture_is_measured_on_each_of_its_corpora(tmp_path: Path) -> None:
    table = small_table(tmp_path)
    both = result("mix", {"meld": 0.5, "emorynlp": 0.4}, corpora=("meld", "emorynlp"), marks=("leaks: published",))
    alone = result("mix", {"meld": 0.6}, corpora=("meld",))
    for request, figure in ((Request(), 50), (Request(corpora=("meld",)), 60)):
        line = line_of(lines_of(table, request, [alone, both]), "mix")
        assert line.mean == pytest.approx(figure)
        assert line.marks == ("leaks: published",)
    assert line_of(lines_of(table, Request(), [both]), "mix", "emorynlp").mean == pytest.approx(40)
    # Nobody named corpora: what was trained together is what there is.
    assert line_of(lines_of(table, Request(), [alone]), "mix").mean == pytest.approx(60)


def test_seeds_of_different_settings_are_marked(tmp_path: Path) -> None:
    found = [
        result("single", {"meld": 0.5}, seed=seed, setting={"seed": seed, "training.epochs": seed}) for seed in (1, 2)
    ]
    line = line_of(lines_of(small_table(tmp_path), Request(), found), "single")
    assert line.marks == ("seeds of different settings",)


def test_figures_that_the_table_shows_are_means_of_the_seeds(tmp_path: Path) -> None:
    found = [
        result("single", {"meld": 0.5}, seed=seed, facts={"Demonstrations": {"copy rate": rate, "agreement": 1.0}})
        for seed, rate in ((1, 0.2), (2, 0.4))
    ]
    line = line_of(lines_of(small_table(tmp_path), Request(), found), "single")
    assert line.shown == pytest.approx({"copy rate": 0.3})
    assert line.seconds == 600


def test_a_corpus_that_could_not_be_measured_says_why(tmp_path: Path) -> None:
    reason = "nothing measured: no labelled turn in test"
    found = result("mix", {"meld": 0.5}, corpora=("meld", "emorynlp"), unmeasured={"emorynlp": reason})
    lines = lines_of(small_table(tmp_path), Request(), [found])
    missing, there = line_of(lines, "mix", "emorynlp"), line_of(lines, "mix")
    assert (missing.mean, missing.marks) == (None, ("leaks: published", reason))
    assert (there.mean, there.marks) == (50, ("leaks: published",))
