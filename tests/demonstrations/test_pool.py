"""Pools: what stands in them, and what of them belongs to a conversation."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Corpus
from instructerc.demonstrations import DemonstrationPool, PoolEntry
from instructerc.errors import UnknownLabelError, UsageError
from tests.demonstrations.fakes import CORPUS, LABELS, TRAIN, FakeEncoder, talk, tiny_pool
from tests.prompts.strategies import conversations

corpora = st.builds(
    lambda train, held_out: Corpus("any", ("joy", "anger"), train=train, validation=held_out, test=held_out),
    st.lists(conversations, max_size=3).map(
        lambda found: [replace_id(item, f"train-{n}") for n, item in enumerate(found)]
    ),
    st.lists(conversations, max_size=3).map(
        lambda found: [replace_id(item, f"held-{n}") for n, item in enumerate(found)]
    ),
)


def replace_id(conversation: Conversation, name: str) -> Conversation:
    return replace(conversation, id=name)


@given(corpora, st.sampled_from((None, "smallest", 1, 3)))
def test_only_labelled_turns_of_the_training_split_enter(corpus: Corpus, per_label: Any) -> None:
    pool = DemonstrationPool.of_corpus(corpus, per_label=per_label)
    said = {(item.id, turn): item.utterances[turn] for item in corpus.train for turn in range(len(item))}
    for entry in pool.entries:
        utterance = said[entry.conversation or "", entry.turn or 0]
        assert (entry.text, entry.label) == (utterance.text, utterance.emotion)
    if per_label is None:
        assert len(pool) == sum(utterance.emotion is not None for utterance in said.values())


@given(corpora, st.integers(0, 3))
def test_a_balanced_pool_has_as_many_of_each_as_the_rarest(corpus: Corpus, seed: int) -> None:
    every = {label: count for label, count in DemonstrationPool.of_corpus(corpus).counts.items() if count}
    pool = DemonstrationPool.of_corpus(corpus, per_label="smallest", seed=seed)
    assert set(Counter(entry.label for entry in pool.entries).values()) == ({min(every.values())} if every else set())
    assert pool.entries == DemonstrationPool.of_corpus(corpus, per_label="smallest", seed=seed).entries


def test_a_cap_keeps_corpus_order_and_depends_on_the_seed() -> None:
    many = talk("m", *((f"text {number}", "joy") for number in range(30)), ("alone", "anger"))
    corpus = replace(CORPUS, train=(many,))
    first, second = (DemonstrationPool.of_corpus(corpus, per_label=5, seed=seed) for seed in (0, 1))
    assert first.counts == second.counts == {"joy": 5, "anger": 1, "fear": 0}
    assert first.entries != second.entries
    turns = [entry.turn or 0 for entry in first.entries]
    assert turns == sorted(turns)
    without = replace(corpus, train=(talk("m", *((f"text {number}", "joy") for number in range(30))),))
    assert [e.text for e in DemonstrationPool.of_corpus(without, per_label=5).entries] == [
        e.text for e in first.entries if e.label == "joy"
    ]


@pytest.mark.parametrize("per_label", [0, -1, "largest", True])
def test_a_cap_that_is_no_number_is_refused(per_label: Any) -> None:
    with pytest.raises(UsageError, match="give a number of entries, 1 or more, smallest, or nothing for all"):
        DemonstrationPool.of_corpus(CORPUS, per_label=per_label)


def test_the_speaker_is_not_in_it() -> None:
    loud = Corpus("loud", ("joy",), train=(Conversation("c", (replace(TRAIN[0].utterances[0], speaker="MONICA"),)),))
    pool = DemonstrationPool.of_corpus(loud)
    assert "MONICA" not in repr(pool.entries)
    assert [item.text for item in pool.demonstrations([0])] == ["aaa"]


def test_the_hash_knows_labels_entries_and_encoder() -> None:
    pool = DemonstrationPool.of_corpus(CORPUS)
    others = [
        replace(pool, labels=LABELS[::-1]),
        replace(pool, entries=pool.entries[1:]),
        replace(pool, entries=(replace(pool.entries[0], text="other"), *pool.entries[1:])),
        replace(pool, entries=(replace(pool.entries[0], label="fear"), *pool.entries[1:])),
        pool.encoded(FakeEncoder()),
        pool.encoded(FakeEncoder(name="other")),
    ]
    assert len({pool.hash, *(other.hash for other in others)}) == 7
    assert pool.hash == DemonstrationPool.of_corpus(CORPUS).hash


def test_an_encoded_pool_is_not_encoded_again() -> None:
    pool, encoder = tiny_pool(), FakeEncoder()
    assert pool.encoded(encoder) is pool
    assert not encoder.asked


def test_a_conversation_is_known_under_another_id() -> None:
    pool = DemonstrationPool.of_corpus(CORPUS)
    assert pool.rows_of(TRAIN[1]) == pool.rows_of(replace(TRAIN[1], id="meld:b")) == {2, 3, 4}


def test_a_conversation_is_known_while_it_goes_on_and_after_a_repair() -> None:
    pool = DemonstrationPool.of_corpus(CORPUS)
    assert pool.rows_of(talk("b", ("aaab", None))) == {2, 3, 4}
    assert pool.rows_of(talk("b", ("repaired", None), ("bbba", None), ("ddd", None), ("more", None))) == {2, 3, 4}


def test_the_same_id_in_another_corpus_says_nothing() -> None:
    pool = DemonstrationPool.of_corpus(CORPUS)
    assert pool.rows_of(talk("b", ("other", None), ("words", None))) == frozenset()
    assert pool.rows_of(talk("b")) == frozenset()


def test_a_pool_that_does_not_fit_itself_is_refused() -> None:
    entry = PoolEntry(text="Ha!", label="joy")
    with pytest.raises(UnknownLabelError, match=r"demonstration 'Ha!': unknown label 'joy': .*Known: calm"):
        DemonstrationPool(("calm",), (entry,))
    with pytest.raises(UsageError, match="or neither: give both"):
        DemonstrationPool(LABELS, (entry,), "letters@1")
    with pytest.raises(UsageError, match="a pool of 1 entries needs as many unit vectors"):
        DemonstrationPool(LABELS, (entry,), "letters@1", np.zeros((1, 3), np.float32))
    with pytest.raises(UsageError, match=r"no vectors yet: call encoded\(encoder\) first"):
        DemonstrationPool(LABELS, (entry,)).search  # noqa: B018
