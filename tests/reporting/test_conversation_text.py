"""A conversation as lines for a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.labels import LABEL_SETS
from instructerc.reporting.conversation_text import conversation_text
from instructerc.reporting.palette import mark, palette


def test_columns_are_aligned_and_markup_is_text() -> None:
    chat = Conversation("[bold]", (Utterance("Ann", "[red]x[/red]", "joy"), Utterance("怒", "y")))
    assert conversation_text(chat).plain.splitlines() == [
        "[bold]  2 speakers, 2 turns",
        " 0  Ann  [joy]  [red]x[/red]",
        " 1  怒   -      y",
    ]


@given(st.text(), st.text(), st.none() | st.text())
def test_no_text_breaks_a_line_or_steers_the_terminal(speaker: str, text: str, emotion: str | None) -> None:
    plain = conversation_text(Conversation("a", (Utterance(speaker, text, emotion),))).plain
    assert len(plain.splitlines()) == 2
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in plain.replace("\n", ""))


def test_labels_of_one_set_have_different_colours_whatever_their_case() -> None:
    for labels in LABEL_SETS.values():
        colours = {mark(label).terminal for label in labels.labels}
        assert len(colours) == len(labels.labels)
        assert colours == {mark(label.upper()).terminal for label in labels.labels}


def test_a_label_that_nobody_foresaw_has_one_colour_in_every_conversation() -> None:
    assert mark("Tense") == mark(" tense ")
    assert palette(["tense", "calm"])["calm"] == mark("calm")
