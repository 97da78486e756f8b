from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from instructerc.corpora.catalog import get_source
from instructerc.corpora.counts import count_differences
from instructerc.corpora.sample import read_sample
from instructerc.errors import InvalidRowsError, UnreadableFileError

LINE = {"id": "support-001", "utterances": [{"speaker": "Agent", "text": "Hello.", "emotion": "neutral"}]}


def write(folder: Path, train: str | None) -> Path:
    for split in ("train", "validation", "test"):
        content = train if split == "train" else json.dumps(LINE) + "\n"
        if content is not None:
            (folder / f"{split}.jsonl").write_text(content, encoding="utf-8")
    return folder


def test_the_bundled_corpus_is_read() -> None:
    corpus = read_sample()
    assert corpus.name == "sample"
    assert corpus.labels == ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")
    assert all(part for _, part in corpus.splits())


def test_the_bundled_corpus_is_what_it_says_it_is() -> None:
    corpus = read_sample()
    assert count_differences(corpus, get_source("sample")) == ()
    conversations = [conversation for _, part in corpus.splits() for conversation in part]
    assert len({conversation.id for conversation in conversations}) == len(conversations) >= 120
    assert all(6 <= len(conversation) <= 12 for conversation in conversations)
    assert all(2 <= len(conversation.speakers) <= 4 for conversation in conversations)
    domains = {conversation.id.split("-")[0] for conversation in conversations}
    assert domains == {"support", "family", "work", "telehealth", "chat", "street"}
    emotions = Counter(utterance.emotion for conversation in conversations for utterance in conversation.utterances)
    assert set(emotions) == set(corpus.labels)
    assert emotions.most_common(1)[0][0] == "neutral"


def test_the_same_words_mean_different_things_in_different_conversations() -> None:
    meanings: dict[str, set[str | None]] = {}
    for _, part in read_sample().splits():
        for conversation in part:
            for utterance in conversation.utterances:
                meanings.setdefault(utterance.text.lower().strip("?!. "), set()).add(utterance.emotion)
    ambiguous = [text for text, emotions in meanings.items() if len(emotions) > 1]
    assert len(ambiguous) >= 15, "what a turn means must depend on what came before it"


def test_another_folder_can_be_named(tmp_path: Path) -> None:
    corpus = read_sample(write(tmp_path, json.dumps(LINE)))
    assert corpus.train == corpus.test
    assert corpus.train[0].id == "support-001"


def test_files_that_are_missing_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableFileError, match=r"lacks train\.jsonl, validation\.jsonl, test\.jsonl: .* install instructerc again"
    ):
        read_sample(tmp_path)


def test_labels_outside_the_set_or_otherwise_spelt_are_named(tmp_path: Path) -> None:
    lines = [
        json.dumps(LINE).replace("neutral", word).replace("001", f"00{n}")
        for n, word in enumerate(("joyy", "happy", "joy"))
    ]
    with pytest.raises(InvalidRowsError) as caught:
        read_sample(write(tmp_path, "\n".join(lines)))
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [
        (1, "utterances[0].emotion"),
        (2, "utterances[0].emotion"),
    ]
    assert "did you mean 'joy'" in caught.value.problems[0].reason
    assert caught.value.problems[1].reason == "'happy': the bundled corpus spells it 'joy'"
