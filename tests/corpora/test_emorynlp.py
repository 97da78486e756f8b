from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Utterance
from instructerc.corpora.catalog import SOURCES
from instructerc.corpora.cosmic import read_emorynlp_cosmic
from instructerc.corpora.counts import count_differences, counts_of
from instructerc.corpora.emorynlp import CSV_FILES, JSON_FILES, first_of_list, read_emorynlp, read_emorynlp_v1
from instructerc.errors import InvalidRowsError, UnreadableFileError

HEADER = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time\n"
ROWS = (
    HEADER
    + "Coffee.,['Rachel Green'],Neutral,1,1,1,15,a,b\n"
    + "\"Oh, hi!\",\"['Monica Geller', 'Phoebe Buffay']\",Joyful,1,3,1,15,a,b\n"
    + 'Boo.,"[""Rachel\'s Mom""]",Scared,1,1,2,15,a,b\n'
)

KNOWN = "Known: Joyful, Mad, Peaceful, Neutral, Sad, Powerful, Scared"


def write(folder: Path, **files: str) -> Path:
    for split, name in CSV_FILES.items():
        (folder / name).write_text(files.get(split, ROWS), encoding="utf-8")
    return folder


def test_counts_are_the_published_ones(shared: Path) -> None:
    assert count_differences(read_emorynlp(shared / "data" / "emorynlp"), SOURCES["emorynlp"]) == ()


def test_the_csv_holds_what_the_pickle_holds_in_another_order(shared: Path) -> None:
    written = read_emorynlp(shared / "data" / "emorynlp")
    pickled = read_emorynlp_cosmic(shared / "data" / "cosmic")
    for (_, first), (_, second) in zip(written.splits(), pickled.splits(), strict=True):
        turns = {c.id: [(u.text, u.emotion) for u in c.utterances] for c in first}
        assert turns == {c.id: [(u.text, u.emotion) for u in c.utterances] for c in second}
        # A turn of several speakers counts for the first of them: then both name the same speakers.
        numbers = {c.id: [f"Speaker_{c.speakers.index(u.speaker)}" for u in c.utterances] for c in first}
        assert numbers == {c.id: [u.speaker for u in c.utterances] for c in second}
    assert [c.id for c in written.train] != [c.id for c in pickled.train]


def test_a_scene_is_named_by_season_episode_and_scene(tmp_path: Path) -> None:
    corpus = read_emorynlp(write(tmp_path))
    assert [c.id for c in corpus.train] == ["1_15_1", "2_15_1"]
    assert corpus.train[0].utterances == (
        Utterance("Rachel Green", "Coffee.", "Neutral"),
        Utterance("Monica Geller", "Oh, hi!", "Joyful"),
    )
    assert corpus.train[1].utterances[0].speaker == "Rachel's Mom"


@pytest.mark.parametrize(
    "speaker",
    ["Rachel Green", "[]", "['']", "[1]", "['a'", "('a',)", "__import__('os').system('true')", "[" * 900, "[" * 5000],
)
def test_a_speaker_that_is_no_list_of_names_is_named(tmp_path: Path, speaker: str) -> None:
    write(tmp_path, train=ROWS.replace("['Rachel Green']", f'"{speaker}"'))
    with pytest.raises(
        InvalidRowsError, match=r"train_final\.csv:2: Speaker: .* is no list of names: write \['Rachel Green'\]"
    ):
        read_emorynlp(tmp_path)


