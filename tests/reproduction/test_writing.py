from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import matplotlib.image
import pytest

from instructerc.reproduction.differences import published_differences, setting_sentences
from instructerc.reproduction.grid import Request, expand
from instructerc.reproduction.lines import lines_of
from instructerc.reproduction.plots import axis_png
from instructerc.reproduction.reading import read_table
from instructerc.reproduction.results import CellResult
from instructerc.reproduction.settings import setting_of
from instructerc.reproduction.table import Table
from instructerc.reproduction.writing import Comparison, compared, to_csv, to_markdown, write_comparison
from tests.reproduction.examples import result, small_table


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    table = small_table(tmp_path)
    found = [
        *(result("single", {"meld": figure}, seed=seed) for seed, figure in ((1, 0.6), (2, 0.62))),
        result("single", {"meld": 0.5}, value="1/2", facts={"Demonstrations": {"copy rate": 0.25}}),
        result("mix", {"meld": 0.3, "emorynlp": 0.2}, corpora=("meld", "emorynlp")),
    ]
    return compared(table, Request(), found)


def section(text: str, heading: str) -> dict[tuple[str, str], list[str]]:
    """Cells of a corpus' table by title and value."""
    lines = text.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    return {(row[0], row[1]): row for row in rows[2:]}


def test_markdown_puts_both_beside_each_other(comparison: Comparison) -> None:
    text = to_markdown(comparison)
    meld = section(text, "meld")
    assert meld["single", "1"] == [
        *("single", "1", "69.15 ± 0.08", "61.00 ± 1.41", "-8.15", "2", "—", "10 min", ""),
    ]
    assert meld["single", "1/2"][3:7] == ["50.00 (40.00 to 60.00)", "-17.54", "1", "25.0 %"]
    assert meld["Other system", "1"][2:6] == ["38.6", "—", "—", "—"]
    assert meld["mix", "1"][2:] == ["—", "30.00 (20.00 to 40.00)", "—", "1", "—", "10 min", "leaks: published"]
    assert section(text, "emorynlp")["single", "1"][3] == "—"
    assert "Figures that are missing (—): 4." in text
    assert "![Small](small.png)" in text
    assert text.endswith("\nA note.\n")


