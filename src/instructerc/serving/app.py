"""The HTTP interface: `create_app` makes it around one or several recognisers.

| address | what it does |
|---|---|
| `POST /v1/recognize` | emotions of one or many conversations |
| `POST /v1/sessions`, `…/{id}/turns`, `…/{id}/next`, `GET`/`DELETE …/{id}` | live conversations |
| `POST /v1/read?name=calls.csv` | conversations out of a file of text, in any format that `data` reads |
| `GET /v1/models` | what answers here |
| `GET /healthz`, `GET /metrics` | for machines |
| `GET /` | the page |

Every fault is `{"error": {"code", "message", "details"}}`; none repeats what a client said, and none is a traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from instructerc import __version__
from instructerc.corpora.formats import KNOWN_SUFFIXES
from instructerc.errors import DataError, InstructERCError, PromptError, UsageError
from instructerc.recognition.predictions import UNCERTAIN
from instructerc.reporting.palette import palette
from instructerc.serving.desk import BusyError, ClosedError, Desk
from instructerc.serving.guard import Guard, fault_response
from instructerc.serving.limits import Limits
from instructerc.serving.messages import (
    Answer,
    Asked,
    ConversationOut,
    FaultOut,
    MarkOut,
    ModelOut,
    Question,
    ReadOut,
    SaidOut,
    SessionOut,
    Transcript,
    Turn,
    TurnOut,
    conversations_of,
    turn_out,
)
from instructerc.serving.metrics import Metrics
from instructerc.serving.models import Models
from instructerc.serving.routes import add_routes
from instructerc.serving.sessions import (
    Labelled,
    Sessions,
    TooManySessionsError,
    TooManyTurnsError,
    UnknownSessionError,
)

if TYPE_CHECKING:
    from instructerc.recognition.recognizer import EmotionRecognizer

STATUS: dict[type[Exception], tuple[int, str]] = {
    BusyError: (429, "busy"),
    TooManySessionsError: (429, "too_many_sessions"),
    ClosedError: (503, "shutting_down"),
    UnknownSessionError: (404, "unknown_session"),
    TooManyTurnsError: (422, "too_many_turns"),
    PromptError: (422, "unreadable_turn"),
    DataError: (422, "unreadable_data"),
    UsageError: (422, "not_possible"),
    TimeoutError: (504, "timeout"),
}
"""What each fault is to a client; the first that fits counts."""

READABLE = tuple(suffix for suffix in KNOWN_SUFFIXES if suffix not in (".parquet", ".pq"))
"""Ends of the names of files that are read: a few bytes of the others may stand for gigabytes."""


def create_app(
    recognizer: EmotionRecognizer | Mapping[str, EmotionRecognizer],
    *,
    limits: Limits | None = None,
    tokens: frozenset[bytes] = frozenset(),
) -> FastAPI:
    """The application; any ASGI server runs it.

    Args:
        recognizer: What answers; or several, by the names under which clients ask for them.
        limits: What clients may ask for.
        tokens: Hashes of the tokens that clients must show (`read_tokens`). Empty asks for none, and answers only
            requests to this machine by its own name.

    Example:
        ```python
        app = create_app(EmotionRecognizer.from_pretrained("embedded"))
        uvicorn.run(app, host="127.0.0.1", port=8000)
        ```
    """
    models = Models(recognizer if isinstance(recognizer, Mapping) else {"default": recognizer})
    server = Server(models, limits or Limits())
    app = FastAPI(
        title="InstructERC",
        summary="What each speaker of a conversation feels.",
        version=__version__,
        lifespan=server.lifespan,
        responses={"4XX": {"model": FaultOut}, "5XX": {"model": FaultOut}},
        # The library's own pages load scripts from elsewhere; the description itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Guard, limits=server.limits, tokens=tokens, watcher=server.metrics)
    for kind in (InstructERCError, TimeoutError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _fault)
    add_routes(app, server)
    app.state.server = server
    return app


class Server:
    """What stands behind the addresses: models, one desk, live conversations, limits."""

    def __init__(self, models: Models, limits: Limits) -> None:
        self.models, self.limits = models, limits
        self.desk = Desk(batch=limits.batch, queue=limits.queue)
        self.sessions = Sessions(most=limits.sessions, warm=limits.warm, turns=limits.turns, idle=limits.idle)
        self.metrics = Metrics(self.desk, self.sessions)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Opens the desk, closes idle sessions, and at the end answers what was taken."""
        self.desk.__enter__()
        sweeper = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.to_thread(self.desk.__exit__)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(self.limits.idle / 4, 60))
            with contextlib.suppress(BusyError):  # the next time, then
                await self.desk.call(self.sessions.expire)

    async def recognize(self, question: Question) -> Answer:
        """Answers a request."""
        conversations = conversations_of(question)
        turns = sum(map(len, conversations))
        if turns > self.limits.turns:
            raise DataError(f"the request has {turns:,} turns, and {self.limits.turns:,} are taken at once: send less")
        recognizer = self.models.known(question.model, labels=question.labels)
        if recognizer is None:
            make = partial(self.models.get, question.model, labels=question.labels)
            recognizer = await self._within_time(self.desk.call(make))
        if question.threshold and recognizer.mode == "generate":
            raise UsageError("a threshold needs probabilities, which this model does not give: leave it out")
        answered = await self._within_time(self.desk.recognize(recognizer, conversations))
        self.metrics.turns(turns)
        found = [
            ConversationOut(id=item.id, turns=[turn_out(row, threshold=question.threshold) for row in rows])
            for item, rows in zip(conversations, answered, strict=True)
        ]
        return Answer(
            model=recognizer.model_hash,
            labels=list(recognizer.labels),
            marks=_marks(recognizer),
            conversations=found,
        )

    async def open_session(self, asked: Asked) -> SessionOut:
        """Opens a live conversation."""

        def opened() -> str:
            recognizer = self.models.get(asked.model, labels=asked.labels).asking(threshold=asked.threshold)
            return self.sessions.open(recognizer.session)

        name: str = await self._within_time(self.desk.call(opened))
        return await self.session(name)

    async def session(self, name: str) -> SessionOut:
        """What a live conversation holds."""
        held = await self._within_time(self.desk.call(lambda: self.sessions.get(name)))
        return SessionOut(
            id=name,
            idle_seconds=self.limits.idle,
            labels=list(held.recognizer.labels),
            marks=_marks(held.recognizer),
            turns=[turn_out(row) for row in held.predictions],
        )

    async def add_turn(self, name: str, turn: Turn) -> TurnOut:
        """Adds a turn to a live conversation."""
        row = await self._within_time(self.desk.call(lambda: self.sessions.add(name, turn.speaker, turn.text)))
        self.metrics.turns(1)
        return turn_out(row)

    async def predict_next(self, name: str, speaker: str) -> TurnOut:
        """What somebody will feel next."""
        return turn_out(await self._within_time(self.desk.call(lambda: self.sessions.get(name).predict_next(speaker))))

    async def close_session(self, name: str) -> None:
        """Closes a live conversation."""
        await self._within_time(self.desk.call(lambda: self.sessions.close(name)))

    async def read(self, name: str, data: bytes) -> Transcript:
        """Conversations out of a file's bytes."""
        suffix = Path(name).suffix.lower()
        if suffix not in READABLE:
            raise DataError(f"what the file is, is read off the end of its name: name it {', '.join(READABLE)}")
        found: Transcript = await self._within_time(asyncio.to_thread(_read_file, suffix, data, self.limits.turns))
        return found

    def answering(self) -> list[ModelOut]:
        """What answers here."""
        return [_model_out(name, recognizer) for name, recognizer in self.models.items()]

    async def _within_time(self, work: Awaitable[Any]) -> Any:
        try:
            return await asyncio.wait_for(work, self.limits.timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(f"no answer within {self.limits.timeout:g} seconds: ask for less at once") from None


async def _fault(_: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        # Where, and what is wanted; never the value, which may be what somebody said.
        details = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:20]]
        return fault_response(422, "invalid", "the request is not what this address takes", details)
    if isinstance(error, HTTPException):
        return fault_response(error.status_code, "http", str(error.detail))
    status, code = next((found for kind, found in STATUS.items() if isinstance(error, kind)), (500, "internal"))
    response = fault_response(status, code, str(error))
    if status == 429:
        response.headers["Retry-After"] = "1"
    return response


