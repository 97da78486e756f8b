"""An OpenAI-compatible server on this machine, which breaks in the ways that real ones do."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[str], str]
"""From a prompt to what the model writes."""


def completion(text: str | None, *, finish: str = "stop", refusal: str | None = None, usage: bool = True) -> Any:
    message = {"role": "assistant", "content": text, "refusal": refusal}
    record = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    counted = {"prompt_tokens": 100, "completion_tokens": 3, "total_tokens": 103}
    return {**record, "usage": counted} if usage else record


def error(message: str, *, code: str | None = None, param: str | None = None) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": param}}


@dataclass
class ChatServer:
    """How it answers, how it misbehaves, and what it was asked.

    Attributes:
        answer: What the model writes to a prompt.
        replies: Status and body (or raw bytes) of the next requests, used up from the front; then all is well.
        headers: Sent with every one of `replies`.
        unknown: Parameters that it refuses with 400, each with its message.
        longest: Characters of the longest prompt that it takes.
        key: What a request has to carry; None lets everybody in.
        delay: Seconds before it answers a prompt.
        dead_after: Requests after which it closes connections without a word.
    """

    address: str = ""
    answer: Answer = lambda prompt: "joy"
    replies: list[tuple[int, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    longest: int | None = None
    key: str | None = None
    delay: Callable[[str], float] = lambda prompt: 0.0
    dead_after: int | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    received: list[dict[str, str]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][0]["content"] for body in self.asked]

    def reply(self, body: dict[str, Any], authorization: str) -> tuple[int, Any]:
        if self.replies:
            return self.replies.pop(0)
        if self.key is not None and authorization != f"Bearer {self.key}":
            return 401, error(f"Incorrect API key provided: {authorization}", code="invalid_api_key")
        for name, message in self.unknown.items():
            if name in body:
                return 400, error(message, param=name)
        prompt = body["messages"][0]["content"]
        if self.longest is not None and len(prompt) > self.longest:
            return 400, error(
                "This model's maximum context length is 10 tokens. However, you requested 20 tokens.",
                code="context_length_exceeded",
            )
        text = self.answer(prompt)
        schema = body.get("response_format")
        return 200, completion(json.dumps({"emotion": text}) if schema else text)


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of: ChatServer

    def do_POST(self) -> None:
        chat = self.server_of
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with chat.lock:
            if chat.dead_after is not None and len(chat.asked) >= chat.dead_after:
                self.close_connection = True
                return
            chat.asked.append(body)
            chat.received.append({name.lower(): value for name, value in self.headers.items()})
            chat.under_way += 1
            chat.most_under_way = max(chat.most_under_way, chat.under_way)
            broken = bool(chat.replies)
            status, content = (
                (404, error("no such page"))
                if self.path != "/v1/chat/completions"
                else chat.reply(body, self.headers.get("Authorization", ""))
            )
        time.sleep(chat.delay(body["messages"][0]["content"]))
        with chat.lock:
            chat.under_way -= 1
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in chat.headers.items() if broken else ():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # whoever asked may have gone
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def serve(chat: ChatServer) -> Iterator[ChatServer]:
    handler = type("Handler", (_Handler,), {"server_of": chat})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    chat.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield chat
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
