"""Segments: rendered when looked at, and otherwise like a plain tuple of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.prompts import WORDINGS, PromptSpec, Segment, Segments, Window
from instructerc.prompts.segments import Mapped
from instructerc.prompts.wording import CompactWording, Turn
from tests.prompts.strategies import conversations

parts = st.builds(
    Segments,
    before=st.sampled_from(((), (Segment("instruction", "Q "),))),
    turns=st.integers(0, 5).map(lambda count: tuple(Segment("turn", f"{turn} ", turn) for turn in range(count))),
    after=st.sampled_from(((), (Segment("statement", "?"),))),
)
places = st.integers(-9, 9) | st.none()


@given(segments=parts, start=places, stop=places, step=st.sampled_from((None, 1, 2, -1)))
def test_segments_are_a_sequence_like_the_tuple_of_them(
    segments: Segments, start: int | None, stop: int | None, step: int | None
) -> None:
    plain = (*segments.before, *segments.turns, *segments.after)
    assert (len(segments), tuple(segments), tuple(reversed(segments))) == (len(plain), plain, plain[::-1])
    assert [segments[place] for place in range(-len(plain), len(plain))] == [*plain, *plain]
    assert segments[start:stop:step] == plain[start:stop:step]
    assert segments == plain
    assert hash(segments) == hash(Segments.of(plain))
    with pytest.raises(IndexError):
        segments[len(plain)]


@given(segments=parts)
def test_a_plain_sequence_is_taken_apart_at_its_turns(segments: Segments) -> None:
    again = Segments.of(tuple(segments))
    assert again == segments
    if segments.turns:
        assert (again.before, again.turns, again.after) == (segments.before, segments.turns, segments.after)
    assert Segments.of(segments) is segments


@given(conversation=conversations, wording=st.sampled_from(sorted(WORDINGS)), data=st.data())
def test_history_and_future_are_the_turns_before_and_after_the_target(
    conversation: Conversation, wording: str, data: st.DataObject
) -> None:
    turn = data.draw(st.integers(0, len(conversation) - 1))
    window = Window(size=data.draw(st.none() | st.integers(0, 4)), context=data.draw(st.sampled_from(("past", "both"))))
    example = PromptSpec(labels=("joy",), wording=wording, window=window).example(conversation, turn)
    turns = [segment for segment in example.segments if segment.kind == "turn"]
    assert list(example.history) == [segment for segment in turns if segment.turn < turn]  # type: ignore[operator]
    assert list(example.future) == [segment for segment in turns if segment.turn > turn]  # type: ignore[operator]
    plain = replace(example, segments=tuple(example.segments))
    assert plain == example
    assert hash(plain) == hash(example)
    assert (plain.history, plain.future) == (tuple(example.history), tuple(example.future))
    assert [plain.without_oldest(count).prompt for count in range(10)] == [
        example.without_oldest(count).prompt for count in range(10)
    ]


def test_a_view_makes_what_is_looked_at() -> None:
    made: list[int] = []
    view = Mapped(lambda number: made.append(number) or number, range(1_000_000))
    assert (view[-1], list(view[3:5]), len(view[5:])) == (999_999, [3, 4], 999_995)
    assert made == [999_999, 3, 4]


def test_an_example_of_a_long_history_renders_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[int] = []
    line = CompactWording._line

    def counted(wording: CompactWording, turn: Turn) -> str:
        rendered.append(turn.index)
        return line(wording, turn)

    monkeypatch.setattr(CompactWording, "_line", counted)
    chat = Conversation("c", tuple(Utterance("A", f"turn {turn}") for turn in range(500)))
    spec = PromptSpec(labels=("joy",), wording="compact", window=Window(size=None))
    examples = list(spec.examples(chat))
    assert rendered == []
    assert examples[-1].history[7].text == "A: turn 7\n"
    assert rendered == [0, 7], "the first one says which numbers the others have"
