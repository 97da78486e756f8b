"""Examples: which segments may go, and which never do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation
from instructerc.prompts import WORDINGS, Example, PromptSpec, Segment, Window
from tests.prompts.strategies import conversations


def example(turn: int, *, around: int = 5) -> Example:
    turns = tuple(Segment("turn", f"{number} ", number) for number in range(around))
    return Example("c", turn, "recognition", (Segment("instruction", "Q "), *turns, Segment("statement", "?")), ())


def test_the_oldest_turn_goes_first_then_the_farthest_after_the_target() -> None:
    prompts = [example(2).without_oldest(count).prompt for count in range(5)]
    assert prompts == ["Q 0 1 2 3 4 ?", "Q 1 2 3 4 ?", "Q 2 3 4 ?", "Q 2 3 ?", "Q 2 ?"]


def test_nothing_to_leave_out_leaves_the_example_as_it_is() -> None:
    one = example(0, around=1)
    assert one.droppable == 0
    assert one.without_oldest(0) is one
    assert one.without_oldest(7) == one


def test_an_opaque_prompt_has_nothing_to_leave_out() -> None:
    opaque = Example("f", 3, "recognition", (Segment("opaque", "x"),), ("a",), "a")
    assert opaque.droppable == 0
    assert opaque.prompt == "x"


@given(
    conversation=conversations,
    wording=st.sampled_from(sorted(WORDINGS)),
    context=st.sampled_from(("past", "both")),
    data=st.data(),
)
def test_instruction_target_and_statement_never_go(
    conversation: Conversation, wording: str, context: str, data: st.DataObject
) -> None:
    turn = data.draw(st.integers(0, len(conversation) - 1))
    window = Window(size=None, context="both" if context == "both" else "past")
    whole = PromptSpec(labels=("joy", "anger"), wording=wording, window=window).example(conversation, turn)
    count = data.draw(st.integers(0, len(conversation) + 2))
    less = whole.without_oldest(count)
    gone = [segment for segment in whole.segments if segment not in less.segments]
    assert len(gone) == min(count, whole.droppable)
    assert all(segment.kind == "turn" and segment.turn != turn for segment in gone)
    assert [segment for segment in whole.segments if segment in less.segments] == list(less.segments)
    assert less.segments[-1] == whole.segments[-1]
    assert (less.candidates, less.target, less.turn) == (whole.candidates, whole.target, whole.turn)
