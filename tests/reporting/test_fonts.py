"""Labels of any script in plots."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.corpora.statistics import corpus_statistics
from instructerc.reporting import fonts
from instructerc.reporting.plots_data import plot_statistics

LABELS = ("高兴", "فرح", "😀", "joy $1")


def drawn(text: str) -> np.ndarray:
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.4, text, fontsize=30)
    return np.asarray(imread(io.BytesIO(fonts.png(figure, dpi=60))))


def test_a_font_of_the_system_stands_in_for_letters_that_the_bundled_one_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """STIXGeneral comes with matplotlib: of all kana it has one, and the default font has none."""
    monkeypatch.setattr(fonts, "STAND_INS", ("No such font", "STIXGeneral"))
    assert fonts.installed() == ["STIXGeneral"]
    with_stand_in, latin = drawn("\u306e"), drawn("joy")
    monkeypatch.setattr(fonts, "STAND_INS", ())
    boxes = drawn("\u306e")
    assert (with_stand_in < 0.5).any()
    assert not np.array_equal(with_stand_in, boxes)
    assert np.array_equal(latin, drawn("joy")), "what the default font has stays as it is"


def test_pictures_of_a_corpus_take_labels_of_any_script(tmp_path: Path) -> None:
    chat = Conversation("c", tuple(Utterance("A", "x", label) for label in LABELS))
    corpus = Corpus(name="语料 $", labels=LABELS, train=(chat,), validation=(), test=())
    assert plot_statistics(corpus_statistics(corpus), tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
