"""The released answer rule."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from instructerc.labels import EMORYNLP, IEMOCAP, MELD, get_label_set
from instructerc.recognition.answers import Verdict, read_answer

LABELS = st.sampled_from([IEMOCAP.labels, MELD.labels, EMORYNLP.labels])
WORDS = st.text(alphabet="abdefhinoprstuy ", max_size=30)


def test_every_verdict_of_the_released_rule_is_reproduced(shared: Path) -> None:
    rows = json.loads((shared / "oracles" / "answers.json").read_text(encoding="utf-8"))
    assert len(rows) == 360
    for row in rows:
        verdict = read_answer(row["answer"], get_label_set(row["corpus"].lower()).labels)
        assert verdict == Verdict(row["label"], row["out_of_label"]), row


def test_the_leftmost_label_counts_and_the_longest_at_its_place() -> None:
    assert read_answer("not sad but happy", ("happy", "sad")).label == "sad"
    assert read_answer("sadness", ("sad", "sadness")) == Verdict("sadness", out_of_label=False)
    assert read_answer("unhappy", ("happy", "unhappy")).label == "unhappy"


def test_a_label_inside_a_word_counts() -> None:
    assert read_answer("madness", EMORYNLP.labels).out_of_label
    assert read_answer("Madness", EMORYNLP.labels) == Verdict("Mad", out_of_label=False)


def test_an_empty_answer_is_out_of_label_and_the_shortest_label_is_nearest() -> None:
    assert read_answer("", IEMOCAP.labels) == Verdict("sad", out_of_label=True)


def test_the_first_of_equally_near_labels_counts() -> None:
    assert read_answer("x", ("ab", "cd")).label == "ab"
    assert read_answer("x", ("cd", "ab")).label == "cd"


@given(LABELS, st.data())
def test_a_label_is_read_as_itself(labels: tuple[str, ...], data: st.DataObject) -> None:
    label = data.draw(st.sampled_from(labels))
    assert read_answer(label, labels) == Verdict(label, out_of_label=False)


@given(LABELS, WORDS)
def test_a_verdict_is_always_a_label_and_says_whether_it_stood_there(labels: tuple[str, ...], answer: str) -> None:
    verdict = read_answer(answer, labels)
    assert verdict.label in labels
    assert verdict.out_of_label == (not any(label in answer for label in labels))
    if not verdict.out_of_label:
        assert verdict.label in answer


@given(LABELS, WORDS, st.data())
def test_words_after_the_label_change_nothing(labels: tuple[str, ...], after: str, data: st.DataObject) -> None:
    label = data.draw(st.sampled_from(labels))
    assert read_answer(f"{label} {after}", labels) == Verdict(label, out_of_label=False)
