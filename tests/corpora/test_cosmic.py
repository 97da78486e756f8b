from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instructerc.conversation import Corpus, Utterance
from instructerc.corpora.catalog import SOURCES
from instructerc.corpora.cosmic import read_cosmic, read_emorynlp_cosmic, read_iemocap_cosmic, read_meld_cosmic
from instructerc.corpora.counts import count_differences
from instructerc.corpora.meld import read_meld
from instructerc.corpora.repair import REPAIRED, VERBATIM
from instructerc.errors import InvalidRowsError, UnreadableFileError, UnsafePickleError


def one_hot(number: int) -> list[int]:
    return [int(place == number) for place in range(9)]


IEMOCAP: list[Any] = [
    {"Ses01F_impro01": ["F", "M"], "Ses05F_impro01": ["M"], "Ses02F_impro07": ["F"], "Ses02F_impro01": ["M"]},
    {"Ses01F_impro01": [2, 5], "Ses05F_impro01": [0], "Ses02F_impro07": [4], "Ses02F_impro01": [3]},
    {
        "Ses01F_impro01": ["Excuse me.", "Yes?"],
        "Ses05F_impro01": ["Ha."],
        "Ses02F_impro07": ["So!"],
        "Ses02F_impro01": ["No."],
    },
    ["Ses02F_impro01", "Ses01F_impro01"],
    ["Ses05F_impro01"],
    ["Ses02F_impro07"],
]
MELD: list[Any] = [
    {0: [one_hot(0), one_hot(1)], 1153: [one_hot(0)], 1039: [one_hot(0)]},
    {0: [0, 4], 1153: [6], 1039: [1]},
    {0: [0, 1], 1153: [2], 1039: [1]},
    {0: ["It\x92s me", "She’s"], 1153: ["No!"], 1039: ["Oh"]},
    [0],
    [1153],
    [1039],
]


def write(folder: Path, name: str, content: Any) -> Path:
    (folder / SOURCES[name].files[0].name).write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return folder


def changed(content: list[Any], entry: int, key: Any, value: Any) -> list[Any]:
    copied = [dict(part) if isinstance(part, dict) else list(part) for part in content]
    copied[entry][key] = value
    return copied


def faults_of(folder: Path, content: Any, name: str = "meld-cosmic") -> list[str]:
    with pytest.raises(InvalidRowsError) as caught:
        read_cosmic(name, write(folder, name, content))
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("name", ["meld-cosmic", "emorynlp-cosmic"])
def test_counts_are_the_published_ones(shared: Path, name: str) -> None:
    assert count_differences(read_cosmic(name, shared / "data" / "cosmic"), SOURCES[name]) == ()


@pytest.mark.parametrize("name", ["meld-cosmic", "emorynlp-cosmic"])
def test_the_one_hot_numbers_speakers_in_order_of_appearance(shared: Path, name: str) -> None:
    for _, part in read_cosmic(name, shared / "data" / "cosmic").splits():
        for conversation in part:
            assert conversation.speakers == tuple(f"Speaker_{number}" for number in range(len(conversation.speakers)))


@pytest.mark.parametrize(("name", "corpus"), [("meld-cosmic", "meld"), ("emorynlp-cosmic", "EmoryNLP")])
def test_texts_labels_and_order_give_the_released_prompts(shared: Path, name: str, corpus: str) -> None:
    rows = json.loads((shared / "oracles" / "prompts" / "manifest.json").read_text(encoding="utf-8"))
    expected = {row["split"]: row["sha256"] for row in rows if row["pipeline"] == "plain" and row["corpus"] == corpus}
    read = read_cosmic(name, shared / "data" / "cosmic", text=VERBATIM)
    found = {split: hashlib.sha256(plain_prompts(read, part).encode()).hexdigest() for split, part in read.splits()}
    assert {split.replace("validation", "valid"): digest for split, digest in found.items()} == expected


