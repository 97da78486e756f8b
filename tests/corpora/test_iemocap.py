from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.conversation import Utterance
from instructerc.corpora.iemocap import VALIDATION, read_iemocap
from instructerc.errors import InvalidRowsError, UnreadableFileError
from tests.corpora.iemocap import HEAD, label, put, simple, write_release


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Sessions 1 to 5 with a conversation each, in exactly the format of the release."""
    write_release(tmp_path)
    return tmp_path


def faults_of(root: Path) -> list[str]:
    with pytest.raises((InvalidRowsError, UnreadableFileError)) as caught:
        read_iemocap(root)
    return str(caught.value).replace(f"{root}/", "").split("\n")


def test_session_five_is_the_test_split_and_twelve_conversations_validate(release: Path) -> None:
    for conversation in VALIDATION:
        simple(release, conversation)
    corpus = read_iemocap(release)
    assert corpus.labels == ("happy", "sad", "neutral", "angry", "excited", "frustrated")
    assert {c.id for c in corpus.validation} == VALIDATION
    assert len(corpus.validation) == 12
    assert [c.id for c in corpus.train] == ["Ses01F_impro01", "Ses02F_impro01", "Ses03M_impro01", "Ses04F_script01_1"]
    assert [c.id for c in corpus.test] == ["Ses05M_script01_1b"]


def test_a_conversation_of_the_validation_list_counts_only_in_its_session() -> None:
    assert all(1 <= int(name[3:5]) <= 4 for name in VALIDATION)


def test_turns_stand_in_the_order_of_the_transcription_and_other_labels_are_left_out(release: Path) -> None:
    name = "Ses01F_impro01"
    transcription = (
        f"{name}_F000 [006.2901-008.2357]: Excuse me.\n"
        f"{name}_M000 [007.5712-010.4750]: Do you have your forms?\n"
        "M: [BREATHING]\n"
        f"{name}_MXX0 [010.5000-010.6000]: Uh.\n"
        f"{name}_F001 [010.9266-014.6649]: Yeah. \n"
        f"{name}_F002 [015.0000-016.0000]: What?\n"
        f"{name}_M001 [016.0000-017.0000]: Great! [LAUGHTER]: really.\n"
        "\n"
    )
    evaluation = HEAD + "".join(
        label(f"{name}_{turn}", emotion)
        for turn, emotion in (("M001", "exc"), ("F000", "neu"), ("M000", "fru"), ("F001", "xxx"), ("F002", "sur"))
    )
    put(release, name, transcription, evaluation)
    assert read_iemocap(release).train[0].utterances == (
        Utterance("F", "Excuse me.", "neutral"),
        Utterance("M", "Do you have your forms?", "frustrated"),
        Utterance("M", "Great! [LAUGHTER]: really.", "excited"),
    )


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("hap", "happy"),
        ("sad", "sad"),
        ("neu", "neutral"),
        ("ang", "angry"),
        ("exc", "excited"),
        ("fru", "frustrated"),
        ("NEU", "neutral"),
    ],
)
def test_six_labels_are_kept(release: Path, code: str, meant: str) -> None:
    name = "Ses01F_impro01"
    put(release, name, f"{name}_M012 [1.0-2.0]: Well.\n", HEAD + label(f"{name}_M012", code))
    assert read_iemocap(release).train[0].utterances == (Utterance("M", "Well.", meant),)


@pytest.mark.parametrize("code", ["sur", "fea", "dis", "oth", "xxx"])
def test_a_conversation_of_which_nothing_is_kept_is_left_out(release: Path, code: str) -> None:
    name = "Ses01F_impro01"
    put(release, name, f"{name}_M012 [1.0-2.0]: Well.\n", HEAD + label(f"{name}_M012", code))
    assert [c.id for c in read_iemocap(release).train] == ["Ses02F_impro01", "Ses03M_impro01", "Ses04F_script01_1"]


def test_the_folder_above_and_leftovers_of_other_systems_do_not_matter(
    release: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (release / "Session1" / "dialog" / "transcriptions" / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07")
    above = tmp_path_factory.mktemp("above")
    (above / "IEMOCAP_full_release").symlink_to(release)
    assert read_iemocap(above) == read_iemocap(release)


def test_missing_sessions_say_where_to_ask(release: Path) -> None:
    (release / "Session4").rename(release / "elsewhere")
    (fault,) = faults_of(release)
    assert "iemocap: " in fault
    missing = "Session4/dialog/transcriptions, Session4/dialog/EmoEvaluation"
    assert f"lacks {missing}: IEMOCAP is given only to people who ask" in fault
    assert "https://sail.usc.edu/iemocap/" in fault


def test_a_missing_evaluation_is_named(release: Path) -> None:
    (release / "Session2" / "dialog" / "EmoEvaluation" / "Ses02F_impro01.txt").unlink()
    assert faults_of(release) == ["Session2/dialog/EmoEvaluation/Ses02F_impro01.txt: no such file: check the path"]


def test_every_bad_line_of_every_file_is_named(release: Path) -> None:
    name = "Ses01F_impro01"
    transcription = f"{name}_F000 [006.2901-008.2357]: Excuse me.\n{name}_F000 [1.0-2.0]: Again.\n{name}_M000 [007.57"
    evaluation = (
        HEAD + label(f"{name}_F000", "neutr") + label(f"{name}_F000", "neu") + label(f"{name}_M000", "ang") + "[6.29"
    )
    put(release, name, transcription, evaluation)
    (release / "Session5" / "dialog" / "transcriptions" / "Ses05M_script01_1b.txt").write_text("", encoding="utf-8")
    labels = f"Session1/dialog/EmoEvaluation/{name}.txt"
    turns = f"Session1/dialog/transcriptions/{name}.txt"
    known = "Known: hap, sad, neu, ang, exc, fru, sur, fea, dis, oth, xxx"
    line = "`[6.2901 - 8.2357]\\tSes01F_impro01_F000\\tneu\\t[…]`"
    turn = "`Ses01F_impro01_F000 [006.2901-008.2357]: text`"
    empty = "Session5/dialog/transcriptions/Ses05M_script01_1b.txt"
    assert faults_of(release) == [
        f"{empty}: the file is empty: it was perhaps not written to its end",
        f"{labels}:3: unknown label 'neutr': did you mean 'neu'? {known}",
        f"{labels}:7: turn '{name}_F000' is labelled twice: delete one",
        f"{labels}:15: '[6.29' is no label: {line} is",
        f"{turns}:2: turn '{name}_F000' stands twice: delete one",
        f"{turns}:3: 'Ses01F_impro01_M000 [007.57' is no turn: {turn} is",
        f"{turns}: '{name}_M000' has the label 'ang', and no line here: the file was cut off or changed",
    ]
