from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.labels import LABEL_SETS
from instructerc.reporting import Mark, palette

UNIFIED = ("joyful", "sad", "neutral", "mad", "excited", "powerful", "fear", "peaceful", "disgust")
SETS = [*(labels.labels for labels in LABEL_SETS.values()), UNIFIED]

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
SEEN_BY = {
    "full colour vision": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def _lab(mark: Mark, sight: np.ndarray) -> np.ndarray:
    coded = np.array([int(mark.colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(sight @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(to_xyz @ seen / [0.9505, 1.0, 1.089], 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SEEN_BY)
@pytest.mark.parametrize("labels", SETS, ids=lambda labels: labels[0])
def test_no_two_emotions_of_a_set_look_alike_to_any_eye(labels: tuple[str, ...], sight: str) -> None:
    seen = {label: _lab(mark, SEEN_BY[sight]) for label, mark in palette(labels).items()}
    for one, other in itertools.combinations(labels, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 8, (one, other)


@given(st.lists(st.text(), unique=True, max_size=40))
def test_any_labels_get_marks_of_their_own(labels: list[str]) -> None:
    marks = palette(labels)
    assert list(marks) == labels
    assert len(set(marks.values())) == len(labels)


@pytest.mark.parametrize("labels", SETS, ids=lambda labels: labels[0])
def test_symbols_alone_tell_the_emotions_of_a_known_set_apart(labels: tuple[str, ...]) -> None:
    assert len({mark.symbol for mark in palette(labels).values()}) == len(labels)


def test_an_emotion_is_marked_alike_in_every_set() -> None:
    assert palette(("joyful", "Mad"))["Mad"] == palette(("anger",))["anger"] == palette(("angry", "x"))["angry"]


def test_two_words_for_one_emotion_in_one_set_are_marked_apart() -> None:
    marks = palette(("happy", "joyful"))
    assert marks["happy"] != marks["joyful"]


def test_more_labels_than_pairs_are_still_told_apart() -> None:
    labels = [f"mood {number}" for number in range(300)]
    assert len(set(palette(labels).values())) == 300


def test_what_is_uncertain_looks_like_no_emotion() -> None:
    marks = palette(["neutral", "joy", "uncertain"])
    assert len({found.symbol for found in marks.values()}) == 3
    assert "?" not in {found.symbol for found in palette([f"label {number}" for number in range(60)]).values()}
