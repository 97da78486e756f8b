"""Nearest neighbours and logistic regression on sentence embeddings."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.assets.embedded import PACKAGE
from instructerc.baselines import EmbeddingLogistic, EmbeddingNearest
from instructerc.baselines.embeddings import majority_of
from instructerc.conversation import Conversation
from instructerc.demonstrations import EmbeddingCache, SentenceEncoder
from instructerc.errors import DataError, OfflineError, UsageError
from tests.baselines.encoders import HashEncoder, LetterEncoder, talk

TRAIN = (
    talk("a", ("aaa", "joy"), ("bbb", "anger"), ("aab", "joy"), ("not labelled", None)),
    talk("b", ("bba", "anger"), ("bbbb", "anger"), ("ccc", "fear")),
)
QUERIES = (talk("q", ("aaaa", None), ("bb", "joy"), ("ccccc", None)), Conversation("empty", ()), talk("r", ("b", None)))

METHODS = (EmbeddingNearest(encoder=LetterEncoder(), neighbours=1), EmbeddingLogistic(encoder=LetterEncoder()))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_turns_get_the_label_of_what_is_like_them(method: Any) -> None:
    fitted = method.fit(TRAIN)
    assert fitted.predict(QUERIES) == (("joy", "anger", "fear"), (), ("anger",))
    assert fitted.predict([Conversation("empty", ())]) == ((),)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_no_labelled_turn_is_an_error(method: Any) -> None:
    with pytest.raises(DataError, match="none of 1 training conversations has a labelled turn"):
        method.fit([talk("a", ("hi", None))])


def test_among_equals_the_nearest_decides() -> None:
    train = [talk("a", ("aaab", "joy"), ("aabb", "anger"))]
    labels = [
        EmbeddingNearest(encoder=LetterEncoder(), neighbours=2).fit(train).predict([talk("q", (text, None))])
        for text in ("aaa", "bbb")
    ]
    assert labels == [(("joy",),), (("anger",),)]


def test_more_neighbours_than_turns_are_all_turns() -> None:
    fitted = EmbeddingNearest(encoder=LetterEncoder(), neighbours=50).fit(TRAIN)
    assert fitted.predict(QUERIES[:1]) == (("anger",) * 3,)


@given(st.lists(st.sampled_from(["joy", "anger", "fear"]), min_size=1))
def test_the_majority_is_a_most_frequent_label_and_comes_first_among_them(labels: list[str]) -> None:
    counts = Counter(labels)
    best = [label for label in labels if counts[label] == max(counts.values())]
    assert majority_of(labels) == best[0]


@pytest.mark.parametrize("neighbours", [1, 2, 3])
def test_neighbours_are_those_of_scikit_learn(neighbours: int) -> None:
    from sklearn.neighbors import NearestNeighbors

    texts = ["ab", "abc", "cab", "bad", "dab", "ccd", "add", "bbcd"]
    labels = ["joy", "joy", "anger", "fear", "anger", "joy", "fear", "anger"]
    queries = ["acd", "bbd", "daa"]
    encoder = HashEncoder(name="hash")
    fitted = EmbeddingNearest(encoder=encoder, neighbours=neighbours).fit([talk("a", *zip(texts, labels, strict=True))])
    theirs = NearestNeighbors(n_neighbors=neighbours, metric="cosine", algorithm="brute")
    theirs.fit(encoder.encode(texts))
    for query, (label,) in zip(queries, fitted.predict([talk(text, (text, None)) for text in queries]), strict=True):
        found = theirs.kneighbors(encoder.encode([query]), return_distance=False)[0]
        assert label == majority_of([labels[row] for row in found])


def test_one_label_leaves_nothing_to_regress_on() -> None:
    encoder = LetterEncoder()
    assert (
        EmbeddingLogistic(encoder=encoder).fit([talk("a", ("x", "joy"), ("y", "joy"))]).predict(QUERIES)[0]
        == ("joy",) * 3
    )
    assert encoder.asked == []


def test_a_corpus_is_encoded_once(tmp_path: Path) -> None:
    encoder = LetterEncoder()
    for method in (
        EmbeddingNearest(encoder=encoder, cache=EmbeddingCache(folder=tmp_path)),
        EmbeddingLogistic(encoder=encoder, cache=EmbeddingCache(folder=tmp_path)),
    ):
        method.fit(TRAIN).predict(QUERIES)
    assert len(encoder.asked) == 2


def test_no_neighbour_is_an_error() -> None:
    with pytest.raises(UsageError, match="neighbours is 0: give a number of training turns, 1 or more"):
        EmbeddingNearest(neighbours=0)


@pytest.mark.parametrize("method", [EmbeddingNearest(), EmbeddingLogistic()], ids=lambda method: type(method).__name__)
def test_a_missing_library_is_named_with_its_remedy(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for begin in (method.require, lambda: method.fit(TRAIN)):
        with pytest.raises(UsageError, match=r"pip install 'instructerc\[demonstrations\]'"):
            begin()


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None, reason="sentence-transformers is missing"
)
def test_a_model_that_cannot_be_had_is_found_out_before_anything_is_fitted() -> None:
    with pytest.raises(OfflineError, match="nobody/nothing"):
        EmbeddingNearest(encoder=SentenceEncoder(name="nobody/nothing")).require()


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None or importlib.util.find_spec(PACKAGE) is None,
    reason="sentence-transformers or the packaged weights are missing",
)
def test_the_packaged_encoder_knows_what_words_mean() -> None:
    train = [talk("a", ("What a wonderful day!", "joy"), ("I am furious with you.", "anger"))]
    queries = [talk("q", ("This morning is so lovely.", None), ("You make me so mad.", None))]
    for method in (EmbeddingNearest(neighbours=1), EmbeddingLogistic()):
        method.require()
        assert method.fit(train).predict(queries) == (("joy", "anger"),)
