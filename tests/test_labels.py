"""Label sets: what a word means in each, and how people name one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.errors import UnknownLabelError, UnknownNameError, UsageError
from instructerc.labels import EKMAN, EMORYNLP, IEMOCAP, LABEL_SETS, MELD, LabelSet, label_set_of, parse_label_set


@pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=LABEL_SETS)
def test_every_spelling_means_a_label_of_its_set_whatever_its_case(labels: LabelSet) -> None:
    for word in (*labels.labels, *labels.spellings):
        assert labels.canonical(f" {word.upper()} ") == labels.canonical(word)
        assert labels.canonical(word) in labels.labels
    assert labels.neutral in labels.labels


def test_labels_stand_in_the_order_of_the_published_prompts() -> None:
    assert IEMOCAP.labels == ("happy", "sad", "neutral", "angry", "excited", "frustrated")
    assert MELD.labels == ("neutral", "surprise", "fear", "sad", "joyful", "disgust", "angry")
    assert EMORYNLP.labels == ("Joyful", "Mad", "Peaceful", "Neutral", "Sad", "Powerful", "Scared")


def test_an_unknown_label_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(UnknownLabelError, match="unknown label 'angyr': did you mean 'anger'"):
        EKMAN.canonical("angyr")


def test_a_set_is_named_or_spelled_out() -> None:
    assert parse_label_set(" MELD ") is MELD
    assert parse_label_set("calm, tense").labels == ("calm", "tense")
    assert parse_label_set(",".join(EKMAN.labels)) is EKMAN


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("meldd", UnknownNameError, "unknown label set 'meldd': did you mean 'meld'"),
        ("calm,,tense", UsageError, "a label is blank or stands twice"),
        ("calm,", UsageError, "a label is blank or stands twice"),
        ("calm,Calm", UsageError, "a label is blank or stands twice"),
    ],
)
def test_what_names_no_set_is_an_error(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_label_set(text)


@given(st.lists(st.text(min_size=1), unique=True, min_size=1).map(tuple))
def test_any_labels_make_a_set_that_keeps_them(labels: tuple[str, ...]) -> None:
    assert label_set_of(labels).labels == labels
