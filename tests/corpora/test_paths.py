"""People's own labelled data → a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.columns import Columns
from instructerc.corpora.jsonl import write_jsonl
from instructerc.corpora.paths import load_path_corpus
from instructerc.corpora.table import write_table
from instructerc.errors import InvalidRowsError, UnknownNameError, UnreadableFileError
from instructerc.labels import EKMAN

HEADER = "conversation,turn,speaker,text,emotion\n"
TABLE = HEADER + "a,0,Ann,Hi,joy\na,1,Bo,Yes,neutral\nb,0,Ann,So,neutral\n"


def chats(count: int, emotion: str = "joy") -> list[Conversation]:
    return [Conversation(f"c{number}", (Utterance("Ann", "Hi", emotion),)) for number in range(count)]


def problems(path: Path, **options: object) -> list[str]:
    with pytest.raises(InvalidRowsError) as caught:
        load_path_corpus(path, **options)  # type: ignore[arg-type]
    folder = path if path.is_dir() else path.parent
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_a_single_file_is_cut_by_the_ids_of_its_conversations(tmp_path: Path) -> None:
    found = chats(20)
    corpora = [
        load_path_corpus(write_jsonl(tmp_path / "own.jsonl", found)),
        load_path_corpus(write_table(tmp_path / "own.csv", found)),
        load_path_corpus(write_table(tmp_path / "own.parquet", reversed(found), format="parquet")),
    ]
    assert [len(part) for _, part in corpora[0].splits()] == [16, 2, 2]
    assert corpora[0] == corpora[1]
    assert {item.id for item in corpora[2].test} == {item.id for item in corpora[0].test}
    assert (corpora[0].name, corpora[0].labels) == ("own", ("joy",))


def test_a_split_column_wins(tmp_path: Path) -> None:
    rows = "a,Ann,Hi,joy,Train\nb,Ann,Hi,joy,dev\nc,Ann,Hi,joy,test\nd,Ann,Hi,joy,valid\n"
    path = write(tmp_path / "test.csv", "conversation,speaker,text,emotion,split\n" + rows)
    corpus = load_path_corpus(path, columns=Columns(turn=None))
    assert [[item.id for item in part] for _, part in corpus.splits()] == [["a"], ["b", "d"], ["c"]]


def test_a_file_named_like_a_split_is_that_split(tmp_path: Path) -> None:
    corpus = load_path_corpus(write(tmp_path / "Dev.csv", TABLE))
    assert [len(part) for _, part in corpus.splits()] == [0, 2, 0]


@pytest.mark.parametrize("validation", ["validation", "valid", "val", "dev"])
def test_a_folder_may_mix_formats_and_hold_other_files(tmp_path: Path, validation: str) -> None:
    write_jsonl(tmp_path / "train.jsonl", chats(3))
    write_table(tmp_path / f"{validation}.tsv", chats(2, "fear"), format="tsv")
    write_table(tmp_path / "test.parquet", chats(1), format="parquet")
    write(tmp_path / "README.md", "# mine")
    write(tmp_path / "other.csv", "no table")
    corpus = load_path_corpus(tmp_path)
    assert [len(part) for _, part in corpus.splits()] == [3, 2, 1]
    assert corpus.name == tmp_path.name
    assert corpus.labels == ("joy", "fear")


def test_ids_that_several_split_files_use_get_the_split_in_front(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", chats(2))
    write_jsonl(tmp_path / "test.jsonl", chats(1))
    corpus = load_path_corpus(tmp_path)
    assert [item.id for item in corpus.train + corpus.test] == ["train/c0", "train/c1", "test/c0"]


def test_labels_are_inferred_by_frequency_then_by_letter(tmp_path: Path) -> None:
    rows = "a,0,A,x,joy\na,1,A,x,fear\na,2,A,x, anger \na,3,A,x,fear\na,4,A,x,\n"
    corpus = load_path_corpus(write(tmp_path / "train.csv", HEADER + rows))
    assert corpus.labels == ("fear", "anger", "joy")
    assert [turn.emotion for turn in corpus.train[0].utterances] == ["joy", "fear", "anger", "fear", None]


def test_a_given_set_decides_spelling_and_order(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", TABLE.replace("joy", "Happy"))
    corpus = load_path_corpus(path, labels=EKMAN)
    assert corpus.labels == EKMAN.labels
    assert corpus.train[0].utterances[0].emotion == "joy"


def test_an_unknown_label_names_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", TABLE.replace("Hi,joy", "Hi,ange"))
    [found] = problems(path, labels=EKMAN)
    assert found.startswith("own.csv:2: emotion: unknown label 'ange': did you mean 'anger'? Known: neutral, joy")


def test_labels_that_differ_in_case_only_name_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", TABLE.replace("So,neutral", "So,Neutral") + "c,0,Ann,Hi,neutral\n")
    [found] = problems(path)
    assert found == (
        "own.csv:4: emotion: label 'Neutral' (1×) differs from 'neutral' (2×) in case only: "
        "write one of them everywhere, or name a label set"
    )
    assert load_path_corpus(path, labels=EKMAN).labels == EKMAN.labels


def test_a_column_that_holds_no_labels_is_told_from_one_that_does(tmp_path: Path) -> None:
    rows = "".join(f"a,{number},Ann,Hi,sentence {number}\n" for number in range(70))
    [found] = problems(write(tmp_path / "own.csv", HEADER + rows))
    assert "70 different emotions" in found
    [found] = problems(write(tmp_path / "own.csv", HEADER + "a,0,Ann,Hi,\n"))
    assert "no turn carries an emotion" in found
    [found] = problems(write(tmp_path / "own.csv", HEADER.replace("emotion", "Emotion") + "a,0,Ann,Hi,joy\n"))
    assert "emotion: no such column: did you mean 'Emotion'?" in found


def test_an_empty_text_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", TABLE.replace("Hi", "").replace("Yes", " "))
    assert [found[: len("train.csv:2: text: the text is empty")] for found in problems(path)] == [
        "train.csv:2: text: the text is empty",
        "train.csv:3: text: the text is empty",
    ]
    assert load_path_corpus(path, allow_empty=True).train[0].utterances[0].text == ""


def test_faults_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", TABLE.replace("Hi", "") + "a,0,Bo,Yes,joy\n")
    write(tmp_path / "dev.jsonl", "{]\n")
    write(tmp_path / "test.csv", "")
    assert [found.partition(": ")[0] for found in problems(tmp_path)] == [
        "train.csv:2",
        "train.csv:5",
        "dev.jsonl:1",
        "test.csv",
    ]


def test_conversations_without_a_split_beside_others_are_problems(tmp_path: Path) -> None:
    rows = "a,Ann,Hi,joy,train\nb,Ann,Hi,joy,\n"
    path = write(tmp_path / "own.csv", "conversation,speaker,text,emotion,split\n" + rows)
    [found] = problems(path, columns=Columns(turn=None))
    assert found.startswith("own.csv:3: split: conversation 'b' names no split where others do")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "holds no file that ends in one of"),
        ({"notes.md": "x"}, "holds no file that ends in one of"),
        ({"own.csv": TABLE}, "no file of it is named train"),
        ({"dev.csv": TABLE, "valid.csv": TABLE}, r"dev\.csv and valid\.csv are both its validation split"),
    ],
)
def test_a_folder_that_is_no_corpus_is_unreadable(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    for name, content in files.items():
        write(tmp_path / name, content)
    with pytest.raises(UnreadableFileError, match=reason):
        load_path_corpus(tmp_path)


def test_a_transcript_carries_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="carries no emotions"):
        load_path_corpus(write(tmp_path / "talk.txt", "Ann: Hi\n"))


def test_a_missing_path_and_an_unknown_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        load_path_corpus(tmp_path / "none.csv")
    with pytest.raises(UnknownNameError, match="did you mean 'csv'"):
        load_path_corpus(write(tmp_path / "own.csv", TABLE), format="cvs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("examples")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='abc,"\n\t{}[]:01 -\u2028\0', max_size=120).map(str.encode))
def test_no_content_whatsoever_ends_in_anything_but_our_errors(folder: Path, content: bytes) -> None:
    for name in ("own.csv", "own.tsv", "own.jsonl", "own.json", "own.parquet", "own"):
        (folder / name).write_bytes(content)
        with pytest.raises((InvalidRowsError, UnreadableFileError)):
            load_path_corpus(folder / name)