def _model_out(name: str, recognizer: EmotionRecognizer) -> ModelOut:
    return ModelOut(
        name=name,
        hash=recognizer.model_hash,
        backbone=recognizer.backbone.name,
        labels=list(recognizer.labels),
        tasks=list(recognizer.tasks),
        mode=recognizer.mode,
        context=recognizer.backbone.context,
        marks=_marks(recognizer),
    )


def _marks(recognizer: Labelled) -> dict[str, MarkOut]:
    marks = palette([*recognizer.labels, UNCERTAIN])
    return {label: MarkOut(colour=mark.colour, symbol=mark.symbol) for label, mark in marks.items()}


def _read_file(suffix: str, data: bytes, most: int) -> Transcript:
    from instructerc.corpora.streaming import SetAside, stream_conversations

    found: list[ReadOut] = []
    notes: list[str] = []
    turns = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(data)
        for item in stream_conversations(path):
            if isinstance(item, SetAside):
                notes.append(
                    f"line {item.problem.line}: {item.problem.reason}" if item.problem.line else item.problem.reason
                )
                continue
            turns += len(item)
            if turns > most:
                raise DataError(f"the file has more than {most:,} turns: label it with `instructerc predict`")
            said = [SaidOut(speaker=turn.speaker, text=turn.text) for turn in item.utterances]
            found.append(ReadOut(id=item.id, turns=said))
    return Transcript(conversations=found, set_aside=notes[:20])
