from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.corpora.hashing import corpus_hash

CORPUS = Corpus(
    "mine",
    ("calm", "angry"),
    train=(Conversation("a", (Utterance("Ada", "Hi", "calm"), Utterance("Bo", "No!\u2028 😀", "angry"))),),
    test=(Conversation("b", (Utterance("Ada", "So"),)),),
)
utterances = st.builds(Utterance, st.text(), st.text(), st.none() | st.text())
conversations = st.lists(st.builds(Conversation, st.text(), st.lists(utterances, max_size=3)), max_size=3)
corpora = st.builds(Corpus, st.just("x"), st.lists(st.text(), max_size=2), conversations, conversations, conversations)


def test_the_hash_is_the_same_today_and_tomorrow() -> None:
    assert corpus_hash(CORPUS) == "bdb66f855205ece7c75e9a44374a40ef03b082eb47b0056c4d14a39ca0de9fa9"


def test_the_name_does_not_matter_and_all_else_does() -> None:
    assert corpus_hash(replace(CORPUS, name="yours")) == corpus_hash(CORPUS)
    others = [
        replace(CORPUS, labels=("angry", "calm")),
        replace(CORPUS, train=CORPUS.test, test=CORPUS.train),
        replace(CORPUS, validation=CORPUS.test, test=()),
        replace(CORPUS, test=(Conversation("b", (Utterance("Ada", "So", "calm"),)),)),
        replace(CORPUS, test=(Conversation("c", CORPUS.test[0].utterances),)),
    ]
    assert len({corpus_hash(corpus) for corpus in (CORPUS, *others)}) == 6


@given(first=corpora, second=corpora)
def test_equal_hashes_mean_equal_content(first: Corpus, second: Corpus) -> None:
    assert (corpus_hash(first) == corpus_hash(second)) == (first == second)
    assert corpus_hash(Corpus.from_json(first.to_json())) == corpus_hash(first)
