from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.corpora.catalog import SOURCES, Counts
from instructerc.corpora.counts import count_differences, counts_of
from instructerc.corpora.load import load_corpus
from instructerc.corpora.validation import validate
from tests.corpora.test_meld import write

CORPUS = Corpus("c", ("calm",), train=(Conversation("a", (Utterance("A", "Hi", "calm"), Utterance("B", "Hi"))),))


def test_only_labelled_turns_count() -> None:
    assert counts_of(CORPUS) == {"train": Counts(1, 1), "validation": Counts(0, 0), "test": Counts(0, 0)}


def test_a_whole_corpus_differs_in_nothing() -> None:
    assert count_differences(CORPUS, replace(SOURCES["meld"], counts=counts_of(CORPUS))) == ()
    assert count_differences(load_corpus("sample"), SOURCES["sample"]) == ()


def test_each_split_that_differs_is_named() -> None:
    differences = count_differences(CORPUS, SOURCES["meld"])
    assert len(differences) == 3
    assert differences[0] == (
        "meld: train holds 1 conversations and 1 labelled turns, published are 1038 and 9989: "
        "a file was cut off or changed"
    )


def test_a_file_cut_between_two_rows_is_found_by_validation(tmp_path: Path) -> None:
    problems = validate("meld", folder=write(tmp_path))
    assert [(problem.file, problem.reason.split(",")[0]) for problem in problems] == [
        (tmp_path, f"meld: {split} holds 2 conversations and 3 labelled turns")
        for split in ("train", "validation", "test")
    ]
