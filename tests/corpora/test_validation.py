"""Everything that is wrong with data, at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.corpora.validation import validate
from instructerc.errors import UnknownNameError
from instructerc.labels import EKMAN

HEADER = "conversation,turn,speaker,text,emotion\n"


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_data_in_order_has_no_problem(tmp_path: Path) -> None:
    assert validate(write(tmp_path / "a.csv", HEADER + "a,0,Ann,Hi,joy\n")) == []
    assert validate("sample") == []


def test_every_bad_row_is_listed_with_file_row_column_and_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", HEADER + "a,0,Ann,Hi,joi\n" * 40 + "b,x,Ann,,joy\n")
    found = validate(path, labels=EKMAN)
    assert {problem.file for problem in found} == {path}
    assert [(problem.line, problem.column) for problem in found if problem.line and problem.line > 40] == [
        (41, "turn"),
        (41, "emotion"),
        (42, "turn"),
        (42, "text"),
    ]
    assert len(found) == 40 + 39 + 2


def test_what_is_only_to_be_recognised_needs_no_emotions_and_no_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "conversation,turn,speaker,text\na,0,Ann,\n")
    assert [problem.column for problem in validate(path)] == ["emotion"]
    assert validate(path, unlabelled=True) == []
    assert validate(tmp_path, unlabelled=True) == []


def test_a_transcript_is_looked_at_as_unlabelled(tmp_path: Path) -> None:
    assert validate(write(tmp_path / "a.txt", "Ann: Hi\n")) == []
    assert len(validate(write(tmp_path / "a.txt", "Minutes\nAnn: Hi\n"))) == 1


@pytest.mark.parametrize("unlabelled", [False, True])
def test_what_cannot_be_read_at_all_is_a_problem_too(tmp_path: Path, unlabelled: bool) -> None:
    write(tmp_path / "empty.csv", "")
    for name in ("none.csv", "empty.csv", "none/none.csv"):
        [found] = validate(str(tmp_path / name), unlabelled=unlabelled)
        assert (found.file, found.line) == (tmp_path / name, None)


def test_faults_of_a_named_corpus_are_problems(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write(tmp_path / f"{split}_sent_emo.csv", "")
    assert validate("meld", folder=tmp_path)


def test_a_name_that_nobody_knows_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'meld'"):
        validate("mled")


def test_a_row_that_is_wrong_in_its_turn_is_judged_in_its_text_and_emotion_too(tmp_path: Path) -> None:
    file = tmp_path / "broken.csv"
    file.write_text("conversation,turn,speaker,text,emotion\na,0,Bo,Hi,joy\na,x,Bo,,Joy\n", encoding="utf-8")
    found = [(problem.line, problem.column) for problem in validate(file)]
    assert found == [(2, "emotion"), (3, "turn"), (3, "text")], "Joy and joy differ in case: the first is named"
