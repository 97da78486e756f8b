"""Fractions of a training split."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.corpora.sampling import (
    FRACTIONS,
    Unit,
    parse_fraction,
    sample_conversations,
    sample_training,
    thin_neutral,
)
from instructerc.errors import UnknownNameError, UsageError
from tests.corpora.mixed import FIRST

Targets = set[tuple[str, int]]


def many(conversations: int, turns: int) -> tuple[Conversation, ...]:
    return tuple(
        Conversation(str(name), tuple(Utterance("A", f"{name}-{turn}", "joy") for turn in range(turns)))
        for name in range(conversations)
    )


def targets(conversations: tuple[Conversation, ...]) -> Targets:
    return {
        (item.id, turn)
        for item in conversations
        for turn, said in enumerate(item.utterances)
        if said.emotion is not None
    }


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_the_share_of_turns_is_rounded_down(fraction: float) -> None:
    assert len(targets(sample_conversations(many(10, 13), fraction=fraction))) == int(130 * fraction)


def test_the_published_fractions_go_down_to_a_64th() -> None:
    assert [1 / fraction for fraction in FRACTIONS] == [1, 2, 4, 8, 16, 32, 64]


def test_a_turn_that_is_not_sampled_stays_as_history() -> None:
    whole = many(10, 13)
    by_id = {item.id: item for item in whole}
    for item in sample_conversations(whole, fraction=1 / 8):
        assert [said.text for said in item.utterances] == [said.text for said in by_id[item.id].utterances]
        assert any(said.emotion for said in item.utterances)


def test_whole_conversations_keep_all_of_their_labels() -> None:
    kept = sample_conversations(many(8, 3), fraction=1 / 4, unit="conversations")
    assert len(kept) == 2
    assert set(kept) <= set(many(8, 3))


@given(
    small=st.floats(0.05, 1),
    large=st.floats(0.05, 1),
    seed=st.integers(0, 5),
    unit=st.sampled_from(["turns", "conversations"]),
)
def test_a_smaller_sample_is_part_of_a_larger_one(small: float, large: float, seed: int, unit: Unit) -> None:
    small, large = sorted((small, large))
    parts = [sample_conversations(many(20, 3), fraction=share, seed=seed, unit=unit) for share in (small, large)]
    assert targets(parts[0]) <= targets(parts[1])


def test_the_choice_depends_on_seed_and_ids_not_on_the_order() -> None:
    whole = many(20, 5)
    half = targets(sample_conversations(whole, fraction=0.5))
    assert half == targets(sample_conversations(whole[::-1], fraction=0.5))
    assert half != targets(sample_conversations(whole, fraction=0.5, seed=7))


def test_turns_without_a_label_are_never_sampled() -> None:
    half = sample_training(FIRST, fraction=0.5)
    assert len(targets(half.train)) == 3
    assert ("1", 2) not in targets(half.train)


def test_validation_and_test_stay_whole_and_one_is_no_sample() -> None:
    half = sample_training(FIRST, fraction=0.5)
    assert (half.validation, half.test) == (FIRST.validation, FIRST.test)
    assert sample_training(FIRST, fraction=1) == FIRST
    empty = Corpus("e", ("joy",))
    assert sample_training(empty, fraction=0.5) == empty


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(fraction: float) -> None:
    with pytest.raises(UsageError, match=r"fraction is .*: give a share above 0, up to 1"):
        sample_training(FIRST, fraction=fraction)


def test_a_share_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"fraction 0\.1 of 2 conversations leaves no turns: take a larger one"):
        sample_training(FIRST, fraction=0.1)
    with pytest.raises(UnknownNameError, match="did you mean 'turns'"):
        sample_training(replace(FIRST), fraction=0.5, unit="turn")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0", "1/0", "3/2", "-1/2", "half", "", "1e-1", "nan", "1/2/3", "٣"])
def test_a_text_that_is_no_fraction_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"give a share above 0, up to 1, as 1/4 or 0\.25"):
        parse_fraction(text)


@given(
    felt=st.lists(st.lists(st.sampled_from(["neutral", "joy", None]), min_size=1, max_size=6), min_size=1, max_size=6),
    small=st.floats(0.01, 1),
    large=st.floats(0.01, 1),
    seed=st.integers(0, 3),
)
def test_thinning_a_label_is_nested_keeps_the_others_and_every_text(
    felt: list[list[str | None]], small: float, large: float, seed: int
) -> None:
    small, large = sorted((small, large))
    whole = tuple(
        Conversation(str(name), tuple(Utterance("A", str(turn), label) for turn, label in enumerate(labels)))
        for name, labels in enumerate(felt)
    )
    less, more = (thin_neutral(whole, ("neutral", "joy"), fraction=fraction, seed=seed) for fraction in (small, large))
    neutral = sum(labels.count("neutral") for labels in felt)
    joyful = {
        (str(name), turn) for name, labels in enumerate(felt) for turn, label in enumerate(labels) if label == "joy"
    }
    assert joyful <= targets(less) <= targets(more) <= targets(whole)
    assert len(targets(less) - joyful) == int(neutral * small + 1e-9)
    texts = {chat.id: [turn.text for turn in chat.utterances] for chat in whole}
    assert all([turn.text for turn in chat.utterances] == texts[chat.id] for chat in less)


@pytest.mark.parametrize("fraction", [0, -1, 1.5, float("nan")])
def test_no_label_is_thinned_by_what_is_no_fraction(fraction: float) -> None:
    with pytest.raises(UsageError, match="above 0, up to 1"):
        thin_neutral(many(1, 2), ("joy", "neutral"), fraction=fraction)


def test_neutral_turns_cannot_be_thinned_where_no_label_means_neutral() -> None:
    with pytest.raises(UsageError, match="none of joy, anger means neutral: leave it 1"):
        thin_neutral(many(1, 2), ("joy", "anger"), fraction=0.5)
    assert thin_neutral(many(1, 2), ("joy", "anger"), fraction=1) == many(1, 2)
