"""Wordings: the exact words of each, and that text of users passes through them unharmed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.errors import UnknownNameError, UsageError
from instructerc.prompts import WORDINGS, Example, PromptSpec, Task, Window, get_wording
from tests.prompts.strategies import conversations, speakers, texts, windows

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


ABLE = sorted(set(WORDINGS) - {"plain"})
"""The wordings that have words for every task."""

compacts = pytest.mark.parametrize("wording", ["compact", "compact-repeated"])


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
    assert prompt("released", 0, task="prediction", window=Window(context="both")) == prompt("released", 0)


def test_the_released_wording_predicts_a_later_turn_without_it_where_no_history_is_shown() -> None:
    assert prompt("released", task="prediction", window=Window(size=0)) == (
        f"{OPENING}###Based on the above historical utterances, next utterance is spoken by <0>, "
        "please predict the emotion states of <0> from <joy, anger>:"
    )


def test_the_plain_wording_shows_the_target_alone() -> None:
    assert prompt("plain") == "Please select the emotional label of <It works!> from <joy, anger>:"


def test_the_paper_wording_is_the_template_of_figure_2() -> None:
    assert prompt("paper") == (
        f"{EXPERT}\nHere is a conversation :\n"
        'Speaker_0:"It broke."\nSpeaker_1:"Great."\nSpeaker_0:"It works!"\n'
        'Please select the emotional label of < Speaker_0:"It works!" > from < joy, anger >.'
    )


def test_the_paper_wording_asks_who_speaks_without_history() -> None:
    nine = ", ".join(f"Speaker_{number}" for number in range(9))
    asked = f"{EXPERT}\nPlease select the Speaker label of the utterance < It works! > from "
    assert prompt("paper", task="speaker_identification") == f"{asked}< {nine} >."
    assert prompt("paper", task="speaker_identification", speaker_order=("Ann", "Bo")) == (
        f"{asked}< Speaker_0, Speaker_1 >."
    )
    assert prompt("paper", task="speaker_identification", speakers="name") == f"{asked}< Ann, Bo >."


def test_the_paper_wording_asks_what_the_next_turn_will_feel() -> None:
    assert prompt("paper", task="prediction") == (
        f"{EXPERT}\nHere is a conversation :\n"
        'Speaker_0:"It broke."\nSpeaker_1:"Great."\n'
        "Based on the above historical utterances, next utterance is spoken by < Speaker_0 >, "
        "please predict the emotion states of < Speaker_0 > from < joy, anger >."
    )
    assert "spoken by < Bo >, please predict the emotion states of < Bo >" in prompt(
        "paper", 1, task="prediction", speakers="name"
    )


def test_the_compact_wording_states_the_labels_once() -> None:
    assert prompt("compact") == "Emotions: joy, anger.\nA: It broke.\nB: Great.\nA: It works!\nA feels:"


def test_the_repeated_compact_wording_ends_with_the_target() -> None:
    assert prompt("compact-repeated", 1) == "Emotions: joy, anger.\nA: It broke.\nB: Great.\nEmotion of B: Great. ="


def test_the_compact_wordings_ask_what_the_next_turn_will_feel() -> None:
    shown = "Emotions: joy, anger.\nA: It broke.\n"
    assert prompt("compact", 1, task="prediction") == f"{shown}B will feel:"
    assert prompt("compact-repeated", 1, task="prediction") == f"{shown}Next emotion of B ="
    assert prompt("compact", 1, task="prediction", speakers="name").endswith("\nAnn: It broke.\nBo will feel:")


def test_the_compact_wordings_predict_the_first_turn_from_nothing() -> None:
    assert prompt("compact", 0, task="prediction") == "Emotions: joy, anger.\nA will feel:"
    assert prompt("compact-repeated", 0, task="prediction") == "Emotions: joy, anger.\nNext emotion of A ="


@compacts
def test_the_compact_wordings_ask_who_speaks_behind_the_history(wording: str) -> None:
    task: Task = "speaker_identification"
    assert prompt(wording, task=task) == "Emotions: joy, anger.\nA: It broke.\nB: Great.\nWho says: It works! ="
    assert prompt(wording, 0, task=task) == "Emotions: joy, anger.\nWho says: It broke. ="
    assert prompt(wording, 1, task=task, speakers="name") == (
        "Emotions: joy, anger.\nAnn: It broke.\nWho says: Great. ="
    )


def test_speakers_go_by_name_where_that_is_wanted() -> None:
    assert prompt("compact", 1, speakers="name") == "Emotions: joy, anger.\nAnn: It broke.\nBo: Great.\nBo feels:"
    assert '\nBo:"Great."\n' in prompt("paper", 1, speakers="name")


def test_turns_after_the_target_are_shown_where_that_is_wanted() -> None:
    both = Window(size=1, context="both")
    assert prompt("compact", 1, window=both) == (
        "Emotions: joy, anger.\nA: It broke.\nB: Great.\nA: It works!\nB feels:"
    )


@pytest.mark.parametrize("task", ["speaker_identification", "prediction"])
def test_a_task_without_words_is_refused(task: str) -> None:
    with pytest.raises(UsageError) as caught:
        prompt("plain", task=task)
    assert str(caught.value) == f"wording 'plain' has no words for task {task!r}; it has: recognition"


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


def drawn_spec(data: st.DataObject, window: Window) -> PromptSpec:
    """A wording that knows every task, with numbers or with names."""
    wording = data.draw(st.sampled_from(ABLE))
    style: Any = "index" if wording == "released" else data.draw(st.sampled_from(("index", "name")))
    return PromptSpec(labels=LABELS, wording=wording, window=window, speakers=style)


def drawn_turn(data: st.DataObject, conversation: Conversation) -> int:
    return data.draw(st.integers(0, len(conversation) - 1))


def with_turn(conversation: Conversation, turn: int, said: Utterance) -> Conversation:
    utterances = conversation.utterances
    return Conversation(conversation.id, (*utterances[:turn], said, *utterances[turn + 1 :]))


@given(conversation=conversations, window=windows, said=texts, data=st.data())
def test_a_prediction_knows_nothing_of_its_turn_but_the_speaker_and_nothing_of_later_turns(
    conversation: Conversation, window: Window, said: str, data: st.DataObject
) -> None:
    spec = drawn_spec(data, window)
    turn = drawn_turn(data, conversation)
    assume(turn or spec.wording != "released")  # the released code shows the first turn
    speaker = conversation.utterances[turn].speaker
    other = Conversation("c", (*conversation.utterances[:turn], Utterance(speaker, said, "joy")))
    asked = spec.example(conversation, turn, task="prediction")
    assert tuple(asked.segments) == tuple(spec.example(other, turn, task="prediction").segments)


@given(conversation=conversations, window=windows, data=st.data())
def test_the_question_who_speaks_is_the_same_whoever_does(
    conversation: Conversation, window: Window, data: st.DataObject
) -> None:
    """Whichever of its speakers says the turn; all of them speak again at the end, so that nobody is missing."""
    spec = drawn_spec(data, window)
    turn = drawn_turn(data, conversation)
    cast = conversation.speakers
    chat = Conversation("c", (*conversation.utterances, *(Utterance(speaker, "") for speaker in cast)))
    text = chat.utterances[turn].text
    asked = [
        spec.example(with_turn(chat, turn, Utterance(speaker, text)), turn, task="speaker_identification")
        for speaker in cast
    ]
    assert len({example.prompt for example in asked}) == 1
    if spec.speakers == "name":
        assert [example.target for example in asked] == list(cast)


@given(conversation=conversations, speaker=speakers, window=windows, data=st.data())
def test_a_question_that_lists_nobody_is_the_same_for_somebody_new(
    conversation: Conversation, speaker: str, window: Window, data: st.DataObject
) -> None:
    wording = data.draw(st.sampled_from(("compact", "compact-repeated")))
    style: Any = data.draw(st.sampled_from(("index", "name")))
    spec = PromptSpec(labels=LABELS, wording=wording, window=window, speakers=style)
    turn = drawn_turn(data, conversation)
    other = with_turn(conversation, turn, Utterance(speaker, conversation.utterances[turn].text))
    task: Task = "speaker_identification"
    assert spec.example(conversation, turn, task=task).prompt == spec.example(other, turn, task=task).prompt


def shared_start(example: Example) -> str:
    """The prompt up to its question."""
    return example.prompt.removesuffix(example.segments[-1].text)


@given(conversation=conversations, window=windows, data=st.data())
def test_the_other_tasks_show_the_history_side_by_side_and_all_of_it_may_go(
    conversation: Conversation, window: Window, data: st.DataObject
) -> None:
    spec = drawn_spec(data, window)
    turn = drawn_turn(data, conversation)
    assume(turn or spec.wording != "released")
    task: Task = data.draw(st.sampled_from(("speaker_identification", "prediction")))
    example = spec.example(conversation, turn, task=task)
    history = [number for number in window.turns(turn, len(conversation)) if number < turn]
    if task == "speaker_identification" and not spec.wording.startswith("compact"):
        history = []
    assert [segment.turn for segment in example.segments if segment.kind == "turn"] == history
    assert (example.droppable, len(example.history), len(example.future)) == (len(history), len(history), 0)
    kinds = [segment.kind for segment in example.without_oldest(len(history)).segments]
    assert kinds[-1] == "statement"
    assert set(kinds[:-1]) <= {"instruction"}
    if spec.wording.startswith("compact"):
        assert spec.example(conversation, turn).prompt.startswith(shared_start(example))


@given(conversation=conversations, wording=st.sampled_from(ABLE))
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
