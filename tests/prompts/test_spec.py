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
from instructerc.prompts import WORDINGS, DemonstrationSpec, PromptSpec, Window
from instructerc.prompts import wording as wordings
from instructerc.prompts.wording import CompactWording
from tests.prompts.strategies import conversations, speakers, texts, windows

SPEC = PromptSpec(labels=("joy", "anger"), wording="compact")
CHAT = Conversation("c", (Utterance("F", "Hi.", "joy"), Utterance("M", "Hi."), Utterance("F", "So?", "anger")))

ABLE = ("released", "paper", "compact", "compact-repeated")
"""The wordings that have words for every task."""

specs = st.builds(
    PromptSpec,
    labels=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=4).map(tuple),
    wording=st.sampled_from(sorted(WORDINGS)),
    window=st.builds(Window, size=st.none() | st.integers(0, 9), stride=st.integers(1, 9)),
    speaker_order=st.sampled_from(((), ("M", "F"))),
)


@pytest.mark.parametrize("wording", sorted(WORDINGS))
def test_what_a_label_means_stands_behind_it_where_labels_are_listed(wording: str) -> None:
    described = replace(SPEC, wording=wording, descriptions={"anger": "fed up with us"})
    plain, told = (next(iter(spec.examples(CHAT))) for spec in (replace(SPEC, wording=wording), described))
    assert told.prompt == plain.prompt.replace("anger", "anger (fed up with us)")
    assert told.candidates == plain.candidates
    assert PromptSpec.from_json(json.loads(json.dumps(described.to_json()))) == described


def test_only_labels_can_be_described() -> None:
    with pytest.raises(UsageError, match="'calm' is described and no label: the labels are joy, anger"):
        replace(SPEC, descriptions={"calm": "at ease"})


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
        {"descriptions": {"joy": "in high spirits"}},
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


@pytest.mark.parametrize(
    ("wording", "known"),
    [
        ("released", "eee18c341ace"),
        ("paper", "4a532a13c79b"),
        ("compact", "37ab410172c4"),
        ("compact-repeated", "bd1468c15493"),
        ("plain", "2efabb1c4c21"),
    ],
)
def test_the_hash_is_the_same_everywhere(wording: str, known: str) -> None:
    assert replace(SPEC, wording=wording).hash == known


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


@pytest.mark.parametrize("wording", ["compact", "compact-repeated"])
def test_a_wording_that_lists_nobody_chooses_among_those_who_speak(wording: str) -> None:
    spec = replace(SPEC, wording=wording)
    asked = [
        replace(spec, **change).example(CHAT, 1, task="speaker_identification")
        for change in ({}, {"speakers": "name"}, {"speaker_order": ("M", "F")}, {"speaker_offsets": {"c": 2}})
    ]
    assert [(example.candidates, example.target) for example in asked] == [
        (("A", "B"), "B"),
        (("F", "M"), "M"),
        (("B", "A"), "A"),
        (("C", "D"), "D"),
    ]


def test_the_paper_wording_lists_those_it_chooses_among() -> None:
    for change in ({}, {"speakers": "name"}, {"speaker_order": ("M", "F")}, {"speaker_offsets": {"c": 2}}):
        who = replace(SPEC, wording="paper", **change).example(CHAT, 1, task="speaker_identification")
        assert who.prompt.endswith(f"from < {', '.join(who.candidates)} >.")
        assert who.target in who.candidates
    numbered = replace(SPEC, wording="paper").example(CHAT, 1, task="speaker_identification")
    assert numbered.candidates == tuple(f"Speaker_{number}" for number in range(9))


def test_a_list_of_names_does_not_tell_who_speaks_first() -> None:
    spec = replace(SPEC, wording="paper", speakers="name")
    for names in (("Bo", "Ann"), ("Ann", "Bo")):
        chat = Conversation("c", tuple(Utterance(name, "Hi.") for name in names))
        who = spec.example(chat, 0, task="speaker_identification")
        assert (who.candidates, who.target) == (("Ann", "Bo"), names[0])


@given(conversations, windows, st.sampled_from(("index", "name")), st.sampled_from(((), ("Bo", "Ann"))))
def test_who_speaks_is_known_of_every_turn(
    chat: Conversation, window: Window, style: Any, order: tuple[str, ...]
) -> None:
    for wording in ABLE:
        if wording == "released" and style == "name":
            continue
        spec = replace(SPEC, wording=wording, window=window, speakers=style, speaker_order=order)
        asked = list(spec.labelled_examples(chat, task="speaker_identification"))
        assert [example.turn for example in asked] == list(range(len(chat)))
        known = {(said.speaker, who.target) for said, who in zip(chat.utterances, asked, strict=True)}
        assert len({speaker for speaker, _ in known}) == len({target for _, target in known}) == len(known)
        for example in asked:
            assert example.target in example.candidates
            assert len(set(example.candidates)) == len(example.candidates)


