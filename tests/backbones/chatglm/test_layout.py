"""Who sees whom in a prompt of ChatGLM, and where its tokens stand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructerc.backbones.chatglm.layout import Context, find_context, positions, visible

PAD, MASK, GMASK, SOP = 0, 7, 8, 9
WORDS = st.lists(st.integers(1, 6), max_size=6)


def context_of(ids: torch.Tensor, mask: torch.Tensor) -> Context:
    return find_context(ids, mask, start=SOP, blanks=(GMASK, MASK))


def laid_out(row: list[int], left: int = 0, right: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Whom the tokens of a row see, and where they stand, [T, T] and [2, T], computed with padding around it."""
    ids = torch.tensor([[PAD] * left + row + [PAD] * right])
    mask = torch.tensor([[0] * left + [1] * len(row) + [0] * right])
    context, length = context_of(ids, mask), ids.shape[1]
    own = slice(left, left + len(row))
    seen = visible(context, mask, count=length)[0, 0]
    assert not seen[own, :left].any()
    assert not seen[own, left + len(row) :].any()
    return seen[own, own], positions(context, mask, count=length)[0, :, own]


def test_a_prompt_is_read_both_ways_and_an_answer_one_way() -> None:
    seen, places = laid_out([1, 2, GMASK, SOP, 3])
    assert seen.int().tolist() == [
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]
    assert places.tolist() == [[0, 1, 2, 2, 2], [0, 0, 0, 1, 2]]


def test_the_answer_stands_where_the_first_long_blank_does() -> None:
    assert laid_out([1, MASK, 2, SOP, 3])[1].tolist() == [[0, 1, 2, 1, 1], [0, 0, 0, 1, 2]]
    assert laid_out([MASK, GMASK, 2, SOP, GMASK])[1].tolist() == [[0, 1, 2, 1, 1], [0, 0, 0, 1, 2]]


@given(words=WORDS, answer=WORDS, left=st.integers(0, 4), right=st.integers(0, 4))
def test_padding_changes_nothing(words: list[int], answer: list[int], left: int, right: int) -> None:
    row = [*words, GMASK, SOP, *answer]
    for alone, padded in zip(laid_out(row), laid_out(row, left, right), strict=True):
        assert torch.equal(alone, padded)


@given(words=WORDS, answer=WORDS, read=st.integers(0, 6), left=st.integers(0, 3))
def test_what_is_read_later_sees_and_stands_as_if_it_was_read_at_once(
    words: list[int], answer: list[int], read: int, left: int
) -> None:
    prompt = [PAD] * left + [*words, GMASK, SOP]
    ids = torch.tensor([prompt + answer])
    mask = (torch.arange(ids.shape[1]) >= left).long()[None]
    count = max(1, len(answer) - read)
    whole, early = context_of(ids, mask), context_of(ids[:, : len(prompt)], mask[:, : len(prompt)])
    assert torch.equal(visible(whole, mask, count=ids.shape[1])[:, :, -count:], visible(early, mask, count=count))
    assert torch.equal(positions(whole, mask, count=ids.shape[1])[:, :, -count:], positions(early, mask, count=count))


def test_padding_sees_something() -> None:
    ids = torch.tensor([[PAD, PAD, GMASK, SOP, PAD]])
    mask = torch.tensor([[0, 0, 1, 1, 0]])
    assert visible(context_of(ids, mask), mask, count=5).any(dim=-1).all()


@pytest.mark.parametrize("row", [[1, GMASK, 2], [1, SOP, 2], [1, 2, 3]])
def test_a_row_that_is_no_prompt_is_refused(row: list[int]) -> None:
    ids = torch.tensor([[1, GMASK, SOP], row])
    with pytest.raises(
        ValueError, match=r"lacks <sop> \(9\) or a mask token \(8, 7\): end prompts with \[gMASK\] <sop>"
    ):
        context_of(ids, torch.ones_like(ids))


def test_a_token_under_padding_does_not_count() -> None:
    ids = torch.tensor([[SOP, GMASK, 1]])
    with pytest.raises(ValueError, match="lacks <sop>"):
        context_of(ids, torch.tensor([[0, 1, 1]]))
