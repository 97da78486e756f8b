"""Windows: which turns a prompt shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.errors import UsageError
from instructerc.prompts import Window

sizes = st.integers(0, 25)
strides = st.integers(1, 15)
places = st.integers(1, 80).flatmap(lambda length: st.tuples(st.integers(0, length - 1), st.just(length)))


@given(size=sizes | st.none(), stride=strides, context=st.sampled_from(("past", "both")), place=places)
def test_the_target_is_shown_and_nothing_outside_the_conversation(
    size: int | None, stride: int, context: Any, place: tuple[int, int]
) -> None:
    target, length = place
    shown = Window(size=size, stride=stride, context=context).turns(target, length)
    assert target in shown
    assert shown.step == 1
    assert 0 <= shown.start < shown.stop <= length


@given(size=sizes, place=places)
def test_the_published_window_shows_exactly_size_turns_before_the_target(size: int, place: tuple[int, int]) -> None:
    target, length = place
    assert Window(size=size).turns(target, length) == range(max(target - size, 0), target + 1)


@given(size=sizes, stride=strides, place=places)
def test_a_stride_starts_at_its_multiples_and_adds_less_than_itself(
    size: int, stride: int, place: tuple[int, int]
) -> None:
    target, length = place
    start = Window(size=size, stride=stride).turns(target, length).start
    assert start % stride == 0
    if target >= size:
        assert size <= target - start <= size + stride - 1
    else:
        assert start == 0


@given(size=sizes, stride=strides, target=st.integers(0, 80))
def test_the_start_never_moves_back(size: int, stride: int, target: int) -> None:
    window = Window(size=size, stride=stride)
    assert window.turns(target, 100).start <= window.turns(target + 1, 100).start


@given(size=sizes, stride=strides, place=places)
def test_both_adds_size_turns_after_the_target_where_there_are_as_many(
    size: int, stride: int, place: tuple[int, int]
) -> None:
    target, length = place
    past = Window(size=size, stride=stride).turns(target, length)
    both = Window(size=size, stride=stride, context="both").turns(target, length)
    assert both.start == past.start
    assert both.stop - past.stop == min(size, length - 1 - target)


def test_without_a_size_all_turns_are_shown() -> None:
    assert Window(size=None).turns(7, 9) == range(8)
    assert Window(size=None, stride=5, context="both").turns(7, 9) == range(9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": -1}, "window.size is -1: give the number of turns before the target, 0 or more"),
        ({"stride": 0}, "window.stride is 0: give a number of turns, 1 or more"),
        ({"context": "future"}, "window.context is 'future': choose one of past, both"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Window(**settings)
    assert str(caught.value) == message


@given(size=sizes | st.none(), stride=strides, context=st.sampled_from(("past", "both")))
def test_a_window_comes_back_from_json(size: int | None, stride: int, context: Any) -> None:
    window = Window(size=size, stride=stride, context=context)
    assert Window(**window.to_json()) == window