@pytest.mark.parametrize("wording", ["paper", "compact", "compact-repeated"])
@pytest.mark.parametrize("style", ["index", "name"])
def test_speakers_whose_names_differ_only_in_case_are_two(wording: str, style: Any) -> None:
    chat = Conversation("c", tuple(Utterance(name, "Hi.") for name in ("Ann", "ann", "ANN")))
    spec = replace(SPEC, wording=wording, speakers=style)
    asked = list(spec.examples(chat, task="speaker_identification"))
    assert len({example.target for example in asked}) == 3
    assert len(set(asked[0].candidates)) == len(asked[0].candidates)


def test_predictions_are_learned_where_a_turn_has_a_label() -> None:
    found = SPEC.labelled_examples(CHAT, task="prediction")
    assert [(item.turn, item.target, item.candidates) for item in found] == [
        (0, "joy", ("joy", "anger")),
        (2, "anger", ("joy", "anger")),
    ]


def test_a_spec_knows_the_tasks_of_its_wording() -> None:
    tasks = {name: replace(SPEC, wording=name).tasks for name in WORDINGS}
    assert tasks.pop("plain") == ("recognition",)
    assert set(tasks.values()) == {("recognition", "speaker_identification", "prediction")}
    for name, known in tasks.items():
        for task in known:
            assert replace(SPEC, wording=name).example(CHAT, 1, task=task).task == task


@given(conversations, windows, speakers.filter(str.strip), texts, st.data())
def test_what_comes_next_is_asked_as_if_it_had_been_said(
    chat: Conversation, window: Window, speaker: str, said: str, data: st.DataObject
) -> None:
    wording = data.draw(st.sampled_from(ABLE))
    style: Any = "index" if wording == "released" else data.draw(st.sampled_from(("index", "name")))
    order = data.draw(st.sampled_from(((), ("Bo", "Ann"))))
    spec = replace(SPEC, wording=wording, window=window, speakers=style, speaker_order=order)
    longer = Conversation("c", (*chat.utterances, Utterance(speaker, said, "joy")))
    ahead = spec.next_example(chat, speaker)
    assert ahead == replace(spec.example(longer, len(chat), task="prediction"), target=None)
    assert (ahead.turn, ahead.target, ahead.candidates) == (len(chat), None, SPEC.labels)


def test_somebody_who_has_not_spoken_yet_gets_the_next_number() -> None:
    assert SPEC.next_example(CHAT, "M").prompt.endswith("A: So?\nB will feel:")
    assert SPEC.next_example(CHAT, "Zed").prompt.endswith("A: So?\nC will feel:")
    assert replace(SPEC, speakers="name").next_example(CHAT, "Zed").prompt.endswith("F: So?\nZed will feel:")


def test_demonstrations_and_later_turns_are_none_of_what_comes_next() -> None:
    spec = replace(SPEC, demonstrations=DemonstrationSpec(), window=Window(size=1, context="both"))
    assert spec.next_example(CHAT, "M").prompt == "Emotions: joy, anger.\nA: So?\nB will feel:"


@pytest.mark.parametrize(
    ("wording", "chat", "speaker", "message"),
    [
        (
            "compact",
            Conversation("new", ()),
            "M",
            "conversation 'new' has no turns to predict from: give one with at least one utterance",
        ),
        (
            "plain",
            CHAT,
            "M",
            f"wording 'plain' has no words for task 'prediction': choose one of {', '.join(ABLE)}",
        ),
        ("compact", CHAT, "", "the next speaker is '': give the name of whoever speaks next"),
        ("compact", CHAT, " \n", "the next speaker is ' \\n': give the name of whoever speaks next"),
    ],
)
def test_what_comes_next_cannot_be_asked_without_words_history_and_speaker(
    wording: str, chat: Conversation, speaker: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        replace(SPEC, wording=wording).next_example(chat, speaker)
    assert str(caught.value) == message


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
    for wording in ABLE:
        spec = replace(SPEC, wording=wording)
        for task in spec.tasks:
            assert list(spec.examples(CHAT, task=task)) == [spec.example(CHAT, turn, task=task) for turn in range(3)]


def test_a_conversation_without_turns_has_no_examples() -> None:
    assert list(SPEC.examples(Conversation("empty", ()))) == []
