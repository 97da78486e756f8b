"""The spec: one renderer, one hash, one JSON form."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.errors import ArtefactError, UnknownNameError, UsageError
from instructerc.prompts import WORDINGS, PromptSpec, Window
from instructerc.prompts import wording as wordings
from instructerc.prompts.wording import CompactWording

SPEC = PromptSpec(labels=("joy", "anger"), wording="compact")
CHAT = Conversation("c", (Utterance("F", "Hi.", "joy"), Utterance("M", "Hi."), Utterance("F", "So?", "anger")))

specs = st.builds(
    PromptSpec,
    labels=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=4).map(tuple),
    wording=st.sampled_from(sorted(WORDINGS)),
    window=st.builds(Window, size=st.none() | st.integers(0, 9), stride=st.integers(1, 9)),
    speaker_order=st.sampled_from(((), ("M", "F"))),
)


@given(specs)
def test_a_spec_comes_back_from_json_with_the_same_hash(spec: PromptSpec) -> None:
    again = PromptSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.hash == spec.hash


@pytest.mark.parametrize(
    "change",
    [
        {"wording": "paper"},
        {"labels": ("anger", "joy")},
        {"labels": ("joy",)},
        {"window": Window(size=11)},
        {"window": Window(stride=2)},
        {"window": Window(context="both")},
        {"speakers": "name"},
        {"speaker_order": ("M", "F")},
    ],
)
def test_every_setting_changes_the_hash(change: dict[str, Any]) -> None:
    assert replace(SPEC, **change).hash != SPEC.hash


def test_other_words_under_the_same_name_change_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(CompactWording):
        def _question(self, target: wordings.Turn) -> str:
            return f"{target.speaker} seems:"

    before = SPEC.hash
    monkeypatch.setattr(wordings, "WORDINGS", {**WORDINGS, "compact": Other(name="compact")})
    assert SPEC.hash != before


def test_the_hash_is_the_same_everywhere() -> None:
    assert SPEC.hash == "37ab410172c4"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"wording": None}, "'wording'"),
        ({"labels": None}, "'labels'"),
        ({"window": None}, "'window'"),
        ({"speakers": None, "speaker_order": None}, "'speakers', 'speaker_order'"),
        ({"colour": "red"}, "unexpected keyword argument 'colour'"),
        ({"window": {"length": 3}}, "unexpected keyword argument 'length'"),
        ({"window": {"size": "3"}}, "not supported between"),
        ({"window": {"size": -3}}, "window.size is -3"),
        ({"window": 12}, "must be a mapping"),
        ({"labels": "joy"}, "'labels' is one text"),
        ({"labels": 7}, "not iterable"),
        ({"wording": "lost"}, "unknown wording 'lost'"),
        ({"speakers": "colour"}, "prompt.speakers is 'colour'"),
    ],
)
def test_a_record_that_is_no_spec_is_refused(change: dict[str, Any], reason: str) -> None:
    record = {**SPEC.to_json(), **change}
    missing = [key for key, value in change.items() if value is None]
    for key in missing:
        del record[key]
    with pytest.raises(ArtefactError) as caught:
        PromptSpec.from_json(record)
    assert str(caught.value).startswith("this is no prompt spec of ours (")
    assert reason in str(caught.value)


def test_settings_that_do_not_exist_or_fit_are_usage_errors() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'compact'"):
        replace(SPEC, wording="compct")
    with pytest.raises(UsageError, match=r"prompt.speakers is 'names': choose one of index, name"):
        replace(SPEC, speakers="names")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="wording 'released' numbers its speakers"):
        replace(SPEC, wording="released", speakers="name")


def test_an_example_a_turn_and_a_target_where_there_is_a_label() -> None:
    examples = list(SPEC.examples(CHAT))
    assert [(item.turn, item.target) for item in examples] == [(0, "joy"), (1, None), (2, "anger")]
    assert [item.turn for item in SPEC.labelled_examples(CHAT)] == [0, 2]
    assert {(item.conversation, item.candidates, item.weight) for item in examples} == {("c", ("joy", "anger"), 1.0)}


def test_iemocap_numbers_its_speakers_by_sex_and_lists_two() -> None:
    spec = replace(SPEC, wording="released", speaker_order=("M", "F"))
    assert '\t Speaker_1:"Hi."\t Speaker_0:"Hi."' in spec.example(CHAT, 1).prompt
    who = spec.example(CHAT, 0, task="speaker_identification")
    assert who.prompt.endswith("from <Speaker_0, Speaker_1>:")
    assert (who.candidates, who.target) == (("Speaker_0", "Speaker_1"), "Speaker_1")


@given(st.integers(1, 15), st.sampled_from(((), ("M", "F"))))
def test_whoever_speaks_stands_among_the_answers(count: int, order: tuple[str, ...]) -> None:
    names = ["F", *(f"P{number}" for number in range(count))]
    chat = Conversation("c", tuple(Utterance(name, "x") for name in names))
    spec = replace(SPEC, wording="released", speaker_order=order)
    for turn in range(len(chat)):
        who = spec.example(chat, turn, task="speaker_identification")
        assert who.target in who.candidates
        assert len(who.candidates) >= (2 if order else 9)


def test_any_number_of_speakers_has_a_name_of_its_own() -> None:
    chat = Conversation("c", tuple(Utterance(f"P{number}", "x") for number in range(60)))
    for wording in ("released", "paper", "compact"):
        example = replace(SPEC, wording=wording, window=Window(size=None)).example(chat, 59)
        shown = [segment.text for segment in example.segments if segment.kind == "turn"]
        assert len(set(shown)) == 60


def test_the_speakers_of_a_conversation_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a turn would take a conversation of 100,000 turns the square of that."""
    calls, real = [], Conversation.speakers.fget

    def counted(chat: Conversation) -> Any:
        calls.append(chat)
        return real(chat)  # type: ignore[misc]

    monkeypatch.setattr(Conversation, "speakers", property(counted))
    assert len(list(SPEC.examples(CHAT))) == 3
    assert len(calls) == 1


def test_examples_are_those_asked_for_one_by_one() -> None:
    for task in ("recognition", "speaker_identification", "prediction"):
        spec = replace(SPEC, wording="released")
        assert list(spec.examples(CHAT, task=task)) == [spec.example(CHAT, turn, task=task) for turn in range(3)]


def test_a_conversation_without_turns_has_no_examples() -> None:
    assert list(SPEC.examples(Conversation("empty", ()))) == []
