from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.conversation import SPLITS, Utterance
from instructerc.corpora.catalog import SOURCES
from instructerc.corpora.counts import count_differences
from instructerc.corpora.dailydialog import read_dailydialog
from instructerc.errors import InvalidRowsError, UnreadableFileError

TEXTS = "Really ? __eou__ Yeah ! __eou__ I ’ ll go . __eou__\nHi . __eou__\n"
CODES = "6 0 4 \n1 \n"


def write(root: Path, texts: str = TEXTS, codes: str = CODES, *, flat: bool = False) -> Path:
    """Writes all three splits; `texts` and `codes` are those of the training split."""
    for split in SPLITS:
        folder = root if flat else root / split
        folder.mkdir(parents=True, exist_ok=True)
        is_train = split == "train"
        (folder / f"dialogues_{split}.txt").write_text(texts if is_train else TEXTS, encoding="utf-8")
        (folder / f"dialogues_emotion_{split}.txt").write_text(codes if is_train else CODES, encoding="utf-8")
    return root


def faults_of(root: Path, texts: str = TEXTS, codes: str = CODES) -> list[str]:
    write(root, texts, codes)
    with pytest.raises((InvalidRowsError, UnreadableFileError)) as caught:
        read_dailydialog(root)
    return str(caught.value).replace(f"{root}/train/", "").split("\n")


def test_counts_are_the_published_ones(shared: Path) -> None:
    corpus = read_dailydialog(shared / "data" / "dailydialog")
    assert count_differences(corpus, SOURCES["dailydialog"]) == ()


def test_the_one_turn_without_a_label_is_kept(shared: Path) -> None:
    corpus = read_dailydialog(shared / "data" / "dailydialog")
    odd = corpus.train[7851]
    assert odd.id == "train-7851"
    assert len(odd) == 12
    assert [turn for turn, utterance in enumerate(odd.utterances) if utterance.emotion is None] == [11]
    others = (c for _, part in corpus.splits() for c in part if c.id != odd.id)
    assert all(utterance.emotion is not None for c in others for utterance in c.utterances)


@pytest.mark.parametrize("flat", [True, False])
def test_two_people_take_turns(tmp_path: Path, flat: bool) -> None:
    corpus = read_dailydialog(write(tmp_path, flat=flat))
    assert [c.id for c in corpus.validation] == ["validation-0", "validation-1"]
    assert corpus.train[0].utterances == (
        Utterance("A", "Really ?", "surprise"),
        Utterance("B", "Yeah !", "neutral"),
        Utterance("A", "I ’ ll go .", "happiness"),
    )
    assert corpus.train[1].utterances == (Utterance("A", "Hi .", "anger"),)


def test_the_folder_of_the_archive_is_found(tmp_path: Path) -> None:
    write(tmp_path / "ijcnlp_dailydialog")
    assert read_dailydialog(tmp_path) == read_dailydialog(tmp_path / "ijcnlp_dailydialog")


def test_windows_line_ends_and_separators_inside_a_text_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "a", TEXTS.replace("\n", "\r\n"), CODES.replace("\n", "\r\n"))
    assert read_dailydialog(tmp_path / "a") == read_dailydialog(write(tmp_path / "b"))
    corpus = read_dailydialog(write(tmp_path / "c", "a\u2028b\x85c . __eou__\n", "0\n"))
    assert corpus.train[0].utterances == (Utterance("A", "a\u2028b\x85c .", "neutral"),)


def test_missing_files_say_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableFileError, match=r"dailydialog: .* lacks train/dialogues_train\.txt, .* data download dailydialog`"
    ):
        read_dailydialog(tmp_path)


def test_a_line_less_in_one_of_the_two_files_is_named(tmp_path: Path) -> None:
    assert faults_of(tmp_path, codes="6 0 4 \n") == [
        "dialogues_emotion_train.txt: has 1 lines, dialogues_train.txt has 2: one of the two was cut off"
    ]


def test_a_line_cut_off_is_named(tmp_path: Path) -> None:
    assert faults_of(tmp_path, texts=TEXTS[:-5]) == [
        "dialogues_train.txt:2: ends in 'Hi . __e', not in __eou__: the line was cut off",
        "dialogues_emotion_train.txt:2: has 1 labels, the conversation has 0 turns: one label a turn",
    ]


def test_a_label_more_or_less_is_named(tmp_path: Path) -> None:
    assert faults_of(tmp_path, codes="6 0\n1 1\n") == [
        "dialogues_emotion_train.txt:1: has 2 labels, the conversation has 3 turns: one label a turn",
        "dialogues_emotion_train.txt:2: has 2 labels, the conversation has 1 turns: one label a turn",
    ]


def test_an_unknown_code_and_an_empty_turn_are_named(tmp_path: Path) -> None:
    known = "Known: 0 neutral, 1 anger, 2 disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise"
    assert faults_of(tmp_path, texts="Really ? __eou__ __eou__\nHi . __eou__\n", codes="6 7\njoy\n") == [
        "dialogues_train.txt:1: turn 1 is empty: every turn of this corpus has words",
        f"dialogues_emotion_train.txt:1: turn 1: unknown label code '7': {known}",
        f"dialogues_emotion_train.txt:2: turn 0: unknown label code 'joy': {known}",
    ]


def test_an_empty_line_is_named(tmp_path: Path) -> None:
    found = faults_of(tmp_path, texts=TEXTS + "\n", codes=CODES + "\n")
    assert found == ["dialogues_train.txt:3: ends in '', not in __eou__: the line was cut off"]


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    assert faults_of(tmp_path, codes="") == [
        "dialogues_emotion_train.txt: the file is empty: it was perhaps not written to its end"
    ]
