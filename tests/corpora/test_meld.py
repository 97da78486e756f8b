from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.conversation import SPLITS, Utterance
from instructerc.corpora.catalog import SOURCES
from instructerc.corpora.counts import count_differences
from instructerc.corpora.meld import FILES, read_meld
from instructerc.corpora.repair import VERBATIM
from instructerc.errors import InvalidRowsError, UnreadableFileError

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
TWO = (
    HEADER
    + '1,"Oh, no.",Ross,sadness,negative,0,0,1,1,"00:00:01,000","00:00:02,000"\n'
    + '2,What?,Monica,surprise,negative,0,2,1,1,"00:00:02,000","00:00:03,000"\n'
    + '3,Hi!,Joey,joy,positive,7,0,1,1,"00:00:09,000","00:00:10,000"\n'
)


def write(folder: Path, **files: str | bytes) -> Path:
    """Writes the three files; a split that is not given holds two conversations."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, name in FILES.items():
        content = files.get(split, TWO)
        (folder / name).write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return folder


def fault_of(folder: Path, **files: str | bytes) -> list[str]:
    write(folder, **files)
    with pytest.raises((InvalidRowsError, UnreadableFileError)) as caught:
        read_meld(folder)
    return str(caught.value).replace(f"{folder}/", "").split("\n")


def test_counts_are_the_published_ones(shared: Path) -> None:
    corpus = read_meld(shared / "data" / "meld")
    assert count_differences(corpus, SOURCES["meld"]) == ()
    assert [len(part) for _, part in corpus.splits()] == [1038, 114, 280]


def test_the_real_files_are_read_in_their_order(shared: Path) -> None:
    corpus = read_meld(shared / "data" / "meld")
    first = corpus.train[0]
    assert first.id == "train-0"
    assert first.utterances[1] == Utterance("The Interviewer", "You must’ve had your hands full.", "neutral")
    numbers = [int(conversation.id.removeprefix("train-")) for conversation in corpus.train]
    assert numbers == [number for number in range(1039) if number != 60]
    assert {turn.emotion for part in SPLITS for c in corpus.split(part) for turn in c.utterances} == set(corpus.labels)


def test_labels_are_spelt_as_in_the_prompts(tmp_path: Path) -> None:
    corpus = read_meld(write(tmp_path))
    assert corpus.name == "meld"
    assert [c.id for c in corpus.test] == ["test-0", "test-7"]
    assert corpus.train[0].utterances == (Utterance("Ross", "Oh, no.", "sad"), Utterance("Monica", "What?", "surprise"))
    assert corpus.train[1].utterances == (Utterance("Joey", "Hi!", "joyful"),)


def test_the_publishers_folders_are_found(tmp_path: Path) -> None:
    write(tmp_path / "data" / "MELD")
    assert read_meld(tmp_path) == read_meld(tmp_path / "data" / "MELD") == read_meld(tmp_path / "data")


def test_damaged_characters_are_repaired_unless_told_otherwise(tmp_path: Path) -> None:
    write(tmp_path, train=HEADER + "1,It\x92s é,Mr. D\x92Arcy,joy,positive,0,0,1,1,a,b\n")
    assert read_meld(tmp_path).train[0].utterances[0] == Utterance("Mr. D’Arcy", "It’s é", "joyful")
    assert read_meld(tmp_path, text=VERBATIM).train[0].utterances[0].text == "It\x92s é"


@pytest.mark.parametrize(
    ("given", "meant"),
    [("JOY", "joyful"), (" Joy ", "joyful"), ("Joyful", "joyful"), ("sad", "sad"), ("Anger", "angry")],
)
def test_the_case_of_a_label_does_not_matter(tmp_path: Path, given: str, meant: str) -> None:
    write(tmp_path, train=TWO.replace(",joy,", f",{given},"))
    assert read_meld(tmp_path).train[1].utterances[0].emotion == meant


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b", train=b"\xef\xbb\xbf" + TWO.replace("\n", "\r\n").encode())
    assert read_meld(tmp_path / "a") == read_meld(tmp_path / "b")


def test_a_text_may_hold_line_ends_and_the_next_row_keeps_its_line_number(tmp_path: Path) -> None:
    rows = HEADER + '1,"one\ntwo",Ross,joy,positive,0,0,1,1,a,b\n2,x,Ross,jot,positive,0,1,1,1,a,b\n'
    assert fault_of(tmp_path, train=rows)[0].startswith("train_sent_emo.csv:4: Emotion: unknown label 'jot'")


def test_missing_files_say_where_to_get_them(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "dev_sent_emo.csv").unlink()
    (tmp_path / "test_sent_emo.csv").unlink()
    with pytest.raises(UnreadableFileError) as caught:
        read_meld(tmp_path)
    assert str(caught.value) == (
        f"meld: {tmp_path} lacks dev_sent_emo.csv, test_sent_emo.csv: get them with "
        "`instructerc data download meld`, or name the folder that holds them"
    )


def test_missing_columns_are_all_named(tmp_path: Path) -> None:
    found = fault_of(tmp_path, train="Uterance,Speaker,Emotion,Utterance_ID\n1,x,Ross,joy,0\n")
    has = "The file has: Uterance, Speaker, Emotion, Utterance_ID"
    assert found == [
        f"train_sent_emo.csv:1: Utterance: column is missing: did you mean 'Uterance'? {has}",
        f"train_sent_emo.csv:1: Dialogue_ID: column is missing: {has}",
    ]


def test_an_unknown_label_gets_its_nearest(tmp_path: Path) -> None:
    (fault,) = fault_of(tmp_path, validation=TWO.replace(",surprise,", ",suprise,"))
    assert fault == (
        "dev_sent_emo.csv:3: Emotion: unknown label 'suprise': did you mean 'surprise'? "
        "Known: neutral, surprise, fear, sad, joyful, disgust, angry"
    )


@pytest.mark.parametrize("cell", ["Hi!", "Joey", "joy"])
def test_an_empty_cell_is_named(tmp_path: Path, cell: str) -> None:
    column = {"Hi!": "Utterance", "Joey": "Speaker", "joy": "Emotion"}[cell]
    found = fault_of(tmp_path, test=TWO.replace(f",{cell},", ",  ,"))
    assert found == [f"test_sent_emo.csv:4: {column}: is empty: every turn of this corpus has one"]


def test_a_turn_that_stands_twice_is_named_with_the_first(tmp_path: Path) -> None:
    found = fault_of(tmp_path, train=TWO + "4,Again,Joey,joy,positive,7,0,1,1,a,b\n")
    assert found == [
        "train_sent_emo.csv:5: Utterance_ID: the turn stands already in line 4, with the same Dialogue_ID: delete one"
    ]


def test_a_turn_without_a_number_is_named(tmp_path: Path) -> None:
    found = fault_of(tmp_path, train=TWO.replace(",positive,7,0,", ",positive,7,x,"))
    assert found == ["train_sent_emo.csv:4: Utterance_ID: 'x' is no turn number: write a whole number from 0"]


def test_bytes_that_are_no_utf8_are_placed(tmp_path: Path) -> None:
    found = fault_of(tmp_path, train=TWO.replace("What?", "What’s?").encode("cp1252"))
    assert len(found) == 1
    assert found[0].startswith("train_sent_emo.csv:3: not UTF-8: byte 0x92 at byte offset 179")


def test_a_file_cut_inside_a_row_is_noticed(tmp_path: Path) -> None:
    found = fault_of(tmp_path, train=TWO[: TWO.rindex("positive")])
    assert found == ["train_sent_emo.csv:4: has 5 fields, the header has 11: the row was cut off"]


def test_a_file_cut_inside_quotation_marks_is_noticed(tmp_path: Path) -> None:
    (fault,) = fault_of(tmp_path, train=TWO[:-5])
    assert fault == (
        "train_sent_emo.csv:4: is no CSV from here on (unexpected end of data): "
        "the file was cut off, or a quotation mark is left open"
    )


def test_a_comma_without_quotation_marks_is_noticed(tmp_path: Path) -> None:
    found = fault_of(tmp_path, train=TWO.replace("What?", "What, now?"))
    assert found == [
        "train_sent_emo.csv:3: has 12 fields, the header has 11: a text with a comma stands without quotation marks"
    ]


@pytest.mark.parametrize("content", ["", "  \n\n"])
def test_an_empty_file_is_named(tmp_path: Path, content: str) -> None:
    assert fault_of(tmp_path, test=content) == [
        "test_sent_emo.csv: the file is empty: it was perhaps not written to its end"
    ]


def test_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    found = fault_of(
        tmp_path, train=TWO.replace(",joy,", ",jot,").replace("What?", ""), validation="", test=TWO.replace("Joey", "")
    )
    assert [line.split(": ")[0] for line in found] == [
        "dev_sent_emo.csv",
        "train_sent_emo.csv:3",
        "train_sent_emo.csv:4",
        "test_sent_emo.csv:4",
    ]


def test_a_header_without_rows_is_an_empty_split(tmp_path: Path) -> None:
    assert fault_of(tmp_path, train=HEADER) == [
        "train_sent_emo.csv: holds no row below its header: the file was cut off"
    ]
