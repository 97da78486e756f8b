"""Live conversations: one turn at a time, and only what is new is read."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from instructerc.backbones.batching import use_trees
from instructerc.backbones.tokens import EncodedExample
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import DataError, UsageError
from instructerc.prompts.example import Example
from instructerc.recognition.cached_scoring import CachedScoring
from instructerc.recognition.predictions import TurnPrediction

if TYPE_CHECKING:
    from instructerc.recognition.recognizer import EmotionRecognizer


LOOK_BACK = 20
"""Turns that are looked at for words that the backbone does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatistics:
    """What a session has computed. The labels, the same few tokens each turn, are not counted.

    Attributes:
        cached_tokens: Tokens of prompts that were not read again.
        read_tokens: Tokens of prompts that went through the model; with `cached_tokens`, those of all prompts.
        rebuilds: Turns at which history that had been read was read again, since it now begins at another turn.
    """

    cached_tokens: int = 0
    read_tokens: int = 0
    rebuilds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """All that a turn changes, in one value: who interrupts `add` finds the session before the turn or after it."""

    conversation: Conversation
    predictions: tuple[TurnPrediction, ...] = ()
    statistics: SessionStatistics = SessionStatistics()
    shown_from: int | None = None


def begun(name: str | None, conversation: Conversation | None) -> Conversation:
    """What a session starts from: a conversation that was begun elsewhere, or an empty one of that name.

    Raises:
        UsageError: Both are given.
        DataError: The name is no text.
    """
    if conversation is None:
        return Conversation.from_json({"id": f"live-{uuid.uuid4()}" if name is None else name, "utterances": []})
    if name is not None:
        raise UsageError(f"a session got id {name!r} and a conversation {conversation.id!r}: give one of them")
    return conversation


class RecognitionSession:
    """A conversation that goes on: takes a turn, returns its emotion. `EmotionRecognizer.session` makes it.

    A prediction is the one that recognising the conversation so far gives for its last turn. The session keeps the
    model's keys and values of the last prompt and reads what the next one does not share with it. While the window
    starts at the same turn, that is the new turn, the question and the labels. When the start moves, little more than
    the instruction is shared and the window is read anew (`SessionStatistics.rebuilds`): every `window.stride` turns
    once the window is full, so at stride 1 at every turn. The same holds when a prompt reaches the longest that the
    backbone can read, and its oldest turns go.

    A backbone that takes no token trees (`batching`), and `mode="generate"`, read the whole prompt at every turn.

    Not safe for several threads: one session a conversation, and sessions of one recogniser in one thread at a time.
    The recogniser's backbone must not change while a session lasts.

    Example:
        ```python
        session = recognizer.session(id="call-17")
        turn = session.add("Agent", "How can I help?")
        print(turn.emotion, turn.probabilities)
        ```
    """

    def __init__(self, recognizer: EmotionRecognizer, conversation: Conversation) -> None:
        context = recognizer.prompt.window.context
        if context != "past":
            raise UsageError(
                f"window.context is {context!r}, and a live conversation has no turns after the one that was just "
                "said: recognise it when it has ended, or train with window.context past"
            )
        self._recognizer = recognizer
        self._state = _State(conversation=conversation)
        trees = recognizer.mode == "score" and use_trees(recognizer.backbone, recognizer.batching)
        self._scoring = CachedScoring() if trees else None

    @property
    def recognizer(self) -> EmotionRecognizer:
        """What answers."""
        return self._recognizer

    @property
    def conversation(self) -> Conversation:
        """What was said so far."""
        return self._state.conversation

    @property
    def predictions(self) -> tuple[TurnPrediction, ...]:
        """What was answered: a prediction for each turn that was added."""
        return self._state.predictions

    @property
    def statistics(self) -> SessionStatistics:
        """What was computed."""
        return self._state.statistics

    @property
    def held_tokens(self) -> int:
        """Tokens whose keys and values are in memory: those of the last prompt, at most."""
        return self._scoring.held_tokens if self._scoring else 0

    def add(self, speaker: str, text: str) -> TurnPrediction:
        """Adds a turn and names its emotion.

        An error leaves the session as it was, without the turn.

        Args:
            speaker: Who speaks; any text, as long as one speaker is always called the same.
            text: What is said; may be empty.

        Raises:
            DataError: Speaker or text is no text.
            PromptTooLongError: The turn alone is longer than the backbone can read.
            BackboneError: The model's likelihoods are no numbers.
        """
        conversation = self._with(speaker, text)
        turn = len(conversation) - 1
        self._recognizer.look_for_unknown([utterance.text for utterance in conversation.utterances[-LOOK_BACK:]])
        finder = self._recognizer.demonstrator
        shown = None if finder is None else finder.for_turn(conversation, turn)
        example = self._recognizer.prompt.example(conversation, turn, demonstrations=shown)
        (encoded,) = self._recognizer.encode([example])
        statistics, shown_from = self._reading(conversation, example, encoded)
        try:
            (row,) = self._recognizer.answer_encoded([example], [encoded], scoring=self._scoring)
        except BaseException:
            self.release()  # what broke off, or came out as no number, is nothing to go on from
            raise
        row = replace(row, speaker=speaker, text=text)
        self._state = _State(
            conversation=conversation,
            predictions=(*self._state.predictions, row),
            statistics=statistics,
            shown_from=shown_from,
        )
        return row

    def predict_next(self, speaker: str) -> TurnPrediction:
        """What a speaker will feel at the next turn, before it is said; the session stays as it is.

        Raises:
            As `EmotionRecognizer.predict_next`.
        """
        return self._recognizer.predict_next(self.conversation, speaker)

    def release(self) -> None:
        """Frees the memory of keys and values; the next turn is read with all its history. Nothing else is lost."""
        if self._scoring:
            self._scoring.release()

    def _with(self, speaker: str, text: str) -> Conversation:
        so_far = self._state.conversation
        try:
            utterance = Utterance.from_json({"speaker": speaker, "text": text})
        except DataError as error:
            raise DataError(f"conversation {so_far.id!r}, turn {len(so_far)}: {error}") from None
        return Conversation(so_far.id, (*so_far.utterances, utterance))

    def _reading(
        self, conversation: Conversation, example: Example, encoded: EncodedExample
    ) -> tuple[SessionStatistics, int]:
        """The statistics once this turn is answered, and the oldest turn that its prompt shows."""
        before, turn = self._state.statistics, example.turn
        window = self._recognizer.prompt.window.turns(turn, len(conversation))
        shown_from = window.start + encoded.dropped_turns
        kept = self._scoring.kept_tokens(encoded) if self._scoring else 0
        had_history = self._scoring is not None and self._state.shown_from is not None
        shows_history = bool(example.droppable) and shown_from < turn
        moved = shown_from != self._state.shown_from or not self.held_tokens
        statistics = SessionStatistics(
            cached_tokens=before.cached_tokens + kept,
            read_tokens=before.read_tokens + len(encoded.prompt) - kept,
            rebuilds=before.rebuilds + int(had_history and shows_history and moved),
        )
        return statistics, shown_from
