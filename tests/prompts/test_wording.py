"""Wordings: the exact words of each, and that text of users passes through them unharmed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.errors import UnknownNameError, UsageError
from instructerc.prompts import WORDINGS, PromptSpec, Window, get_wording
from tests.prompts.strategies import conversations

LABELS = ("joy", "anger")
CHAT = Conversation(
    "c",
    (
        Utterance("Ann", "It broke.", "anger"),
        Utterance("Bo", "Great.", "anger"),
        Utterance("Ann", "It works!", "joy"),
        Utterance("Bo", "Great.", "joy"),
    ),
)
EXPERT = "Now you are expert of sentiment and emotional analysis."
OPENING = f"{EXPERT} The following conversation noted between '### ###' involves several speakers. ### "


def prompt(wording: str, turn: int = 2, *, task: Any = "recognition", **settings: Any) -> str:
    return PromptSpec(labels=LABELS, wording=wording, **settings).example(CHAT, turn, task=task).prompt


def test_the_released_wording_is_the_published_one() -> None:
    assert prompt("released") == (
        f'{OPENING}\t Speaker_0:"It broke."\t Speaker_1:"Great."\t Speaker_0:"It works!" '
        '### Please select the emotional label of < Speaker_0:"It works!"> from <joy, anger>:'
    )


def test_the_released_wording_asks_who_speaks_without_history() -> None:
    nine = ", ".join(f"Speaker_{number}" for number in range(9))
    assert prompt("released", task="speaker_identification") == (
        f"{EXPERT} Please select the Speaker label of the utterance <Speaker: It works!> from <{nine}>:"
    )


def test_the_released_wording_asks_what_the_next_turn_will_feel() -> None:
    assert prompt("released", task="prediction") == (
        f'{OPENING}\t Speaker_0:"It broke."\t Speaker_1:"Great."###Based on the above historical utterances, '
        "next utterance is spoken by <0>, please predict the emotion states of <0> from <joy, anger>:"
    )


def test_the_released_wording_predicts_the_first_turn_with_the_main_prompt() -> None:
    assert prompt("released", 0, task="prediction") == prompt("released", 0)


def test_a_prediction_is_made_from_earlier_turns_only() -> None:
    both = Window(context="both")
    assert prompt("released", task="prediction", window=both) == prompt("released", task="prediction")


def test_the_plain_wording_shows_the_target_alone() -> None:
    assert prompt("plain") == "Please select the emotional label of <It works!> from <joy, anger>:"


def test_the_paper_wording_is_the_template_of_figure_2() -> None:
    assert prompt("paper") == (
        f"{EXPERT}\nHere is a conversation :\n"
        'Speaker_0:"It broke."\nSpeaker_1:"Great."\nSpeaker_0:"It works!"\n'
        'Please select the emotional label of < Speaker_0:"It works!" > from < joy, anger >.'
    )


def test_the_compact_wording_states_the_labels_once() -> None:
    assert prompt("compact") == "Emotions: joy, anger.\nA: It broke.\nB: Great.\nA: It works!\nA feels:"


def test_the_repeated_compact_wording_ends_with_the_target() -> None:
    assert prompt("compact-repeated", 1) == "Emotions: joy, anger.\nA: It broke.\nB: Great.\nEmotion of B: Great. ="


def test_speakers_go_by_name_where_that_is_wanted() -> None:
    assert prompt("compact", 1, speakers="name") == "Emotions: joy, anger.\nAnn: It broke.\nBo: Great.\nBo feels:"
    assert '\nBo:"Great."\n' in prompt("paper", 1, speakers="name")


def test_turns_after_the_target_are_shown_where_that_is_wanted() -> None:
    both = Window(size=1, context="both")
    assert prompt("compact", 1, window=both) == (
        "Emotions: joy, anger.\nA: It broke.\nB: Great.\nA: It works!\nB feels:"
    )


@pytest.mark.parametrize("wording", sorted(set(WORDINGS) - {"released"}))
@pytest.mark.parametrize("task", ["speaker_identification", "prediction"])
def test_a_task_without_words_is_refused(wording: str, task: str) -> None:
    with pytest.raises(UsageError) as caught:
        prompt(wording, task=task)
    assert str(caught.value) == f"wording {wording!r} has no words for task {task!r}; it has: recognition"


def test_an_unknown_wording_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'released'"):
        get_wording("relesed")


@given(conversation=conversations, wording=st.sampled_from(sorted(WORDINGS)), data=st.data())
def test_whatever_is_said_stands_verbatim_in_the_prompt(
    conversation: Conversation, wording: str, data: st.DataObject
) -> None:
    turn = data.draw(st.integers(0, len(conversation) - 1))
    named = wording != "released" and data.draw(st.booleans())
    window = data.draw(st.builds(Window, size=st.integers(0, 3), stride=st.integers(1, 3)))
    spec = PromptSpec(labels=LABELS, wording=wording, window=window, speakers="name" if named else "index")
    example = spec.example(conversation, turn)
    statement = example.segments[-1]
    assert statement.kind == "statement"
    assert example.prompt.endswith(statement.text)
    kinds = [segment.kind for segment in example.segments[:-1]]
    assert kinds == sorted(kinds, key=["instruction", "turn"].index)
    shown = [segment for segment in example.segments if segment.kind == "turn"]
    if wording == "plain":
        assert conversation.utterances[turn].text in statement.text
    else:
        assert [segment.turn for segment in shown] == list(window.turns(turn, len(conversation)))
    for segment in shown:
        utterance = conversation.utterances[segment.turn or 0]
        assert utterance.text in segment.text
        assert not named or utterance.speaker in segment.text


@given(conversation=conversations, wording=st.sampled_from(sorted(set(WORDINGS) - {"plain"})))
def test_texts_in_a_prompt_can_be_told_from_its_words(conversation: Conversation, wording: str) -> None:
    """Only what is said differs from the prompt of a conversation in which nothing is."""
    silent = Conversation("c", tuple(Utterance(said.speaker, "") for said in conversation.utterances))
    spec = PromptSpec(labels=LABELS, wording=wording)
    last = len(conversation) - 1
    full, empty = spec.example(conversation, last), spec.example(silent, last)
    for said, unsaid in zip(full.segments, empty.segments, strict=True):
        if said.turn is not None:
            text = conversation.utterances[said.turn].text
            assert len(said.text) == len(unsaid.text) + len(text)
