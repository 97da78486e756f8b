"""Demonstrations in prompts: the words of each wording, what must be given, and what stays in a prompt too long."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.errors import ArtefactError, UsageError
from instructerc.prompts import WORDINGS, Demonstration, DemonstrationSpec, PromptSpec
from tests.prompts.strategies import conversations, texts

CHAT = Conversation("c", (Utterance("F", "Hi."), Utterance("M", "Guess what.", "sad")))
MONICA = Demonstration("Oh my God. Guess what, guess what?", "Excited")
CHANDLER = Demonstration("Fine.", "sad")
SPEC = PromptSpec(labels=("happy", "sad"), wording="paper", demonstrations=DemonstrationSpec())
EXPERT = "Now you are expert of sentiment and emotional analysis."
QUESTION = 'Please select the emotional label of < Speaker_1:"Guess what." > from < happy, sad >.'
RELEASED = ' ### Please select the emotional label of < Speaker_1:"Guess what."> from <happy, sad>:'

AFTER = {
    "paper": (
        f'{EXPERT}\nHere is a conversation :\nSpeaker_0:"Hi."\nSpeaker_1:"Guess what."\n{QUESTION}\n'
        "Demonstration:\n<Speaker_1: “Oh my God. Guess what, guess what?” >: Excited\n<Speaker_1: “Fine.” >: sad"
    ),
    "released": (
        f"{EXPERT} The following conversation noted between '### ###' involves several speakers. ### "
        f'\t Speaker_0:"Hi."\t Speaker_1:"Guess what."{RELEASED}\n'
        'Demonstration:\n<"Oh my God. Guess what, guess what?">: Excited\n<"Fine.">: sad'
    ),
    "compact": (
        "Emotions: happy, sad.\nA: Hi.\nB: Guess what.\nExample: Oh my God. Guess what, guess what?\n"
        "Example feels: Excited\nExample: Fine.\nExample feels: sad\nB feels:"
    ),
    "compact-repeated": (
        "Emotions: happy, sad.\nA: Hi.\nB: Guess what.\n"
        "Emotion of Example: Oh my God. Guess what, guess what? = Excited\nEmotion of Example: Fine. = sad\n"
        "Emotion of B: Guess what. ="
    ),
    "plain": (
        "Please select the emotional label of <Guess what.> from <happy, sad>:\n"
        'Demonstration:\n<"Oh my God. Guess what, guess what?">: Excited\n<"Fine.">: sad'
    ),
}
BEFORE = {
    "paper": (
        f"{EXPERT}\nDemonstration:\n<Speaker_1: “Oh my God. Guess what, guess what?” >: Excited\n"
        "<Speaker_1: “Fine.” >: sad\n"
        f'Here is a conversation :\nSpeaker_0:"Hi."\nSpeaker_1:"Guess what."\n{QUESTION}'
    ),
    "released": (
        f'{EXPERT} Demonstration:\n<"Oh my God. Guess what, guess what?">: Excited\n<"Fine.">: sad\n'
        "The following conversation noted between '### ###' involves several speakers. ### "
        f'\t Speaker_0:"Hi."\t Speaker_1:"Guess what."{RELEASED}'
    ),
    "compact": (
        "Emotions: happy, sad.\nExample: Oh my God. Guess what, guess what?\nExample feels: Excited\n"
        "Example: Fine.\nExample feels: sad\nA: Hi.\nB: Guess what.\nB feels:"
    ),
    "compact-repeated": (
        "Emotions: happy, sad.\nEmotion of Example: Oh my God. Guess what, guess what? = Excited\n"
        "Emotion of Example: Fine. = sad\nA: Hi.\nB: Guess what.\nEmotion of B: Guess what. ="
    ),
    "plain": (
        'Demonstration:\n<"Oh my God. Guess what, guess what?">: Excited\n<"Fine.">: sad\n'
        "Please select the emotional label of <Guess what.> from <happy, sad>:"
    ),
}


def test_the_paper_shows_one_demonstration_behind_the_question() -> None:
    prompt = SPEC.example(CHAT, 1, demonstrations=[MONICA]).prompt
    assert prompt == AFTER["paper"].removesuffix("\n<Speaker_1: “Fine.” >: sad")


@pytest.mark.parametrize("wording", sorted(WORDINGS))
@pytest.mark.parametrize(("placement", "expected"), [("after", AFTER), ("before", BEFORE)])
def test_every_wording_has_words_for_demonstrations(wording: str, placement: Any, expected: dict[str, str]) -> None:
    spec = replace(SPEC, wording=wording, demonstrations=DemonstrationSpec(count=2, placement=placement))
    example = spec.example(CHAT, 1, demonstrations=[MONICA, CHANDLER])
    assert example.prompt == expected[wording]
    assert example.demonstrations == (MONICA, CHANDLER)


@given(
    conversation=conversations,
    shown=st.lists(st.builds(Demonstration, texts, st.sampled_from(("joy", "anger"))), max_size=3),
    wording=st.sampled_from(sorted(WORDINGS)),
    placement=st.sampled_from(("after", "before")),
)
def test_demonstrations_stay_when_history_goes(
    conversation: Conversation, shown: list[Demonstration], wording: str, placement: Any
) -> None:
    spec = PromptSpec(
        labels=("joy", "anger"), wording=wording, demonstrations=DemonstrationSpec(count=3, placement=placement)
    )
    example = spec.example(conversation, len(conversation) - 1, demonstrations=shown)
    bare = example.without_oldest(example.droppable)
    demonstrations = [segment for segment in example.segments if segment.kind == "demonstration"]
    assert len(demonstrations) == len(shown)
    assert [segment for segment in bare.segments if segment.kind == "demonstration"] == demonstrations
    for segment, item in zip(demonstrations, shown, strict=True):
        assert item.text in segment.text
        assert item.label in segment.text
    others = [segment for segment in example.segments if segment.kind != "demonstration"]
    assert others == list(replace(spec, demonstrations=None).example(conversation, len(conversation) - 1).segments)
    turns = [place for place, segment in enumerate(example.segments) if segment.kind == "turn"]
    assert turns == list(range(turns[0], turns[-1] + 1)) if turns else wording == "plain"


def test_behind_the_history_prompts_still_share_it() -> None:
    spec = replace(SPEC, wording="compact")
    first, second = spec.examples(CHAT, demonstrations=[[MONICA], [CHANDLER]])
    assert second.prompt.startswith(first.prompt.partition("Example")[0])


def test_demonstrations_come_turn_by_turn_or_from_a_function() -> None:
    chosen = [[], [CHANDLER]]
    given_ = list(SPEC.examples(CHAT, demonstrations=chosen))
    assert given_ == list(SPEC.examples(CHAT, demonstrations=lambda conversation: chosen))
    assert [example.demonstrations for example in given_] == [(), (CHANDLER,)]
    assert [example.turn for example in SPEC.labelled_examples(CHAT, demonstrations=chosen)] == [1]
    assert given_[0].prompt == replace(SPEC, demonstrations=None).example(CHAT, 0).prompt


@pytest.mark.parametrize(
    ("settings", "arguments", "reason"),
    [
        ({}, {}, "this prompt shows up to 1 demonstrations and got none"),
        ({}, {"demonstrations": [MONICA, CHANDLER]}, "2 demonstrations for a prompt that shows 1"),
        ({"demonstrations": None}, {"demonstrations": [MONICA]}, "for a prompt that shows none"),
        ({"wording": "released"}, {"demonstrations": [MONICA], "task": "prediction"}, "'prediction' shows no demonstr"),
    ],
)
def test_what_does_not_fit_the_spec_is_refused(
    settings: dict[str, Any], arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        replace(SPEC, **settings).example(CHAT, 1, **arguments)


def test_a_turn_without_its_demonstrations_is_refused() -> None:
    with pytest.raises(UsageError, match="conversation 'c' has 2 turns, and demonstrations for 1 were given"):
        SPEC.examples(CHAT, demonstrations=[[MONICA]])


def test_the_other_tasks_show_none() -> None:
    spec = replace(SPEC, wording="released")
    for task in ("speaker_identification", "prediction"):
        bare = replace(spec, demonstrations=None)
        assert list(spec.examples(CHAT, task=task)) == list(bare.examples(CHAT, task=task))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"count": 0}, "demonstrations.count is 0: give a number of demonstrations, 1 or more"),
        ({"count": True}, "demonstrations.count is True"),
        ({"placement": "behind"}, "demonstrations.placement is 'behind': choose one of after, before"),
    ],
)
def test_settings_out_of_range_are_usage_errors(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        DemonstrationSpec(**settings)
    assert str(caught.value).startswith(reason)


def test_a_spec_with_demonstrations_comes_back_from_json() -> None:
    for demonstrations in (None, DemonstrationSpec(), DemonstrationSpec(count=3, placement="before")):
        spec = replace(SPEC, demonstrations=demonstrations)
        again = PromptSpec.from_json(json.loads(json.dumps(spec.to_json())))
        assert (again, again.hash) == (spec, spec.hash)


def test_a_record_from_before_there_were_any_has_none() -> None:
    record = replace(SPEC, demonstrations=None).to_json()
    assert "demonstrations" not in record
    assert PromptSpec.from_json(record).demonstrations is None


def test_a_record_with_other_settings_is_refused() -> None:
    with pytest.raises(ArtefactError, match="unexpected keyword argument 'pairing'"):
        PromptSpec.from_json({**SPEC.to_json(), "demonstrations": {"count": 1, "pairing": "nearest"}})


def test_the_hash_knows_how_many_are_shown_and_where() -> None:
    shown = (None, DemonstrationSpec(), DemonstrationSpec(count=2), DemonstrationSpec(placement="before"))
    assert len({replace(SPEC, demonstrations=item).hash for item in shown}) == 4
