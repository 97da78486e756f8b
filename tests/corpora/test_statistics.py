"""What a corpus holds, in figures."""

from __future__ import annotations

import json
import statistics

from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.corpora.statistics import corpus_statistics, distribution

CORPUS = Corpus(
    "tiny",
    ("joy", "fear"),
    train=(
        Conversation(
            "a", (Utterance("A", "one two three", "joy"), Utterance("B", "", "fear"), Utterance("A", "x", "joy"))
        ),
        Conversation("b", (Utterance("A", "one", None),)),
    ),
)


def test_figures_of_a_split() -> None:
    part = corpus_statistics(CORPUS).splits["train"]
    assert (part.conversations, part.utterances, part.unlabelled) == (2, 4, 1)
    assert part.labels == {"joy": 2, "fear": 1}
    assert part.speakers is not None
    assert part.turns is not None
    assert part.words is not None
    assert (part.speakers.minimum, part.speakers.maximum) == (1, 2)
    assert (part.turns.mean, part.turns.median) == (2, 2)
    assert (part.words.minimum, part.words.maximum, part.words.mean) == (0, 3, 1.25)


def test_an_empty_split_has_no_distribution() -> None:
    part = corpus_statistics(CORPUS).splits["test"]
    assert (part.conversations, part.turns, part.words) == (0, None, None)


def test_json_and_rows_hold_every_figure() -> None:
    found = corpus_statistics(CORPUS)
    assert json.loads(json.dumps(found.to_json()))["splits"]["train"]["labels"] == {"joy": 2, "fear": 1}
    rows = {row[0]: row[1:] for row in found.rows()}
    assert rows[""] == ("train", "validation", "test")
    assert rows["joy"] == ("2 (66.7%)", "-", "-")
    assert rows["turns per conversation"] == ("2 (1-3, mean 2.0)", "-", "-")
    assert rows["(no emotion)"] == ("1", "0", "0")


@given(st.lists(st.integers(0, 1000), min_size=2))
def test_quantiles_are_those_of_the_standard_library(values: list[int]) -> None:
    found = distribution(values)
    assert found is not None
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    for ours, theirs in zip((found.lower_quartile, found.median, found.upper_quartile), quartiles, strict=True):
        assert abs(ours - theirs) < 1e-9
    assert found.minimum <= found.lower_quartile <= found.median <= found.percentile_95 <= found.maximum
