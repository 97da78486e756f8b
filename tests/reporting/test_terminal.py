from __future__ import annotations

import io
import re
from dataclasses import replace

from rich.console import Console, RenderableType

from instructerc.evaluation import compare_rows, evaluate
from instructerc.reporting.terminal import comparison_view, report_view, scores_view, verdict
from tests.reporting.examples import LABELS, SCRIPT, mixture_report, report, rows


def _printed(view: RenderableType, *, color: str | None = None, width: int = 160) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=color, force_terminal=color is not None, highlight=False)  # type: ignore[arg-type]
    console.print(view)
    return file.getvalue()


def test_scores_are_shown_times_100_with_their_interval_and_notices() -> None:
    text = _printed(scores_view(report().main, interval=report().main_interval, notices=["Mind [bold]this[/bold]."]))
    assert f"Weighted F1 {100 * report().main.weighted_f1:.2f}" in text
    assert "95 % bootstrap interval" in text
    assert "Note: Mind [bold]this[/bold]." in text
    assert "(outside)" not in text


def test_a_report_is_shown_with_its_marks_in_the_headline_and_each_corpus() -> None:
    whole = mixture_report()
    lines = _printed(report_view(whole)).splitlines()
    figure = f"{100 * whole.main.weighted_f1:.2f}"
    assert lines[0].startswith(f"Weighted F1 {figure} (test-selected epoch; leaks {SCRIPT})   ")
    assert any(line.startswith("Note: Beware") for line in lines)
    # far: gold joy, joy; recognised joy, neutral. F1 of joy 2/3, of neutral 0; anger is not its label.
    assert ["far", "2", "66.67", "33.33", "50.00"] in [line.split() for line in lines]
    assert ["near", "2", "33.33", "22.22", "50.00"] in [line.split() for line in lines]
    assert "Corpus" not in _printed(report_view(report()))


def test_marks_and_corpora_cannot_steer_the_terminal() -> None:
    scores = report().main
    text = _printed(scores_view(scores, marks=["\x1b[2J", "[bold]x[/bold]"], sources={"\x1b[2J[red]": scores}))
    assert "\x1b" not in text
    assert "(\\x1b[2J; [bold]x[/bold])" in text
    assert "\\x1b[2J[red]" in text


def test_answers_outside_the_label_set_get_a_column() -> None:
    scores = evaluate(golds=["joy", "joy"], predictions=["joy", "bliss"], labels=LABELS)
    assert "(outside)" in _printed(scores_view(scores))


def test_labels_that_look_like_markup_are_shown_as_they_are() -> None:
    scores = evaluate(golds=["[red]"], predictions=["[red]"], labels=["[red]", "[/]"])
    assert "[red]" in _printed(scores_view(scores))
    assert "[/]" in _printed(scores_view(scores))


def test_a_colour_never_stands_alone() -> None:
    view = scores_view(report().main)
    for piece in ("▲ joy", "■ anger", "○ neutral"):
        assert piece in _printed(view)
    assert "\x1b[93m▲" in _printed(view, color="truecolor")


def test_control_characters_do_not_reach_the_terminal() -> None:
    label = "joy\x1b[2J"
    scores = evaluate(golds=[label], predictions=[label], labels=[label])
    text = _printed(scores_view(scores, notices=[label]))
    assert "\x1b" not in text
    assert text.count("joy\\x1b[2J") == 4


def test_a_comparison_shows_both_systems_and_both_tests() -> None:
    better = [replace(row, emotion=row.gold or row.emotion) for row in rows()]
    comparison = compare_rows(rows(), better, labels=LABELS, samples=100)
    text = _printed(comparison_view(comparison, first="one", second="other"))
    assert "Paired bootstrap, Weighted F1: first minus second -" in text
    assert "McNemar (exact), accuracy: only the first right 0 times, only the second 2 times, p = 0.500" in text
    assert verdict(comparison, "one", "other") in " ".join(text.split())


def test_a_narrow_terminal_still_shows_which_row_is_which() -> None:
    comparison = compare_rows(rows(), rows(), labels=LABELS, samples=10)
    text = _printed(comparison_view(comparison, first="a" * 70 + "1", second="a" * 70 + "2"), width=60)
    assert re.findall(r"^a+(\d)\b", text, re.MULTILINE) == ["1", "2"]
    emotions = _printed(scores_view(report().main), width=30).partition("recognised →")[2]
    for piece in ("▲ joy", "■ anger", "○ neutral"):
        assert piece in emotions


def test_the_verdict_names_the_better_one_and_whether_it_may_be_chance() -> None:
    right = [replace(rows()[0], conversation=str(group), turn=turn) for group in range(9) for turn in range(9)]
    wrong = [replace(row, emotion="anger") for row in right]
    settings = {"labels": LABELS, "samples": 200}
    clear = verdict(compare_rows(wrong, right, **settings), "one", "other")  # type: ignore[arg-type]
    assert clear.startswith("other is better: 100.00 points of Weighted F1, beyond chance (p = 0.0")
    one_off = [*wrong[:1], *right[1:]]
    chance = verdict(compare_rows(right, one_off, **settings), "one", "other")  # type: ignore[arg-type]
    assert chance.startswith("one is ")
    assert "ahead, which may be chance" in chance
    equal = verdict(compare_rows(right, right, **settings), "one", "other")  # type: ignore[arg-type]
    assert equal == "Equal: Weighted F1 100.00 both times."