def plain_prompts(corpus: Corpus, part: Any) -> str:
    labels = ", ".join(corpus.labels)
    lines = (
        json.dumps(
            {"input": f"Please select the emotional label of <{u.text}> from <{labels}>:", "target": u.emotion},
            ensure_ascii=False,
        )
        for conversation in part
        for u in conversation.utterances
    )
    return "".join(line + "\n" for line in lines)


def test_the_damaged_turns_of_meld_are_repaired_and_only_those(shared: Path) -> None:
    repaired, verbatim = (
        [
            u.text
            for _, part in read_meld_cosmic(shared / "data" / "cosmic", text=text).splits()
            for c in part
            for u in c.utterances
        ]
        for text in (REPAIRED, VERBATIM)
    )
    damaged = [any(0x80 <= ord(character) < 0xA0 for character in text) for text in verbatim]
    assert sum(damaged) == 3741
    assert not any(0x80 <= ord(character) < 0xA0 for text in repaired for character in text)
    assert [a != b for a, b in zip(repaired, verbatim, strict=True)] == damaged


def test_meld_has_the_same_conversations_in_both_forms(shared: Path) -> None:
    pickled, written = read_meld_cosmic(shared / "data" / "cosmic"), read_meld(shared / "data" / "meld")
    for (_, first), (_, second) in zip(pickled.splits(), written.splits(), strict=True):
        for one, other in zip(first, second, strict=True):
            assert [u.emotion for u in one.utterances] == [u.emotion for u in other.utterances]
            numbers = [f"Speaker_{other.speakers.index(u.speaker)}" for u in other.utterances]
            assert [u.speaker for u in one.utterances] == numbers


def test_iemocap_speakers_are_letters_and_test_stands_before_validation(tmp_path: Path) -> None:
    corpus = read_iemocap_cosmic(write(tmp_path, "iemocap-cosmic", IEMOCAP))
    assert [c.id for c in corpus.train] == ["Ses02F_impro01", "Ses01F_impro01"]
    assert [c.id for c in corpus.test] == ["Ses05F_impro01"]
    assert [c.id for c in corpus.validation] == ["Ses02F_impro07"]
    assert corpus.train[1].utterances == (Utterance("F", "Excuse me.", "neutral"), Utterance("M", "Yes?", "frustrated"))


def test_meld_has_an_entry_more_and_numbers_as_ids(tmp_path: Path) -> None:
    corpus = read_meld_cosmic(write(tmp_path, "meld-cosmic", MELD))
    assert corpus.train[0].id == "0"
    assert corpus.train[0].utterances == (
        Utterance("Speaker_0", "It’s me", "neutral"),
        Utterance("Speaker_1", "She’s", "joyful"),
    )
    assert corpus.test[0].utterances[0].emotion == "angry"
    assert corpus.validation[0].id == "1039"
    verbatim = read_meld_cosmic(tmp_path, text=VERBATIM)
    assert verbatim.train[0].utterances[0].text == "It\x92s me"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_emorynlp_one_hots_are_numpy_integers(tmp_path: Path, protocol: int) -> None:
    def numbers(speaker: int) -> list[Any]:
        return [np.int32(bit) for bit in one_hot(speaker)]

    content = [{"1_1_1": [numbers(0), numbers(1)], "1_1_2": [numbers(0)], "1_1_3": [numbers(0)]}]
    content += [{"1_1_1": [0, 6], "1_1_2": [1], "1_1_3": [2]}, {"1_1_1": ["a", "b"], "1_1_2": ["c"], "1_1_3": ["d"]}]
    data = pickle.dumps([*content, ["1_1_1"], ["1_1_2"], ["1_1_3"]], protocol)
    corpus = read_emorynlp_cosmic(write(tmp_path, "emorynlp-cosmic", data))
    assert corpus.train[0].utterances == (Utterance("Speaker_0", "a", "Joyful"), Utterance("Speaker_1", "b", "Scared"))


