from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from instructerc.corpora import load
from instructerc.corpora.catalog import SOURCES
from instructerc.corpora.columns import Columns
from instructerc.corpora.load import load_corpus
from instructerc.errors import InvalidRowsError, UnknownNameError, UnreadableFileError, UsageError
from instructerc.labels import EKMAN
from tests.corpora.test_cosmic import MELD
from tests.corpora.test_meld import write as write_meld


def test_every_name_of_the_catalogue_has_a_reader() -> None:
    assert {*load._READERS, *load._REPAIRING_READERS} == set(SOURCES)


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "sample"])
def test_a_named_corpus_that_is_not_here_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFileError, match=rf"^{name}: .* lacks "):
        load_corpus(name, folder=tmp_path)
    with pytest.raises(UnreadableFileError, match=rf"^{name}: .*corpora/{name} lacks "):
        load_corpus(name)


def test_a_corpus_is_found_where_downloads_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTRUCTERC_HOME", str(tmp_path))
    write_meld(tmp_path / "corpora" / "meld")
    assert load_corpus("meld") == load_corpus("meld", folder=tmp_path / "corpora" / "meld")


def test_the_released_wording_gets_the_text_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "meld.pkl").write_bytes(pickle.dumps(MELD))
    assert load_corpus("meld-cosmic", folder=tmp_path).train[0].utterances[0].text == "It’s me"
    assert load_corpus("meld-cosmic", folder=tmp_path, repair=False).train[0].utterances[0].text == "It\x92s me"


def test_a_name_wins_over_a_folder_of_that_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").mkdir()
    assert load_corpus("sample").name == "sample"
    for path in ("./sample", Path("sample")):
        with pytest.raises(UnreadableFileError):
            load_corpus(path)


def test_ones_own_files_are_read(tmp_path: Path) -> None:
    line = '{"id": "a-1", "utterances": [{"speaker": "Ada", "text": "Yes!", "emotion": "joy"}]}\n'
    (tmp_path / "train.jsonl").write_text(line, encoding="utf-8")
    corpus = load_corpus(tmp_path, labels=EKMAN)
    assert corpus.labels == EKMAN.labels
    assert corpus.train[0].utterances[0].text == "Yes!"


def test_what_does_not_fit_a_named_corpus_is_named() -> None:
    with pytest.raises(UsageError, match="sample: labels and columns and format only go with files of your own"):
        load_corpus("sample", labels=EKMAN, columns=Columns(), format="csv")


def test_empty_texts_are_kept_where_they_are_allowed(tmp_path: Path) -> None:
    line = '{"id": "a", "utterances": [{"speaker": "Ada", "text": "", "emotion": "joy"}]}\n'
    (tmp_path / "train.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(InvalidRowsError, match="the text is empty"):
        load_corpus(tmp_path)
    assert load_corpus(tmp_path, allow_empty=True).train[0].utterances[0].text == ""
    with pytest.raises(UsageError, match="sample: allow_empty only go"):
        load_corpus("sample", allow_empty=True)


def test_a_folder_does_not_go_with_a_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder goes with a named corpus only"):
        load_corpus(str(tmp_path), folder=tmp_path)


def test_an_unknown_word_is_a_misspelt_name_and_a_path_a_missing_file() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'dailydialog'"):
        load_corpus("dailydialogue")
    for path in ("no/such", "nothing.csv"):
        with pytest.raises(UnreadableFileError, match="no such file or folder"):
            load_corpus(path)
