"""What predictions say about conversations, and the page that shows it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.recognition.predictions import TurnPrediction
from instructerc.reporting.conversation_page import render_conversations, timeline
from instructerc.reporting.conversations import Moment, summarise
from instructerc.reporting.label_studio import label_studio_config, label_studio_tasks
from instructerc.reporting.plots import totals_png

LABELS = ("neutral", "joy", "anger")


def rows(name: str, emotions: list[str], *, speakers: tuple[str, ...] = ("Ann", "Bob")) -> list[TurnPrediction]:
    return [
        TurnPrediction(
            conversation=name,
            turn=turn,
            speaker=speakers[turn % len(speakers)],
            text=f"text {turn}",
            emotion=emotion,
            probabilities={label: 0.5 + turn / 100 if label == emotion else 0.25 - turn / 200 for label in LABELS},
        )
        for turn, emotion in enumerate(emotions)
    ]


CHAT = rows("chat", ["joy", "neutral", "joy", "anger", "neutral", "anger"])


def test_a_shift_is_a_speaker_who_feels_something_else_than_before() -> None:
    (view,) = summarise(CHAT).shown
    assert [(moment.turn, moment.speaker, moment.before) for moment in view.shifts] == [
        (3, "Bob", "neutral"),
        (4, "Ann", "joy"),
    ]


def test_the_strongest_moments_are_not_neutral() -> None:
    (view,) = summarise(CHAT).shown
    assert [moment.turn for moment in view.strongest(3, neutral="neutral")] == [5, 3, 2]
    assert [moment.turn for moment in view.strongest(2, neutral=None)] == [5, 4]


def test_everything_is_counted_and_only_the_first_are_shown() -> None:
    summary = summarise([*CHAT, *rows("second", ["joy"]), *rows("third", ["joy"], speakers=("Cyd",))], limit=2)
    assert (summary.conversations, summary.turns, summary.shifts) == (3, 8, 2)
    assert summary.totals == {"neutral": 2, "joy": 4, "anger": 2}
    assert summary.by_speaker["Ann"] == {"neutral": 1, "joy": 3}
    assert [view.id for view in summary.shown] == ["chat", "second"]
    assert "1 more conversation counted" in render_conversations(summary, title="t")


def test_rows_are_read_once_and_lazily() -> None:
    left = iter(CHAT)
    assert summarise(left).turns == 6
    assert next(left, None) is None


@pytest.mark.parametrize(
    ("shares", "entropy"),
    [((("a", 0.5), ("b", 0.5)), 1.0), ((("a", 1.0), ("b", 0.0)), 0.0), ((("a", 1.0),), None), ((), None)],
)
def test_entropy_is_nothing_where_sure_and_one_where_undecided(
    shares: tuple[tuple[str, float], ...], entropy: float | None
) -> None:
    assert Moment(turn=0, speaker="Ann", text="", emotion="a", shares=shares).entropy == entropy


def test_a_timeline_has_a_lane_for_each_speaker() -> None:
    (view,) = summarise(CHAT).shown
    drawn = timeline(view)
    assert drawn.lanes == ("Ann", "Bob")
    assert [(y > 0, turn) for _, y, turn, _ in drawn.marks] == [(bool(turn % 2), turn) for turn in range(6)]
    assert [x for x, *_ in drawn.marks] == sorted({x for x, *_ in drawn.marks})


def test_predictions_without_probabilities_are_shown_too() -> None:
    row = TurnPrediction(conversation="c", turn=0, emotion="joy", answer="joyful!", out_of_label=True)
    page = render_conversations(summarise([row]), title="t", neutral="neutral")
    assert "joy" in page
    assert "Strongest" not in page


class Tags(HTMLParser):
    """Which elements a page has, and what is unfinished of it."""

    VOID = frozenset({"meta", "br", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@given(text=st.text(max_size=20), name=st.text(max_size=10), emotion=st.text(min_size=1, max_size=8))
def test_no_text_of_users_becomes_markup(text: str, name: str, emotion: str) -> None:
    row = TurnPrediction(conversation=name, turn=0, emotion=emotion, speaker=name, text=text)
    hostile = TurnPrediction(
        conversation=name, turn=1, emotion=emotion, speaker="<b>", text="</li><script>x()</script>"
    )
    tags = Tags()
    tags.feed(render_conversations(summarise([row, hostile]), title=text))
    assert tags.open == []
    assert "script" not in tags.seen


def test_the_page_asks_for_nothing() -> None:
    page = render_conversations(summarise(CHAT), title="t")
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_the_totals_are_a_picture() -> None:
    assert totals_png({"joy": 3, "$\\frac": 1}).startswith(b"\x89PNG")


def test_a_turn_that_is_left_open_is_no_shift_and_no_strong_moment() -> None:
    turns = rows("chat", ["joy", "uncertain", "joy", "uncertain", "anger"], speakers=("Ann",))
    (view,) = summarise(turns).shown
    assert [(moment.turn, moment.before) for moment in view.shifts] == [(4, "joy")]
    assert "uncertain" not in [moment.emotion for moment in view.strongest(5, neutral=None)]
    assert "?</span>" in render_conversations(summarise(turns), title="calls")


def test_people_decide_where_the_model_did_not() -> None:
    (task,) = label_studio_tasks(rows("chat", ["joy", "uncertain"]))
    assert [region["value"]["start"] for region in task["predictions"][0]["result"]] == ["0"]
    assert "uncertain" not in label_studio_config(["joy", "uncertain"])
