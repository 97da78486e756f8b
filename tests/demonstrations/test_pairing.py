"""Pairings and the demonstrator: who is shown what, and never a turn of one's own conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Corpus
from instructerc.demonstrations import (
    PAIRINGS,
    DemonstrationPool,
    Demonstrator,
    EmbeddingCache,
    PoolEntry,
    get_pairing,
)
from instructerc.demonstrations.pairing import Oracle, Queries
from instructerc.errors import UnknownNameError, UsageError
from instructerc.prompts import Demonstration
from tests.demonstrations.fakes import CORPUS, LABELS, TRAIN, FakeEncoder, talk, tiny_pool

TEST = CORPUS.test[0]


def demonstrator(name: str = "nearest", **settings: Any) -> Demonstrator:
    count = 3 if name == "one-per-label" else 1
    return Demonstrator(
        **{"pool": tiny_pool(), "encoder": FakeEncoder(), "pairing": get_pairing(name), "count": count, **settings}
    )


def shown(found: Sequence[Sequence[Demonstration]]) -> list[list[tuple[str, str]]]:
    return [[(item.text, item.label) for item in turn] for turn in found]


def test_nearest_is_the_default_and_does_the_same_in_training_and_at_inference() -> None:
    found = Demonstrator(pool=tiny_pool(), encoder=FakeEncoder())
    assert found.pairing.name == "nearest"
    for training in (False, True):
        assert shown(found.for_conversation(TEST, training=training)) == [[("aaa", "joy")], [("bbb", "anger")]]
        # Not its own turns, and the same words from another conversation.
        assert shown(found.for_conversation(TRAIN[0], training=training))[0] == [("aaa", "joy")]


def test_same_label_knows_the_answer_in_training_only() -> None:
    found = demonstrator("same-label")
    target = talk("new", ("aaa", "fear"), ("bbb", None))
    assert shown(found.for_conversation(target, training=True)) == [[("ddd", "fear")], []]
    assert shown(found.for_conversation(target, training=False)) == [[("aaa", "joy")], [("bbb", "anger")]]


def test_one_per_label_shows_each_label_nearest_first() -> None:
    found = demonstrator("one-per-label").for_conversation(TEST, training=False)
    assert shown(found)[0] == [("aaa", "joy"), ("aaab", "anger"), ("ddd", "fear")]


def test_one_per_label_needs_as_many_as_there_are_labels() -> None:
    with pytest.raises(UsageError, match="each of the 3 labels, and the count is 1: set it to 3"):
        demonstrator("one-per-label", count=1)


def test_random_depends_on_seed_conversation_and_turn_and_on_nothing_else() -> None:
    many = talk("m", *((f"text {number}", "joy") for number in range(40)))
    pool = tiny_pool(replace(CORPUS, train=(many,)))
    found = demonstrator("random", pool=pool, count=2)
    others = [talk(f"o{number}", ("x", None), ("y", None)) for number in range(4)]
    together = found.for_conversations(others, training=False)
    assert found.for_conversations(others[::-1], training=True)[::-1] == together
    assert [found.for_conversation(item, training=False) for item in others] == together
    assert [tuple(found.for_turn(item, turn) for turn in range(2)) for item in others] == together
    assert len({tuple(turn) for item in together for turn in item}) > 4
    assert (
        demonstrator("random", pool=pool, count=2, pairing=get_pairing("random", seed=1)).for_conversations(
            others, training=False
        )
        != together
    )


def test_the_oracle_looks_at_the_answer_and_says_so() -> None:
    assert [name for name, pairing in PAIRINGS.items() if pairing.leaks_gold] == ["oracle"]
    assert shown(demonstrator("oracle").for_conversation(TEST, training=False)) == [[("ddd", "fear")], []]
    pool = tiny_pool()
    assert pool.vectors is not None
    queries = Queries(vectors=pool.vectors[:1], conversations=["x"], turns=[0], excluded=[frozenset()])
    with pytest.raises(UsageError, match="pairing 'oracle' needs the right answers, and there are none here"):
        Oracle().choose(pool, queries, count=1)


@given(
    name=st.sampled_from(sorted(set(PAIRINGS) - {"oracle"})),
    golds=st.lists(st.sampled_from((None, *LABELS)), min_size=3, max_size=3),
)
def test_at_inference_no_other_pairing_sees_the_answers(name: str, golds: list[str | None]) -> None:
    blind = talk("new", ("aaab", None), ("bb", None), ("d", None))
    told = talk("new", *zip(("aaab", "bb", "d"), golds, strict=True))
    found = demonstrator(name)
    assert found.for_conversation(told, training=False) == found.for_conversation(blind, training=False)


words = st.text("ab", min_size=1, max_size=3)
turns = st.lists(st.tuples(words, st.sampled_from((None, "joy", "anger"))), min_size=1, max_size=5)


@given(
    spoken=st.lists(turns, min_size=1, max_size=5),
    name=st.sampled_from(sorted(PAIRINGS)),
    training=st.booleans(),
    count=st.integers(1, 3),
    prefix=st.sampled_from(("", "mixed:")),
)
def test_no_turn_is_shown_its_own_conversation(spoken: Any, name: str, training: bool, count: int, prefix: str) -> None:
    train = tuple(talk(f"t{number}", *items) for number, items in enumerate(spoken))
    pool = tiny_pool(Corpus("any", ("joy", "anger"), train=train))
    if not len(pool):
        return
    pairing, count = get_pairing(name), 2 if name == "one-per-label" else count
    queries = Demonstrator(pool=pool, encoder=FakeEncoder(), pairing=pairing, count=count)
    for conversation in train:
        asked = replace(conversation, id=prefix + conversation.id)
        vectors = FakeEncoder().encode([utterance.text for utterance in asked.utterances])
        made = queries._queries([(asked, turn) for turn in range(len(asked))], vectors, training)
        for rows in pairing.choose(pool, made, count=count):
            assert conversation.id not in {pool.entries[row].conversation for row in rows}
            assert len({(pool.entries[row].text, pool.entries[row].label) for row in rows}) == len(rows) <= count


def test_a_foreign_pool_shows_conversations_of_the_same_id() -> None:
    foreign = talk("a", ("other", "joy"), ("words", "anger"))
    found = demonstrator().for_conversation(foreign, training=True)
    assert len(shown(found)[0]) == 1
    near = demonstrator(count=8).for_conversation(talk("b", ("ddd!", None)), training=True)
    assert ("ddd", "fear") in shown(near)[0]


def test_in_training_a_pool_of_unknown_origin_never_shows_the_same_words() -> None:
    entries = (PoolEntry(text="aaa", label="joy"), PoolEntry(text="aaab", label="anger"))
    found = demonstrator(pool=DemonstrationPool(LABELS, entries).encoded(FakeEncoder()))
    assert shown(found.for_conversation(TEST, training=True))[0] == [("aaab", "anger")]
    assert shown(found.for_conversation(TEST, training=False))[0] == [("aaa", "joy")]


def test_the_same_words_with_the_same_label_are_shown_once() -> None:
    found = demonstrator(count=9).for_conversation(talk("new", ("aaa", None)), training=False)
    assert len(set(found[0])) == len(found[0]) == 7


@pytest.mark.parametrize("name", sorted(PAIRINGS))
def test_one_by_one_and_together_are_the_same(name: str) -> None:
    found = demonstrator(name)
    everything = [*TRAIN, *CORPUS.test, Conversation("empty", ())]
    together = found.for_conversations(everything, training=True)
    assert [len(item) for item in together] == [len(item) for item in everything]
    assert [found.for_conversation(item, training=True) for item in everything] == together
    for conversation, chosen in zip(everything, together, strict=True):
        assert tuple(found.for_turn(conversation, turn, training=True) for turn in range(len(conversation))) == chosen


def test_a_corpus_is_encoded_once(tmp_path: Any) -> None:
    encoder = FakeEncoder()
    found = demonstrator(encoder=encoder, cache=EmbeddingCache(folder=tmp_path))
    first = found.for_conversations(TRAIN, training=True)
    assert found.for_conversations(TRAIN, training=True) == first
    assert len(encoder.asked) == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"count": 0}, "demonstrations.count is 0"),
        ({"pool": DemonstrationPool(LABELS, ())}, "the pool of demonstrations is empty"),
        ({"pool": DemonstrationPool.of_corpus(CORPUS)}, "was encoded by nothing yet, turns would be by letters@1"),
        ({"encoder": FakeEncoder(name="other")}, "was encoded by letters@1, turns would be by other@1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        demonstrator(**settings)


def test_provenance_says_what_was_shown() -> None:
    found = demonstrator("random", pairing=get_pairing("random", seed=4))
    assert found.provenance() == {
        "pairing": "random",
        "seed": 4,
        "leaks_gold": False,
        "count": 1,
        "encoder": "letters@1",
        "pool": found.pool.hash,
        "entries": 8,
    }


def test_an_unknown_pairing_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown pairing 'same_label': did you mean 'same-label'"):
        get_pairing("same_label")


def test_the_fake_encoder_makes_unit_vectors() -> None:
    assert np.allclose(np.linalg.norm(FakeEncoder().encode(["a", ""]), axis=1), 1)
