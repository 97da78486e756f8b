"""What goes over the wire: requests and answers of the API, with the limits that a request meets before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from instructerc.conversation import Conversation, Utterance
from instructerc.recognition.predictions import TurnPrediction, decided
from instructerc.serving.limits import Limits

EXAMPLE = {
    "conversations": [
        {
            "id": "call-17",
            "turns": [
                {"speaker": "Agent", "text": "How can I help?"},
                {"speaker": "Ines", "text": "My parcel is lost. Again."},
            ],
        }
    ]
}
"""A request, as the documentation shows it."""


class Message(BaseModel):
    """Keys that nobody knows are faults: a misspelt one would silently do nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Turn(Message):
    """What one speaker says."""

    speaker: str
    text: str


class ConversationIn(Message):
    """Turns in the order in which they were spoken."""

    id: str | None = None
    turns: tuple[Turn, ...]


class Asked(Message):
    """What is asked of which model."""

    model: str | None = None
    labels: dict[str, str] | None = None
    threshold: float = 0.0


class Question(Asked):
    """Conversations to be recognised."""

    conversations: tuple[ConversationIn, ...]


class Speaker(Message):
    """Who speaks next."""

    speaker: str


class TurnOut(Message):
    """What was recognised in one turn."""

    turn: Annotated[int, Field(description="Its number, counted from 0.")]
    speaker: str
    emotion: Annotated[str, Field(description="The likeliest label, or `uncertain` where it is below the threshold.")]
    probabilities: Annotated[dict[str, float] | None, Field(description="Of every label.")] = None
    entropy: Annotated[float | None, Field(description="Bits: 0 where the model is sure of one label.")] = None


class MarkOut(Message):
    """How an emotion is marked on a page."""

    colour: str
    symbol: str


class ConversationOut(Message):
    """The emotions of a conversation, in order."""

    id: str
    turns: list[TurnOut]


class Answer(Message):
    """The emotions of every conversation that was asked about, in order."""

    model: Annotated[str, Field(description="Changes with the model and with what was asked of it.")]
    labels: Annotated[list[str], Field(description="What it chose from.")]
    marks: Annotated[dict[str, MarkOut], Field(description="A colour and a symbol for each label.")]
    conversations: list[ConversationOut]


class SessionOut(Message):
    """A live conversation."""

    id: str
    idle_seconds: float
    labels: list[str]
    marks: dict[str, MarkOut]
    turns: list[TurnOut]


class SaidOut(Message):
    """A turn that was read."""

    speaker: str
    text: str


class ReadOut(Message):
    """A conversation that was read."""

    id: str
    turns: list[SaidOut]


class Transcript(Message):
    """What was read out of a file."""

    conversations: list[ReadOut]
    set_aside: Annotated[list[str], Field(description="What could not be read: the line, and why.")] = []


class ModelOut(Message):
    """A model that answers."""

    name: str
    hash: str
    backbone: str
    labels: list[str]
    tasks: list[str]
    mode: str
    context: int
    marks: dict[str, MarkOut]


class Fault(Message):
    """What went wrong."""

    code: str
    message: str
    details: list[str] = []


class FaultOut(Message):
    """Every answer that is not what was asked for."""

    error: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The requests with a server's limits in them, so that the documentation states them.

    Attributes:
        turn: A turn.
        question: Conversations.
        session: What is asked of which model.
        speaker: Who speaks next.
    """

    turn: type[Turn]
    question: type[Question]
    session: type[Asked]
    speaker: type[Speaker]


def bounded(limits: Limits) -> Requests:
    """The requests that a server takes."""
    words = Annotated[str, Field(max_length=limits.text)]
    name = Annotated[str, Field(max_length=200, min_length=1)]
    label = Annotated[str, Field(max_length=50, min_length=1)]
    meaning = Annotated[str, Field(max_length=200)]
    turn = create_model("Turn", __base__=Turn, speaker=(name, ...), text=(words, ...))
    turns: Any = tuple[turn, ...]  # type: ignore[valid-type]
    conversation = create_model(
        "ConversationIn",
        __base__=ConversationIn,
        id=(name | None, None),
        turns=(Annotated[turns, Field(min_length=1, max_length=limits.turns)], ...),
    )
    conversations: Any = tuple[conversation, ...]  # type: ignore[valid-type]
    asked: dict[str, Any] = {
        "model": (name | None, Field(None, description="One of /v1/models by its name; the first one by default.")),
        "labels": (
            Annotated[dict[label, meaning], Field(min_length=2, max_length=limits.labels)] | None,
            Field(None, description="Labels instead of the model's own, each with its meaning or an empty text."),
        ),
        "threshold": (
            float,
            Field(0.0, ge=0, le=1, description="A turn whose likeliest label has less probability is `uncertain`."),
        ),
    }
    question = create_model(
        "Question",
        __base__=Question,
        conversations=(Annotated[conversations, Field(min_length=1, max_length=limits.conversations)], ...),
        **asked,
    )
    return Requests(
        turn=turn,
        question=question,
        session=create_model("Asked", __base__=Asked, **asked),
        speaker=create_model("Speaker", __base__=Speaker, speaker=(name, ...)),
    )


def conversations_of(question: Question) -> list[Conversation]:
    """The conversations of a request; those without an id are called by their place."""
    return [
        Conversation(
            str(place) if item.id is None else item.id,
            tuple(Utterance(turn.speaker, turn.text) for turn in item.turns),
        )
        for place, item in enumerate(question.conversations)
    ]


def turn_out(row: TurnPrediction, *, threshold: float = 0.0) -> TurnOut:
    """A row as the API answers it: without the text, which the client has."""
    shares = None if row.probabilities is None else dict(row.probabilities)
    # A session's own threshold stands in its rows already.
    emotion = decided(shares, threshold) if shares is not None and threshold else row.emotion
    return TurnOut(turn=row.turn, speaker=row.speaker, emotion=emotion, probabilities=shares, entropy=row.entropy)
