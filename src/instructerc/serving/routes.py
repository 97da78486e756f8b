"""The addresses of the API, each with what it takes and what it answers."""

# Annotations are read when an address is added, and some name types that exist only then: no `from __future__` here.

from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Body, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from instructerc.serving.messages import (
    EXAMPLE,
    Answer,
    Asked,
    ModelOut,
    Requests,
    SessionOut,
    Transcript,
    TurnOut,
    bounded,
)

if TYPE_CHECKING:
    from instructerc.serving.app import Server

PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""The page brings along all that it needs, and talks to nobody but its server."""


def add_routes(app: FastAPI, server: "Server") -> None:
    """Adds every address to an application."""
    requests = bounded(server.limits)
    _add_recognition(app, server, requests)
    _add_sessions(app, server, requests)
    _add_machine_room(app, server)


def _add_recognition(app: FastAPI, server: "Server", requests: Requests) -> None:
    question_type: Any = requests.question

    @app.post("/v1/recognize", tags=["recognition"])
    async def recognize(question: Annotated[question_type, Body(examples=[EXAMPLE])]) -> Answer:
        """The emotion of every turn of one or many conversations."""
        return await server.recognize(question)

    @app.post("/v1/read", tags=["recognition"])
    async def read(
        request: Request,
        name: Annotated[str, Query(max_length=200, description="The file's name.")] = "conversation.txt",
    ) -> Transcript:
        """Conversations out of a file of text, in any format that `instructerc data` reads; its bytes are the body."""
        return await server.read(name, await request.body())


def _add_sessions(app: FastAPI, server: "Server", requests: Requests) -> None:
    turn_type: Any = requests.turn
    session_type: Any = requests.session
    speaker_type: Any = requests.speaker

    @app.post("/v1/sessions", status_code=201, tags=["live conversations"])
    async def open_session(asked: Annotated[session_type | None, Body(examples=[{}])] = None) -> SessionOut:
        """Opens a live conversation."""
        return await server.open_session(asked or Asked())

    @app.get("/v1/sessions/{session}", tags=["live conversations"])
    async def get_session(session: str) -> SessionOut:
        """What was recognised in a live conversation so far."""
        return await server.session(session)

    @app.post("/v1/sessions/{session}/turns", tags=["live conversations"])
    async def add_turn(session: str, turn: turn_type) -> TurnOut:
        """Adds a turn, and names its emotion."""
        return await server.add_turn(session, turn)

    @app.post("/v1/sessions/{session}/next", tags=["live conversations"])
    async def predict_next(session: str, speaker: speaker_type) -> TurnOut:
        """What somebody will feel at the next turn, before it is said."""
        return await server.predict_next(session, speaker.speaker)

    @app.delete("/v1/sessions/{session}", status_code=204, tags=["live conversations"])
    async def close_session(session: str) -> Response:
        """Closes a live conversation."""
        await server.close_session(session)
        return Response(status_code=204)


def _add_machine_room(app: FastAPI, server: "Server") -> None:
    @app.get("/v1/models", tags=["machine room"])
    async def models() -> list[ModelOut]:
        """What answers here."""
        return server.answering()

    @app.get("/healthz", response_class=PlainTextResponse, tags=["machine room"])
    async def healthz() -> str:
        """Whether the server is there."""
        return "ok"

    @app.get("/metrics", response_class=PlainTextResponse, tags=["machine room"])
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(server.metrics.render(), media_type="text/plain; version=0.0.4")

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> HTMLResponse:
        """The page."""
        text = resources.files("instructerc.serving").joinpath("page/index.html").read_text(encoding="utf-8")
        headers = {"Content-Security-Policy": PAGE_POLICY, "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}
        return HTMLResponse(text, headers=headers)
