from __future__ import annotations

import base64
import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import pytest

from instructerc.evaluation import evaluate
from instructerc.reporting import Curves, Report, write_report
from instructerc.reporting.html import render_html
from instructerc.reporting.markdown import escape, render_markdown
from instructerc.reporting.plots import DARK, LIGHT, confusion_png, curves_png
from tests.reporting.examples import EMOJI, HEBREW, LABELS, SCRIPT, hostile_turn, mixture_report, report

VOID = {"meta", "img", "source", "br"}


class _Page(HTMLParser):
    """Collects tags and text, and refuses tags that do not close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(replace(report(), examples=(*report().examples, hostile_turn())))


@pytest.fixture(scope="module", params=["one corpus", "a mixture"])
def any_page(request: pytest.FixtureRequest, page: str) -> str:
    return page if request.param == "one corpus" else render_html(mixture_report())


@pytest.fixture(scope="module")
def parsed(page: str) -> _Page:
    return _Page(page)


def _size(image: bytes) -> tuple[int, ...]:
    return tuple(matplotlib.image.imread(io.BytesIO(image), format="png").shape)


def test_all_files_are_written_and_read_back(tmp_path: Path) -> None:
    files = write_report(report(), tmp_path / "run" / "report")
    names = [path.name for path in files]
    assert names == ["report.json", "report.md", "report.html", "confusion.png", "curves.png"]
    assert sorted(path.name for path in (tmp_path / "run" / "report").iterdir()) == sorted(names)
    assert Report.from_json(json.loads(files[0].read_text(encoding="utf-8"))) == report()


def test_without_curves_there_is_no_plot_of_them(tmp_path: Path) -> None:
    files = write_report(replace(report(), curves=None), tmp_path)
    assert "curves.png" not in [path.name for path in files]
    assert "How the training went" not in files[2].read_text(encoding="utf-8")


def test_half_a_surrogate_pair_does_not_stop_the_writing(tmp_path: Path) -> None:
    files = write_report(replace(report(), examples=(hostile_turn(),)), tmp_path)
    assert json.loads(files[0].read_text(encoding="utf-8"))["examples"][0]["utterance"]["text"].endswith("\ud83d")
    assert files[2].read_text(encoding="utf-8")


def test_no_text_of_users_becomes_markup(any_page: str) -> None:
    parsed = _Page(any_page)
    assert parsed.all("script") == []
    assert "<script" not in any_page
    assert parsed.text.count(SCRIPT) >= 8
    assert "\x00" not in any_page


def test_emoji_and_right_to_left_text_stand_there_as_they_are(parsed: _Page) -> None:
    assert EMOJI in parsed.text
    assert HEBREW in parsed.text
    assert any(span.get("dir") == "auto" for span in parsed.all("span"))


def test_the_page_asks_for_nothing_from_elsewhere(page: str, parsed: _Page) -> None:
    without_images = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"(?:https?:)?//[a-z]|@import|url\(", without_images)
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in parsed.all("img"))
    policies = [meta["content"] for meta in parsed.all("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_the_page_is_light_and_dark(page: str, parsed: _Page) -> None:
    assert "@media (prefers-color-scheme: dark)" in page
    (dark,), (light,) = parsed.all("source"), parsed.all("img")
    assert dark["media"] == "(prefers-color-scheme: dark)"
    assert dark["srcset"] != light["src"]
    image = base64.b64decode((light["src"] or "").partition(",")[2])
    assert image.startswith(b"\x89PNG")


def test_every_table_says_what_its_cells_belong_to(any_page: str) -> None:
    parsed = _Page(any_page)
    assert {cell.get("scope") for cell in parsed.all("th")} == {"row", "col"}
    regions = [box for box in parsed.all("div") if box.get("class") == "scroll"]
    assert all(box["role"] == "region" and box["tabindex"] == "0" for box in regions)
    identifiers = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    assert all(
        attributes["aria-labelledby"] in identifiers for _, attributes in parsed.tags if "aria-labelledby" in attributes
    )
    assert all(image["alt"] for image in parsed.all("img"))
    assert parsed.all("html")[0]["lang"] == "en"


def test_the_page_holds_the_figures(parsed: _Page) -> None:
    whole = report()
    for figure in (whole.main.weighted_f1, whole.main.macro_f1, whole.main.accuracy):
        assert f"{100 * figure:.2f}" in parsed.text
    assert "95 % bootstrap interval, 50 samples of conversations" in parsed.text
    assert "Never predicted, though gold labels hold it: anger." in parsed.text
    assert "outside the label set" not in parsed.text
    assert "2 (kept)" in parsed.text


def _rows(page: str) -> list[str]:
    """The text of each row of each table, a space between cells."""
    return [" ".join(_Page(cells).text.split()) for cells in re.findall(r"<tr.*?>(.*?)</tr>", page.replace("<", " <"))]


def _without_plots(whole: Report) -> Report:
    """Drawing takes most of the time of a page."""
    return replace(whole, curves=None, stages={})


def test_the_headline_cannot_be_read_without_its_marks() -> None:
    whole = _without_plots(mixture_report())
    figure, marks = f"{100 * whole.main.weighted_f1:.2f}", f"(test-selected epoch; leaks {SCRIPT})"
    page = render_html(whole)
    (headline,) = re.findall(r'<div class="tile main">.*?<dd class="figure">(.*?)</dd>', page, flags=re.DOTALL)
    assert _Page(headline).text.strip() == f"{figure} {marks}"
    assert f"This model {marks} {figure}" in " ".join(_Page(page).text.replace(figure, f" {figure}").split())
    markdown = render_markdown(whole)
    assert f"**Weighted F1 on test: {figure} ({escape('test-selected epoch')}; leaks {escape(SCRIPT)})**" in markdown
    assert markdown.count(escape("test-selected epoch")) == 4  # the split's row, this model's row, each corpus
    plain = replace(whole, marks=())
    assert 'class="marked"' not in render_html(plain)
    assert f"**Weighted F1 on test: {figure}**" in render_markdown(plain)


def test_each_corpus_of_a_mixture_has_its_row() -> None:
    whole = _without_plots(mixture_report())
    assert "| far | 2 | 66.67 | 33.33 | 50.00 |" in render_markdown(whole)
    assert "far 2 66.67 33.33 50.00" in _rows(render_html(whole))
    assert "Each corpus" not in render_markdown(report())
    assert "Each corpus" not in render_html(_without_plots(report()))


def test_earlier_stages_say_what_they_were_measured_at() -> None:
    whole = mixture_report()
    speakers = "Stage speakers: epoch 2 kept, Weighted F1 over speakers on validation 87.50"
    last = "Last stage: epoch 2 kept, Weighted F1 on validation 50.00"
    markdown, page = render_markdown(whole), render_html(whole)
    assert markdown.index(f"- {speakers}") < markdown.index(f"- {last}") < markdown.index("](curves.png)")
    assert page.index(speakers) < page.index(last)
    assert "epoch 3 kept, not measured on validation" in markdown
    assert "no epoch named as kept" in render_markdown(replace(whole, stages={"odd": Curves()}))
    assert _Page(page).all("img")[0]["alt"] == (
        "Training loss over 1 logged steps; Weighted F1 over speakers on validation over 2 epochs, as the table below"
    )
    assert len(_Page(page).all("img")) == 3
    for text in (render_markdown(report()), render_html(report())):
        assert "tage" not in text.partition("How the training went")[2].partition("Wrong turns")[0]


def test_an_epoch_that_the_test_split_chose_is_not_said_to_be_of_validation() -> None:
    chosen = replace(report(), curves=Curves(validation=((1, 0.5),), best_epoch=1, split="test"))
    page = _Page(render_html(chosen)).text
    assert "Weighted F1 on test, by epoch" in page
    assert "on validation" not in page
    staged = render_markdown(replace(chosen, stages={"speakers": Curves(best_epoch=1)}))
    assert "- Last stage: epoch 1 kept, Weighted F1 on test 50.00" in staged


def test_stages_are_shown_where_the_last_one_left_no_curves(tmp_path: Path) -> None:
    files = write_report(replace(mixture_report(), curves=None), tmp_path)
    assert "curves.png" not in [path.name for path in files]
    assert "Stage speakers" in files[1].read_text(encoding="utf-8")
    assert "curves.png" not in files[1].read_text(encoding="utf-8")


def test_computed_numbers_are_short_and_chosen_ones_exact() -> None:
    demonstrations = {"agreement": 4021 / 9000, "rate": 0.00035, "seconds": 123456.7, "entries": 900, "of": ["a", "b"]}
    whole = replace(_without_plots(report()), provenance={"Demonstrations": demonstrations})
    shown = {"agreement": "0.446778", "rate": "0.00035", "seconds": "123456.7", "entries": "900", "of": "a, b"}
    markdown, rows = render_markdown(whole), _rows(render_html(whole))
    for name, text in shown.items():
        assert f"| {name} | {escape(text)} |" in markdown
        assert f"{name} {text}" in rows
    assert whole.to_json()["provenance"]["Demonstrations"]["agreement"] == 4021 / 9000


def test_answers_outside_the_label_set_get_a_column() -> None:
    scores = evaluate(golds=["joy", "joy"], predictions=["joy", "bliss"], labels=LABELS)
    outside = Report(title="x", scores={"test": scores})
    assert "outside the label set" in _Page(render_html(outside)).text
    assert "| (outside) |" in render_markdown(outside)
    assert _size(confusion_png(scores)) != (0, 0)


def test_the_smallest_report_is_a_page() -> None:
    scores = evaluate(golds=["joy"], predictions=["joy"], labels=["joy"])
    smallest = Report(title="", scores={"test": scores})
    assert "100.00" in _Page(render_html(smallest)).text
    assert "100.00" in render_markdown(smallest)


@pytest.mark.parametrize("whole", [report(), mixture_report()], ids=["one corpus", "a mixture"])
def test_markdown_shows_text_as_it_is(whole: Report) -> None:
    page = render_markdown(whole)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert HEBREW in page.replace("\\", "")
    assert "\\| \\`x\\` \\*y\\* z" in page
    assert "![Training loss and validation figure](curves.png)" in page


@pytest.mark.parametrize("whole", [report(), mixture_report()], ids=["one corpus", "a mixture"])
def test_every_markdown_table_has_as_many_cells_in_each_row(whole: Report) -> None:
    tables = re.findall(r"(?:^\|.*\|$\n?)+", render_markdown(whole), flags=re.MULTILINE)
    assert len(tables) >= 5
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().split("\n")}
        assert len(widths) == 1


def test_markdown_mentions_nobody() -> None:
    assert escape("@someone #12\n\nnew") == "\\@someone \\#12 new"


def test_labels_of_any_script_can_be_plotted() -> None:
    labels = ("喜び", "$x^$", "غضب", "a\nb", "")
    scores = evaluate(golds=labels, predictions=labels, labels=labels)
    assert _size(confusion_png(scores))[2] in (3, 4)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize(
    "curves",
    [
        Curves(),
        Curves(loss=((1, math.nan),)),
        Curves(loss=((1, 0.5), (2, math.inf), (3, 0.4))),
        Curves(validation=((1, 0.5),), best_epoch=7),
        Curves(validation=((1, 0.5),), best_epoch=1, task="speaker_identification"),
        Curves(loss=tuple((step, 1.0) for step in range(100)), validation=((0.5, 0.1), (1, 0.2)), best_epoch=1),
    ],
)
def test_any_curves_can_be_plotted(curves: Curves, theme: object) -> None:
    assert _size(curves_png(curves, theme=theme))[0] > 100  # type: ignore[arg-type]
