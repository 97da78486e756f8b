"""`instructerc serve`: models behind HTTP, and a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from instructerc.recognition.recognizer import EmotionRecognizer


def serve(
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="[NAME=]MODEL",
            help="As for `predict`; give several, and clients choose by name. [default: embedded]",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; another than this machine needs --tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8000,
    tokens: Annotated[
        Path | None,
        typer.Option("--tokens", metavar="FILE", help="Bearer tokens, one a line, one of which clients must show."),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="cpu|cuda|…", help="[default: the first accelerator, or the CPU]")
    ] = None,
    max_body: Annotated[int | None, typer.Option("--max-body", metavar="BYTES", help="Of a request.")] = None,
    max_turns: Annotated[
        int | None, typer.Option("--max-turns", metavar="N", help="Of a request, and of a live conversation.")
    ] = None,
    max_text: Annotated[int | None, typer.Option("--max-text", metavar="N", help="Characters of a turn.")] = None,
    max_sessions: Annotated[
        int | None, typer.Option("--max-sessions", metavar="N", help="Live conversations at once.")
    ] = None,
    max_queue: Annotated[int | None, typer.Option("--max-queue", metavar="N", help="Turns that may wait.")] = None,
    idle: Annotated[
        float | None, typer.Option("--idle", metavar="SECONDS", help="After which a live conversation is closed.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="That a request may wait for its answer.")
    ] = None,
) -> None:
    """Answer over HTTP: an API for programs and a page for people, within limits.

    Runs until it is interrupted; then it answers what it took, and ends. Nothing that is said is logged or kept.
    Example: `instructerc serve`, then open http://127.0.0.1:8000 in a browser.
    """
    from instructerc.backbones.loading import quiet_transformers
    from instructerc.errors import UsageError

    try:
        from instructerc.serving.app import create_app
        from instructerc.serving.limits import Limits
        from instructerc.serving.running import run_server
        from instructerc.serving.tokens import is_loopback, read_tokens
    except ModuleNotFoundError as error:
        raise UsageError(f"a server needs the library {error.name}: pip install 'instructerc[serve]'") from None
    allowed = frozenset[bytes]() if tokens is None else read_tokens(tokens)
    if not allowed and not is_loopback(host):
        raise UsageError(
            f"--host {host}: others could reach it, and nobody would be asked for a token: give --tokens FILE, a token "
            "a line (openssl rand -hex 32)"
        )
    given = {
        "body": max_body,
        "turns": max_turns,
        "text": max_text,
        "sessions": max_sessions,
        "queue": max_queue,
        "idle": idle,
        "timeout": timeout,
    }
    limits = Limits(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    quiet_transformers()
    app = create_app(_recognizers(model or ["embedded"], device), limits=limits, tokens=allowed)
    run_server(app, host=host, port=port, patience=limits.timeout)


def _recognizers(models: list[str], device: str | None) -> dict[str, EmotionRecognizer]:
    from instructerc.errors import UsageError
    from instructerc.recognition.recognizer import EmotionRecognizer

    named: dict[str, str] = {}
    for text in models:
        name, given, place = text.partition("=")
        name, place = (name, place) if given else (Path(text).name, text)
        if not name or not place or name in named:
            raise UsageError(f"--model {text}: give each a name of its own, as in --model calls=runs/calls-42")
        named[name] = place
    return {name: EmotionRecognizer.from_pretrained(place, device=device) for name, place in named.items()}
