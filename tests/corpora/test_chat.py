"""Chats: role and content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.streaming import load_conversations
from instructerc.errors import InvalidRowsError

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXT}), min_size=1, max_size=5
)
USER = {"role": "user", "content": "It broke."}
ASSISTANT = {"role": "assistant", "content": "How?"}
TURNS = (Utterance("user", "It broke."), Utterance("assistant", "How?"))


def read(path: Path, *records: Any) -> tuple[Conversation, ...]:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return tuple(load_conversations(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("examples")


@settings(max_examples=50, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_what_is_written_is_read_back(folder: Path, chats: list[list[dict[str, str]]]) -> None:
    wrapped = [{"messages": messages} for messages in chats]
    files = {"a.jsonl": chats, "b.jsonl": wrapped, "a.json": [wrapped]}
    for found in [read(folder / name, *records) for name, records in files.items()]:
        assert [[(turn.speaker, turn.text) for turn in item.utterances] for item in found] == [
            [(message["role"], message["content"]) for message in messages] for messages in chats
        ]


@pytest.mark.parametrize("document", [[USER, ASSISTANT], {"messages": [USER, ASSISTANT]}, [[USER, ASSISTANT]]])
def test_a_single_conversation_is_named_like_its_file(tmp_path: Path, document: Any) -> None:
    assert read(tmp_path / "a.json", document) == (Conversation("a", TURNS),)


def test_ids_names_and_emotions_are_taken_over(tmp_path: Path) -> None:
    messages = [{**USER, "name": "Ines", "emotion": "anger", "time": 3}, {**ASSISTANT, "emotion": None}]
    found = read(tmp_path / "a.jsonl", {"id": 7, "messages": messages}, {"conversation_id": "x", "messages": [USER]})
    assert found[0] == Conversation("7", (Utterance("Ines", "It broke.", "anger"), TURNS[1]))
    assert found[1].id == "x"


def test_what_nobody_says_to_anybody_is_no_turn(tmp_path: Path) -> None:
    others = [{"role": "system", "content": "Be kind."}, {"role": "assistant", "content": None, "tool_calls": []}]
    assert (
        read(tmp_path / "a.json", [*others, USER, {"role": "tool", "content": "42"}, ASSISTANT])[0].utterances == TURNS
    )


def test_parts_of_type_text_are_joined(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "It"}, {"type": "image_url"}, {"type": "text", "text": "broke."}]
    assert read(tmp_path / "a.json", [{"role": "user", "content": parts}])[0].utterances[0].text == "It\nbroke."


def test_every_fault_is_listed_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        read(
            tmp_path / "a.jsonl",
            [USER, {"content": "x"}, {"role": "user", "content": [{"type": "image"}]}, {"role": "user"}],
            {"a": 1},
            {"messages": []},
            {"id": "x", "messages": [USER]},
            {"id": "x", "messages": [{**USER, "content": "\ud83d"}, {**USER, "emotion": 3}]},
            {"id": "x", "messages": [USER]},
        )
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [
        (1, "messages[1]"),
        (1, "messages[2].content"),
        (1, "messages[3].content"),
        (2, None),
        (3, "messages"),
        (5, "messages[0].content"),
        (5, "messages[1].emotion"),
        (6, "id"),
    ]


def test_a_document_that_is_cut_off_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content in ('[{"role": "user",\n "content": "Hi"},\n', '[{"role": "user",\n "content": "Hi"},\n {"role": "as'):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InvalidRowsError, match="cut off") as caught:
            tuple(load_conversations(path))
        assert caught.value.problems[0].line == 3
