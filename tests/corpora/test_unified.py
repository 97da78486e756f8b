"""One label set for several corpora."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instructerc.conversation import Corpus
from instructerc.corpora.unified import EKMAN_WORDS, FEELING_WHEEL, MAPPINGS, RELEASED, LabelMapping, get_mapping
from instructerc.errors import LabelMappingError, UnknownNameError
from instructerc.labels import DAILYDIALOG, EKMAN, EMORYNLP, IEMOCAP, MELD, UNIFIED, LabelSet
from tests.corpora.mixed import FIRST, SECOND

REMEDY = "give each one, or null to leave its turns unlabelled"
MINE = LabelMapping(
    name="mine",
    labels=("good", "bad"),
    corpora={"first": {"joy": "good", "Anger": None}, "second": {"glad": "good", "mad": "bad"}},
)


def empty(name: str, labels: LabelSet) -> Corpus:
    return Corpus(name, labels.labels)


@pytest.mark.parametrize(
    ("labels", "unified"),
    [
        (IEMOCAP, "joyful sad neutral mad excited fear"),
        (MELD, "neutral powerful fear sad joyful disgust mad"),
        (EMORYNLP, "joyful mad peaceful neutral sad powerful fear"),
    ],
)
def test_the_released_mapping_is_as_coded(labels: LabelSet, unified: str) -> None:
    for mapping in (RELEASED, FEELING_WHEEL):
        table = mapping.table(empty(labels.name, labels))
        assert [table[label] for label in labels.labels] == unified.split()


def test_ours_places_dailydialog_and_the_ekman_labels_as_meld_is_placed() -> None:
    assert FEELING_WHEEL.table(empty("dailydialog", DAILYDIALOG)) == {
        "neutral": "neutral",
        "anger": "mad",
        "disgust": "disgust",
        "fear": "fear",
        "happiness": "joyful",
        "sadness": "sad",
        "surprise": "powerful",
    }
    FEELING_WHEEL.check([empty("sample", EKMAN)])
    with pytest.raises(
        LabelMappingError, match=r"dailydialog: no table for its labels .*: take feeling-wheel or ekman, or add"
    ):
        RELEASED.check([empty("dailydialog", DAILYDIALOG)])


def test_the_unified_labels_are_in_the_order_of_the_released_prompts() -> None:
    assert ", ".join(UNIFIED.labels) == "joyful, sad, neutral, mad, excited, fear, disgust, peaceful, powerful"
    assert RELEASED.labels == FEELING_WHEEL.labels == UNIFIED.labels


def test_the_basic_emotions_are_melds_classes_and_what_has_no_place_is_history() -> None:
    assert EKMAN_WORDS.labels == EKMAN.labels
    table = EKMAN_WORDS.table(empty("meld", MELD))
    assert ", ".join(table.values()) == "neutral, surprise, fear, sadness, joy, disgust, anger"
    assert EKMAN_WORDS.labels_of(empty("emorynlp", EMORYNLP)) == ("neutral", "joy", "sadness", "anger", "fear")
    for name, labels in (("emorynlp", EMORYNLP), ("iemocap", IEMOCAP), ("dailydialog", DAILYDIALOG), ("mine", EKMAN)):
        EKMAN_WORDS.check([empty(name, labels)])


def test_every_mapping_can_be_had_by_its_name() -> None:
    assert {name: get_mapping(name) for name in MAPPINGS} == MAPPINGS


def test_a_table_serves_every_corpus_with_its_labels() -> None:
    assert RELEASED.apply(empty("my-friends", MELD)).labels == UNIFIED.labels
    assert RELEASED.labels_of(empty("meld-cosmic", MELD)) == (
        *("joyful", "sad", "neutral", "mad", "fear", "disgust", "powerful"),
    )


def test_labels_are_replaced_and_all_else_stays() -> None:
    mapped = MINE.apply(FIRST)
    assert (mapped.name, mapped.labels) == ("first", ("good", "bad"))
    said = [turn for item in mapped.train for turn in item.utterances]
    assert [turn.emotion for turn in said] == ["good", None, None, "good", None, "good", "good"]
    before = [turn for item in FIRST.train for turn in item.utterances]
    assert [replace(turn, emotion=None) for turn in said] == [replace(turn, emotion=None) for turn in before]
    assert mapped.test[0].utterances[0].emotion is None


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(LabelMappingError) as caught:
        LabelMapping(name="m", labels=("calm", "Calm"), corpora={"a": {"x": "clam", "y": "calm"}, "b": {"z": "tense"}})
    assert caught.value.faults == (
        "mapping 'm': unified labels are calm, Calm: give at least one, each once",
        "mapping 'm': a: x: 'clam' is no unified label: did you mean 'Calm'? Known: calm, Calm",
        "mapping 'm': b: z: 'tense' is no unified label: Known: calm, Calm",
    )
    mapping = LabelMapping(
        name="m", labels=("good",), corpora={"meld": {"joyfull": "good", "joy": "good", "joyful": None}}
    )
    with pytest.raises(LabelMappingError) as caught:
        mapping.check([empty("meld", MELD), SECOND])
    assert caught.value.faults == (
        f"mapping 'm': meld: joyfull: unknown label 'joyfull': did you mean 'joyful'? Known: {', '.join(MELD.labels)}",
        "mapping 'm': meld: joyful: means 'joyful', as 'joy' does: keep one of them",
        f"mapping 'm': meld: no unified label for neutral, surprise, fear, sad, disgust, angry: {REMEDY}",
        "mapping 'm': second: no table for its labels glad, mad: add one; there are: meld",
    )


def test_a_mapping_comes_back_from_json_and_its_hash_tells_it_apart() -> None:
    assert LabelMapping.from_json(MINE.to_json()) == MINE
    assert replace(MINE, name="yours").hash == MINE.hash
    assert len({MINE.hash, replace(MINE, labels=("bad", "good")).hash, RELEASED.hash, FEELING_WHEEL.hash}) == 4


def test_an_unknown_mapping_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'released'"):
        get_mapping("relased")