def test_csv_has_a_line_for_each_figure(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert len(rows) == len(comparison.lines) == 9
    single = next(row for row in rows if (row["row"], row["corpus"], row["value"]) == ("single", "meld", "1"))
    assert (single["reported"], single["reported deviation"], single["reproduced"]) == ("69.15", "0.08", "61.00")
    assert (single["deviation"], single["low"], single["seeds"], single["seconds"]) == ("1.41", "", "2", "600.0")
    missing = next(row for row in rows if row["corpus"] == "emorynlp" and row["row"] == "single")
    assert (missing["reproduced"], missing["difference"], missing["seeds"]) == ("", "", "0")


def test_json_holds_what_markdown_shows(comparison: Comparison) -> None:
    record = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert (record["format"], record["table"], record["source"]) == (1, "small", "Table 1")
    line = next(line for line in record["lines"] if line["row"] == "single" and line["value"] == "1")
    assert line["seeds"] == pytest.approx({"1": 60, "2": 62})
    assert line["difference"] == pytest.approx(61 - 69.15)
    assert [line["reported only"] for line in record["lines"]].count(True) == 1


def test_files_are_written(comparison: Comparison, tmp_path: Path) -> None:
    files = write_comparison(comparison, tmp_path / "out")
    assert [path.name for path in files] == ["small.md", "small.json", "small.csv", "small.png"]
    image = matplotlib.image.imread(io.BytesIO(files[-1].read_bytes()), format="png")
    assert image.shape[0] > 300


@pytest.mark.parametrize(("name", "done"), [("unified", 2), ("window", 1), ("alpha", 0)])
def test_tables_with_an_axis_are_drawn_however_much_was_run(name: str, done: int) -> None:
    table = read_table(name)
    row = table.rows[0]
    corpora = tuple(table.corpora) if row.mixture else ("meld",)
    found = [
        result(row.name, dict.fromkeys(corpora, 0.5), value=value, corpora=corpora) for value in table.values[:done]
    ]
    image = axis_png(table, lines_of(table, Request(), found))
    assert matplotlib.image.imread(io.BytesIO(image), format="png").shape[0] > 300


def test_a_table_without_axis_has_no_plot(tmp_path: Path) -> None:
    files = write_comparison(compared(read_table("ablation"), Request(corpora=("meld",)), []), tmp_path)
    assert [path.suffix for path in files] == [".md", ".json", ".csv"]
    text = files[0].read_text(encoding="utf-8")
    assert "## meld" in text
    assert "## iemocap" not in text
    assert "What differs" not in text


def sentences(table: Table, results: list[CellResult]) -> list[str]:
    return setting_sentences(table, results, published_differences(table, results))


def of_cells(table: str, request: Request) -> list[CellResult]:
    return [
        result(
            cell.row,
            dict.fromkeys(cell.corpora, 0.5),
            seed=cell.seed,
            value=cell.value,
            corpora=cell.corpora,
            setting=setting_of(cell.resolve()),
        )
        for cell in expand(read_table(table), request)
    ]


def test_what_differs_is_computed_from_the_runs() -> None:
    request = Request(corpora=("meld", "emorynlp"), values=("1", "1/4"), seeds=(1, 2))
    text = " ".join(sentences(read_table("unified"), of_cells("unified", request)))
    assert "Seeds 1, 2 (published: the mean of 3 runs)." in text
    assert "Nothing was run on iemocap." in text
    assert "Nothing was run at 1/2, 1/8, 1/16, 1/32, 1/64 (fraction of the training turns)." in text
    assert "Trained together: meld + emorynlp (published: iemocap + meld + emorynlp)." in text
    for difference in (
        "backbone.name embedded (published: llama2-7b)",
        "prompt.wording compact-repeated (published: released)",
        "window.stride 4 (published: 1)",
        "training.epochs 4 (published: 8 or 15)",
        "adapter.method all (published: lora)",
        "checkpoints.select validation (published: test)",
        "demonstrations.pairing nearest (published: same-label)",
        "data.leaks guarded (published: published)",
    ):
        assert difference in text
    assert "data.fraction" not in text
    assert "seed " not in text.partition("Settings:")[2]


def test_the_published_setting_differs_in_what_is_done_otherwise_on_purpose() -> None:
    request = Request(backbone="llama2-7b")
    seeds, settings = sentences(read_table("ablation"), of_cells("ablation", request))
    assert seeds == "Seed 42 (published: the mean of 3 runs)."
    assert set(settings.removeprefix("Settings: ").removesuffix(".").split("; ")) == {
        "checkpoints.select validation (published: test)",
        "demonstrations.pairing nearest (published: same-label)",
        "demonstrations.per_label null (published: smallest)",
    }


def test_runs_that_are_as_published_differ_in_nothing() -> None:
    request = Request(backbone="llama2-7b", rows=("llama2",))
    assert sentences(read_table("zero-shot"), of_cells("zero-shot", request))[-1] == "Settings: as published."
    request = Request(
        backbone="llama2-7b",
        rows=("same-label",),
        settings=("checkpoints.select=test", "demonstrations.per_label=smallest"),
    )
    assert sentences(read_table("pairing"), of_cells("pairing", request))[-1] == "Settings: as published."


def test_a_table_that_was_never_published_says_what_it_was_run_with(tmp_path: Path) -> None:
    table = small_table(tmp_path, "corpora: [meld]\nrows: [{name: single, overrides: {}}]\n")
    found = [result("single", {"meld": 0.5}, value="")]
    assert sentences(table, found) == ["Backbone: embedded.", "Seed 1."]
    assert sentences(table, []) == []


def test_a_corpus_that_was_learned_from_is_not_one_that_nothing_was_run_on(tmp_path: Path) -> None:
    found = result("mix", {"meld": 0.5}, corpora=("meld", "emorynlp"), unmeasured={"emorynlp": "nothing measured"})
    assert not any("Nothing was run on" in text for text in sentences(small_table(tmp_path), [found]))


def test_texts_of_a_table_are_no_markup(tmp_path: Path) -> None:
    text = "corpora: [meld]\ntitle: <b>x</b>\nrows: [{name: a, title: 'a|b', overrides: {}}]\n"
    page = to_markdown(compared(small_table(tmp_path, text), Request(), []))
    assert "<b>" not in page
    assert re.search(r"\| a\\\|b \|", page)
