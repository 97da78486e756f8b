"""Files of predictions that survive being stopped, and faults that take nothing else with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.streaming import SetAside
from instructerc.errors import InvalidRowsError, Problem, PromptTooLongError, UnreadableFileError, UsageError
from instructerc.recognition import labelling
from instructerc.recognition.labelling import OutputFormat, label_conversations
from instructerc.recognition.prediction_tables import read_prediction_table
from instructerc.recognition.predictions import TurnPrediction, read_predictions

FAULT = SetAside(Problem(Path("in.jsonl"), 4812, "text", "is no text"), "broken")


@dataclass
class Counting:
    """Says "joy" to everything, remembers how much it was asked, and can be stopped."""

    model_hash: str = "model-1"
    labels: tuple[str, ...] = ("joy", "anger")
    asked: int = 0
    stop_after: int | None = None

    def recognize_all(
        self, conversations: Iterable[Conversation], *, progress: Any = None
    ) -> Iterator[tuple[TurnPrediction, ...]]:
        together = list(conversations)
        for conversation in together:
            if self.stop_after is not None and self.asked >= self.stop_after:
                raise KeyboardInterrupt
            self.asked += 1
            if any(len(utterance.text) > 100 for utterance in conversation.utterances):
                raise PromptTooLongError(f"conversation {conversation.id!r}: too long")
            yield tuple(
                TurnPrediction(
                    conversation=conversation.id,
                    turn=turn,
                    emotion="joy",
                    speaker=utterance.speaker,
                    text=utterance.text,
                    # As rounding does, a figure depends on what is recognised together.
                    probabilities={"joy": 1 - len(together) / 1000, "anger": len(together) / 1000},
                    model=self.model_hash,
                )
                for turn, utterance in enumerate(conversation.utterances)
            )


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelling, "CHUNK", 7)


def chat(name: str, turns: int = 3) -> Conversation:
    return Conversation(name, tuple(Utterance("Ann", f"{name} {turn}") for turn in range(turns)))


CHATS = [chat(f"chat-{number}", 1 + number % 4) for number in range(12)]


@pytest.mark.parametrize("format", get_args(OutputFormat))
def test_a_file_is_written_and_a_second_call_adds_nothing(tmp_path: Path, format: OutputFormat) -> None:  # noqa: A002
    out = tmp_path / f"out.{format}"
    first, second = Counting(), Counting()
    summary = label_conversations(first, CHATS, out, format=format)
    assert (summary.conversations, summary.turns, summary.resumed) == (12, sum(map(len, CHATS)), 0)
    rows = read_predictions(out) if format == "jsonl" else list(read_prediction_table(out, format=format))
    assert [row.conversation for row in rows] == [chat.id for chat in CHATS for _ in chat.utterances]
    before = out.read_bytes()
    assert label_conversations(second, CHATS, out, format=format).resumed == 12
    assert second.asked == 0
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("format", get_args(OutputFormat))
@pytest.mark.parametrize("stop_after", range(0, 12, 3))
def test_a_call_that_was_stopped_is_gone_on_with(tmp_path: Path, format: OutputFormat, stop_after: int) -> None:  # noqa: A002
    whole = tmp_path / f"whole.{format}"
    label_conversations(Counting(), CHATS, whole, format=format)
    out = tmp_path / f"out.{format}"
    with pytest.raises(KeyboardInterrupt):
        label_conversations(Counting(stop_after=stop_after), CHATS, out, format=format)
    label_conversations(Counting(), CHATS, out, format=format)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("cut", range(1, 1200, 97))
def test_a_file_that_breaks_off_anywhere_becomes_the_whole_one(tmp_path: Path, cut: int) -> None:
    out = tmp_path / "out.jsonl"
    label_conversations(Counting(), CHATS, out)
    whole = out.read_bytes()
    out.write_bytes(whole[: -cut % len(whole)])
    label_conversations(Counting(), CHATS, out)
    assert out.read_bytes() == whole


def test_a_kill_between_two_lines_of_a_conversation_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    label_conversations(Counting(), CHATS, out)
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:8]))  # chat-3 has four turns, of which two are there
    label_conversations(Counting(), [chat("new"), *CHATS], out)
    rows = read_predictions(out)
    assert [row.conversation for row in rows[:3]] == ["new"] * 3
    assert len(rows) == 3 + len(lines)


def test_what_comes_late_is_put_where_the_input_has_it(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    label_conversations(Counting(), [CHATS[0], FAULT, CHATS[2]], out)
    label_conversations(Counting(), CHATS[:3], out)
    assert list(dict.fromkeys(row.conversation for row in read_predictions(out))) == ["chat-0", "chat-1", "chat-2"]
    assert not (tmp_path / "out.errors.jsonl").exists()


def test_faults_are_set_aside_with_their_reasons(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    long = Conversation("long", (Utterance("Ann", "x" * 101),))
    summary = label_conversations(Counting(), [FAULT, CHATS[0], long, CHATS[1], CHATS[0]], out)
    assert summary.errors == tmp_path / "out.errors.jsonl"
    assert (summary.conversations, summary.set_aside) == (2, 3)
    records = [json.loads(line) for line in summary.errors.read_text(encoding="utf-8").splitlines()]
    assert records[0] == {
        "conversation": "broken",
        "file": "in.jsonl",
        "line": 4812,
        "column": "text",
        "reason": "is no text",
    }
    assert [record["conversation"] for record in records] == ["broken", "chat-0", "long"]
    assert {row.conversation for row in read_predictions(out)} == {"chat-0", "chat-1"}


def test_strictly_the_first_fault_ends_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidRowsError, match="is no text"):
        label_conversations(Counting(), [CHATS[0], FAULT], tmp_path / "out.jsonl", strict=True)


def test_a_conversation_that_changed_is_not_silently_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    label_conversations(Counting(), CHATS, out)
    changed = Conversation("chat-3", (*CHATS[3].utterances[:-1], Utterance("Ann", "something else")))
    summary = label_conversations(Counting(), [*CHATS[:3], changed, *CHATS[4:]], out)
    assert (summary.set_aside, summary.conversations) == (1, 11)
    assert label_conversations(Counting(), [changed], out, overwrite=True).conversations == 1
    assert [row.text for row in read_predictions(out)][-1] == "something else"


def test_rows_of_another_model_are_not_mixed(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    label_conversations(Counting(), CHATS, out)
    before = out.read_bytes()
    other = replace(Counting(), model_hash="model-2")
    with pytest.raises(UsageError, match=r"predictions of model 'model-1'.*--overwrite"):
        label_conversations(other, CHATS, out)
    assert out.read_bytes() == before
    label_conversations(other, CHATS, out, overwrite=True)
    assert {row.model for row in read_predictions(out)} == {"model-2"}


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_table_that_is_not_ours_is_left_alone(tmp_path: Path, format: OutputFormat) -> None:  # noqa: A002
    out = tmp_path / f"out.{format}"
    out.write_bytes(b"name,age\nAnn,30\n")
    with pytest.raises(UnreadableFileError, match="no table of predictions"):
        label_conversations(Counting(), CHATS, out, format=format)
    assert out.read_bytes() == b"name,age\nAnn,30\n"


def test_nothing_makes_an_empty_file(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert label_conversations(Counting(), [], out).turns == 0
    assert out.read_bytes() == b""


def test_progress_counts_what_was_done_before_too(tmp_path: Path) -> None:
    out, told = tmp_path / "out.jsonl", list[int]()
    label_conversations(Counting(), CHATS[:4], out)
    label_conversations(Counting(), CHATS, out, progress=told.append)
    assert sum(told) == sum(map(len, CHATS))