@given(names=st.lists(st.text(min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=4))
def test_any_python_list_of_names_is_read(names: list[str]) -> None:
    assert first_of_list(repr(names)) == names[0].strip()


def test_faults_come_at_once(tmp_path: Path) -> None:
    write(tmp_path, train=ROWS.replace("Scared", "Scarred"), test=ROWS + "Again.,['Joey'],Sad,1,3,1,15,a,b\n")
    with pytest.raises(InvalidRowsError) as caught:
        read_emorynlp(tmp_path)
    assert [(p.line, p.column, p.reason) for p in caught.value.problems] == [
        (
            4,
            "Emotion",
            f"unknown label 'Scarred': did you mean 'Scared'? {KNOWN}",
        ),
        (5, "Utterance_ID", "the turn stands already in line 3, with the same Season, Episode, Scene_ID: delete one"),
    ]


# Version 1.0


def utterance(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "utterance_id": f"s01_e02_c01_u{number:03}",
        "speakers": ["Joey Tribbiani"],
        "transcript": "Yeah, right!",
        "tokens": [["Yeah", ",", "right", "!"]],
        "emotion": "Neutral",
    } | changes


def document(*utterances: dict[str, Any], scene: str = "s01_e02_c01") -> dict[str, Any]:
    scenes = [{"scene_id": scene, "utterances": list(utterances)}]
    return {"season_id": "trn", "episodes": [{"episode_id": "s01_e02", "scenes": scenes}]}


def write_v1(folder: Path, train: Any) -> Path:
    for split, name in JSON_FILES.items():
        content = train if split == "train" else document(utterance(1))
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def faults_v1(folder: Path, train: Any) -> list[str]:
    with pytest.raises((InvalidRowsError, UnreadableFileError)) as caught:
        read_emorynlp_v1(write_v1(folder, train))
    return str(caught.value).replace(f"{folder}/emotion-detection-trn.json: ", "").split("\n")


def test_counts_of_version_1_are_the_published_ones(shared: Path, tmp_path: Path) -> None:
    # The training file is not at hand: one of its format stands in for it.
    folder = write_v1(tmp_path, document(utterance(1)))
    for split in ("validation", "test"):
        (folder / JSON_FILES[split]).unlink()
        (folder / JSON_FILES[split]).symlink_to(shared / "data" / "emorynlp" / JSON_FILES[split])
    corpus = read_emorynlp_v1(folder)
    assert corpus.name == "emorynlp-v1"
    for split in ("validation", "test"):
        assert counts_of(corpus)[split] == SOURCES["emorynlp-v1"].counts[split]
    assert corpus.validation[0].id == "s01_e15_c01"
    assert corpus.validation[0].utterances[0] == Utterance("Rachel Green", "Coffee.", "Neutral")


def test_a_small_file_of_the_training_format_is_read(tmp_path: Path) -> None:
    several = utterance(2, speakers=["Monica Geller", "Phoebe Buffay"], emotion="Joyful")
    nobody = utterance(3, speakers=[], transcript="", emotion="mad")
    corpus = read_emorynlp_v1(write_v1(tmp_path, document(utterance(1), several, nobody)))
    assert corpus.train[0].id == "s01_e02_c01"
    assert corpus.train[0].utterances == (
        Utterance("Joey Tribbiani", "Yeah, right!", "Neutral"),
        Utterance("Monica Geller", "Yeah, right!", "Joyful"),
        Utterance("Unknown", "", "Mad"),
    )


def test_a_cut_json_file_is_named(tmp_path: Path) -> None:
    text = json.dumps(document(utterance(1)))
    (fault,) = faults_v1(tmp_path, text[: len(text) // 2])
    assert fault.startswith("is no JSON (")
    assert fault.endswith("the file was cut off or changed; download it again")


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"episodes": NaN, "a": ' + "9" * 5000 + "}"])
def test_text_that_is_no_usable_json_is_named(tmp_path: Path, text: str) -> None:
    assert len(faults_v1(tmp_path, text)) == 1


def test_every_fault_of_the_json_is_placed(tmp_path: Path) -> None:
    broken = document(
        utterance(1, emotion="Sadd"),
        utterance(1),
        utterance(3, speakers="Joey"),
        {"utterance_id": "s01_e02_c01_u004", "speakers": ["Joey"]},
        utterance(5, transcript=7),
    )
    place = "episodes[0].scenes[0].utterances"
    assert faults_v1(tmp_path, broken) == [
        f"{place}[0].emotion: unknown label 'Sadd': did you mean 'Sad'? {KNOWN}",
        f"{place}[1].utterance_id: 's01_e02_c01_u001' stands twice in this scene: delete one",
        f"{place}[2].speakers: is a text: a list of names is needed",
        f"{place}[3].emotion: is missing: a text is needed",
        f"{place}[3].transcript: is missing: a text is needed",
        f"{place}[4].transcript: is a int: a text is needed",
    ]


def test_a_document_of_another_kind_is_named(tmp_path: Path) -> None:
    needed = "a list with at least one entry is needed"
    assert faults_v1(tmp_path, []) == [f"episodes: is missing: {needed}"]
    assert faults_v1(tmp_path, {"episodes": []}) == [f"episodes: is a list: {needed}"]
    assert faults_v1(tmp_path, {"episodes": [3]}) == [f"episodes[0].scenes: is missing: {needed}"]
    assert faults_v1(tmp_path, document()) == [f"episodes[0].scenes[0].utterances: is a list: {needed}"]


def test_a_scene_that_stands_twice_is_named(tmp_path: Path) -> None:
    twice = document(utterance(1))
    twice["episodes"] *= 2
    assert faults_v1(tmp_path, twice) == ["s01_e02_c01: names two conversations: an id is unique; delete one of them"]