def test_the_file_itself_may_be_named(tmp_path: Path) -> None:
    write(tmp_path, "meld-cosmic", MELD)
    assert read_meld_cosmic(tmp_path / "meld.pkl") == read_meld_cosmic(tmp_path)


def test_the_layouts_are_not_confused(tmp_path: Path) -> None:
    needed = "a list of 4 dictionaries and 3 lists of ids (train, test, validation) is needed"
    fault = f"meld.pkl: has another layout than meld-cosmic: {needed}"
    for content in (IEMOCAP, {}, [], [1, 2], None, "text", [*MELD[:6], [[1]]]):
        assert faults_of(tmp_path, content) == [fault]


def test_every_fault_is_placed(tmp_path: Path) -> None:
    content = changed(MELD, 0, 0, [[0] * 9, one_hot(1)])
    content = changed(content, 1, 1153, [7])
    content = changed(content, 3, 1039, ["  "])
    content = changed(content, 1, 0, [0, "joy"])
    known = "Known: 0 neutral, 1 surprise, 2 fear, 3 sad, 4 joyful, 5 disgust, 6 angry"
    assert faults_of(tmp_path, content) == [
        "meld.pkl: conversation 0, turn 0: speaker (a list) is no list of zeros with a single 1",
        f"meld.pkl: conversation 0, turn 1: unknown label 'joy': {known}",
        "meld.pkl: conversation 1039, turn 0: text '  ': every turn of this corpus has words",
        f"meld.pkl: conversation 1153, turn 0: unknown label 7: {known}",
    ]


def test_conversations_without_all_their_columns_are_named(tmp_path: Path) -> None:
    content = changed(MELD, 3, 0, ["only one"])
    del content[1][1153]
    needed = "one of each per turn, and at least one turn, is needed"
    assert faults_of(tmp_path, changed(content, 0, 1039, 5)) == [
        f"meld.pkl: conversation 0: has 2 speakers, 2 labels, 1 sentences: {needed}",
        f"meld.pkl: conversation 1039: has no speakers, 1 labels, 1 sentences: {needed}",
        f"meld.pkl: conversation 1153: has 1 speakers, no labels, 1 sentences: {needed}",
    ]


def test_a_conversation_in_two_splits_is_named(tmp_path: Path) -> None:
    content = [*MELD[:4], [0, 0], [0], [1039]]
    assert faults_of(tmp_path, content) == [
        "meld.pkl: train ids: conversation 0 stands already in train",
        "meld.pkl: test ids: conversation 0 stands already in train",
    ]


def test_a_speaker_of_iemocap_is_m_or_f(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, changed(IEMOCAP, 0, "Ses05F_impro01", ["X"]), "iemocap-cosmic")
    assert fault == "iemocap.pkl: conversation Ses05F_impro01, turn 0: speaker 'X' is neither 'M' nor 'F'"


def test_a_malicious_pickle_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, ("touch executed",)

    with pytest.raises(UnsafePickleError, match=r"meld\.pkl: asks for the global '.*\.system'"):
        read_meld_cosmic(write(tmp_path, "meld-cosmic", [*MELD[:6], [Evil()]]))


def test_a_cut_or_empty_pickle_is_named(tmp_path: Path) -> None:
    for data in (pickle.dumps(MELD)[:-20], b""):
        with pytest.raises(UnreadableFileError, match=r"meld\.pkl: "):
            read_meld_cosmic(write(tmp_path, "meld-cosmic", data))


def test_a_missing_pickle_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableFileError, match=r"lacks meld\.pkl: get them with `instructerc data download meld-cosmic`"
    ):
        read_meld_cosmic(tmp_path)
    with pytest.raises(UnreadableFileError, match=r"lacks iemocap\.pkl: .*https://sail\.usc\.edu/iemocap/"):
        read_iemocap_cosmic(tmp_path)
