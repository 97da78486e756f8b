"""Conversations in, emotions out, by a server that may be slow, deaf or dead."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from instructerc.conversation import Conversation, Utterance
from instructerc.errors import DataError, EndpointError, UsageError
from instructerc.prompts import PromptSpec, Window
from instructerc.prompts.demonstration import Demonstration, DemonstrationSpec
from instructerc.recognition.answers import Verdict
from instructerc.recognition.endpoint import EndpointRecognizer, EndpointSettings, Usage
from instructerc.recognition.endpoint.journal import Answered, AnswerJournal
from instructerc.recognition.endpoint.recognizer import verdict_of
from instructerc.recognition.predictions import TurnPrediction
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus
from tests.chat_server import ChatServer, completion, error

SPEC = PromptSpec(labels=TINY_LABELS, wording="compact")


def recognizer(server: ChatServer, *, prompt: PromptSpec = SPEC, **given: Any) -> EndpointRecognizer:
    kept = {name: given.pop(name) for name in ("journal", "demonstrator", "model_hash") if name in given}
    settings = EndpointSettings(**{"model": "m", "url": server.address, "retries": 0, **given})
    return EndpointRecognizer(settings=settings, prompt=prompt, **kept)


def by_news(prompt: str) -> str:
    """What a model that reads the news would say."""
    return "joy" if "passed" in prompt or "won" in prompt else "anger"


@pytest.mark.parametrize("answers", ["structured", "text"])
def test_every_turn_gets_its_row(server: ChatServer, answers: str) -> None:
    server.answer = by_news
    with recognizer(server, answers=answers) as asking:
        rows = asking.recognize(tiny_conversation())
    assert [(row.turn, row.speaker, row.text) for row in rows] == [
        (turn, utterance.speaker, utterance.text) for turn, utterance in enumerate(tiny_conversation().utterances)
    ]
    assert [row.emotion for row in rows] == ["anger", "joy", "joy", "joy"]
    assert {row.probabilities for row in rows} == {None}
    assert rows[1].answer == ('{"emotion": "joy"}' if answers == "structured" else "joy")
    assert sorted(server.prompts) == sorted(example.prompt for example in SPEC.examples(tiny_conversation()))
    assert {(row.model, row.prompt) for row in rows} == {(asking.model_hash, SPEC.hash)}


@pytest.mark.parametrize(
    "text",
    [
        '{"emotion": "anger"}',
        '```json\n{"emotion": "anger"}\n```',
        '["anger"]',
        '{"emotion": "anger',
        "I would say anger.",
        "<think>joy? no</think>\n\nanger",
    ],
)
def test_whatever_is_written_is_read_by_the_answer_rule(text: str) -> None:
    assert verdict_of(Answered(text=text), TINY_LABELS) == Verdict("anger", out_of_label=False)


@pytest.mark.parametrize("text", ['{"emotion": "hunger"}', '{"emotion": "ang', '{"emotion": 3}', "Joy", "[" * 10000])
def test_what_names_no_label_is_out_of_label(text: str) -> None:
    assert verdict_of(Answered(text=text), TINY_LABELS).out_of_label


def test_an_answer_that_was_refused_is_out_of_label_with_its_reason(server: ChatServer) -> None:
    server.replies = [(200, completion(None, refusal="I can't judge joy.")), (200, completion(""))]
    rows = recognizer(server, concurrency=1).recognize(tiny_conversation())
    assert [row.out_of_label for row in rows] == [True, True, False, False]
    assert [row.answer for row in rows[:2]] == ["(refusal) I can't judge joy.", "(empty answer)"]


def test_rows_come_in_order_whichever_answer_is_first(server: ChatServer) -> None:
    slow = itertools.cycle([0.06, 0.0, 0.03])
    server.delay = lambda prompt: next(slow)
    chats = tiny_corpus().test[:3]
    done: list[int] = []
    found = list(recognizer(server, concurrency=4).recognize_all(chats, progress=done.append))
    assert [[(row.conversation, row.turn) for row in rows] for rows in found] == [
        [(chat.id, turn) for turn in range(len(chat))] for chat in chats
    ]
    assert sum(done) == sum(map(len, chats))
    assert 1 < server.most_under_way <= 4


def test_a_conversation_is_handed_over_before_the_last_is_asked_about(server: ChatServer) -> None:
    chats = [Conversation(str(number), (Utterance("A", "hi"),)) for number in range(40)]
    first = next(iter(recognizer(server, concurrency=1).recognize_all(chats)))
    assert first[0].conversation == "0"
    assert len(server.asked) < 40


def test_conversations_without_turns_get_no_rows(server: ChatServer) -> None:
    empty, chat = Conversation("empty", ()), tiny_conversation()
    found = list(recognizer(server).recognize_all([empty, chat, empty]))
    assert [len(rows) for rows in found] == [0, len(chat), 0]
    assert recognizer(server).recognize(empty) == ()


class Shown:
    """Shows every turn the same utterance."""

    def for_conversations(self, conversations: Sequence[Conversation], *, training: bool) -> list[Any]:
        return [[(Demonstration("Hooray!", "joy"),)] * len(chat) for chat in conversations]


def test_demonstrations_are_shown(server: ChatServer) -> None:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", demonstrations=DemonstrationSpec())
    with pytest.raises(UsageError, match="shows demonstrations, and nothing finds them"):
        recognizer(server, prompt=spec)
    rows = recognizer(server, prompt=spec, demonstrator=Shown()).recognize(tiny_conversation())
    assert len(rows) == 4
    assert all("Hooray!" in prompt for prompt in server.prompts)


def test_what_comes_next_is_asked_as_well(server: ChatServer) -> None:
    row = recognizer(server).predict_next(tiny_conversation(), "Ada")
    assert (row.turn, row.speaker, row.emotion) == (4, "Ada", "joy")


def long_chat(turns: int = 20) -> Conversation:
    return Conversation("long", tuple(Utterance("AB"[turn % 2], f"word {turn}") for turn in range(turns)))


def test_a_prompt_that_is_too_long_loses_its_oldest_turns(server: ChatServer) -> None:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=None))
    bare = len(spec.example(long_chat(), 19).without_oldest(19).prompt)
    server.longest = bare + 80
    rows = recognizer(server, prompt=spec, concurrency=2).recognize(long_chat())
    assert rows[0].dropped_turns == 0
    assert [row.answer for row in rows] == ['{"emotion": "joy"}'] * 20
    last = rows[-1].dropped_turns
    assert 0 < last < 19
    asked = spec.example(long_chat(), 19).without_oldest(last).prompt
    assert asked in server.prompts
    assert len(asked) <= server.longest
    assert len(server.asked) < 20 * 7, "the search is short"


def test_demonstrations_go_when_the_history_is_gone(server: ChatServer) -> None:
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", demonstrations=DemonstrationSpec())
    (example,) = [spec.example(tiny_conversation(), 1, demonstrations=[Demonstration("Hooray!" * 20, "joy")])]
    server.longest = 80
    asking = recognizer(server, prompt=spec, demonstrator=Shown())
    (row,) = asking.answer([example])
    assert (row.out_of_label, row.dropped_turns) == (False, 1)
    assert asking.tally.dropped_demonstrations == 1
    assert "Hooray!" not in server.prompts[-1]


def test_what_cannot_be_shortened_is_out_of_label(server: ChatServer) -> None:
    server.longest = 5
    asking = recognizer(server)
    rows = asking.recognize(tiny_conversation())
    assert {row.answer for row in rows} == {"(prompt too long)"}
    assert all(row.out_of_label for row in rows)
    assert asking.usage == Usage(requests=len(server.asked))


def test_what_was_answered_is_never_asked_again(server: ChatServer, tmp_path: Path) -> None:
    file = tmp_path / "run" / "answers.jsonl"
    with recognizer(server, journal=file) as asking:
        before = asking.recognize(tiny_conversation())
    server.answer = lambda prompt: "anger"
    with recognizer(server, journal=file) as again:
        assert again.recognize(tiny_conversation()) == before
        assert again.usage == asking.usage == Usage(requests=4, prompt_tokens=400, completion_tokens=12)
    assert len(server.asked) == 4
    with recognizer(server, journal=file, model="another") as other:
        assert [row.emotion for row in other.recognize(tiny_conversation())] == ["anger"] * 4


def test_turns_that_read_alike_are_questions_of_their_own(server: ChatServer, tmp_path: Path) -> None:
    chat = Conversation("twins", (Utterance("A", "Yes."), Utterance("A", "Yes.")))
    spec = PromptSpec(labels=TINY_LABELS, wording="plain")
    with recognizer(server, prompt=spec, journal=tmp_path / "answers.jsonl") as asking:
        asking.recognize(chat)
    assert len(server.asked) == 2


def test_a_server_that_dies_costs_what_was_under_way_alone(server: ChatServer, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    chats = tiny_corpus().test
    server.dead_after = 9
    found: list[tuple[TurnPrediction, ...]] = []
    with recognizer(server, journal=file, concurrency=2) as asking:
        rows = asking.recognize_all(chats)
        with pytest.raises(EndpointError, match="--resume"):
            found.extend(rows)
    assert [len(rows) for rows in found] == [4, 4]
    assert len(file.read_text().splitlines()) == 9
    server.dead_after = None
    with recognizer(server, journal=file, concurrency=2) as again:
        assert len(list(again.recognize_all(chats))) == len(chats)
        assert again.usage.requests == sum(map(len, chats)) == len(server.asked)


def test_after_an_error_nothing_more_is_asked(server: ChatServer) -> None:
    server.replies = [(401, error("no"))] * 100
    chats = [Conversation(str(number), (Utterance("A", "hi"),)) for number in range(50)]
    with pytest.raises(EndpointError, match="401"):
        list(recognizer(server, concurrency=2).recognize_all(chats))
    assert len(server.asked) <= 2


def test_a_torn_last_line_is_cut_and_its_question_asked_again(server: ChatServer, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    with recognizer(server, journal=file) as asking:
        rows = asking.recognize(tiny_conversation())
    file.write_bytes(file.read_bytes()[:-10])
    with recognizer(server, journal=file) as again:
        assert again.recognize(tiny_conversation()) == rows
    assert len(server.asked) == 5
    with AnswerJournal(file) as journal:
        assert journal.tally.answers == 4


@pytest.mark.parametrize("line", ["not json", "[]", "{}", '{"question": "a", "text": "b"}'])
def test_a_journal_of_something_else_is_left_as_it_is(tmp_path: Path, line: str) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text(f"{line}\n")
    with pytest.raises(DataError, match=r"answers.jsonl:1: is no answer that a run has written: remove the line"):
        AnswerJournal(file)
    assert file.read_text() == f"{line}\n"


def test_texts_that_no_encoding_holds_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    answered = Answered(text="half \ud83d a pair\u2028\x85", reason="x", usage=Usage(requests=1))
    with AnswerJournal(file) as journal:
        journal.add("q", answered)
    with AnswerJournal(file) as again:
        assert again.get("q") == answered
        assert dict(again.tally.unanswered) == {"x": 1}
    assert len(json.loads(file.read_text())) == 7


def test_what_it_costs(server: ChatServer) -> None:
    asking = recognizer(server, price_input=10.0, price_output=1000.0)
    assert asking.price == 0.0
    asking.recognize(tiny_conversation())
    assert asking.price == pytest.approx((400 * 10 + 12 * 1000) / 1_000_000)
    assert recognizer(server).price is None
