"""One question to a server: what is asked, what refusals mean, and what is said of them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from instructerc.errors import EndpointError, OfflineError, UsageError
from instructerc.recognition.endpoint import EndpointSettings, Usage
from instructerc.recognition.endpoint.client import ChatClient, Reply, TooLongError, response_format
from tests.chat_server import ChatServer, completion, error

LABELS = ("joy", "anger", "neutral")
KEY = "not-a-real-key-0123456789"


def client(server: ChatServer, **settings: Any) -> ChatClient:
    return ChatClient(EndpointSettings(**{"model": "m", "url": server.address, "retries": 2, **settings}))


def test_the_whole_prompt_is_one_message_and_answers_are_held_to_the_labels(server: ChatServer) -> None:
    reply = client(server).ask("What does A feel?", LABELS)
    assert reply == Reply(
        text='{"emotion": "joy"}',
        structured=True,
        usage=Usage(requests=1, prompt_tokens=100, completion_tokens=3),
    )
    (body,) = server.asked
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "What does A feel?"}],
        "temperature": 0.0,
        "max_tokens": 64,
        "response_format": response_format(LABELS),
    }
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["properties"]["emotion"]["enum"] == list(LABELS)


def test_text_asks_for_no_format(server: ChatServer) -> None:
    reply = client(server, answers="text", temperature=0.5, max_tokens=7).ask("?", LABELS)
    assert (reply.text, reply.structured) == ("joy", False)
    assert "response_format" not in server.asked[0]
    assert (server.asked[0]["temperature"], server.asked[0]["max_tokens"]) == (0.5, 7)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_when_it_says(server: ChatServer, status: int) -> None:
    server.replies = [(status, error("busy")), (status, error("busy"))]
    server.headers = {"retry-after-ms": "5"}
    assert client(server).ask("?", LABELS).text == '{"emotion": "joy"}'
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (401, None, "401: no: name the environment variable that holds a key by endpoint.key_variable"),
        (403, None, "403: no: the key may not use model 'm'"),
        (404, None, "404: no: there is no model 'm' there, or no server of this kind"),
        (429, None, "after 1 tries: lower endpoint.concurrency, wait, then go on with --resume"),
        (429, "insufficient_quota", "the account has used up what it paid for"),
        (502, None, "after 1 tries: wait until the server is well, then go on with --resume"),
        (405, None, "405: no: correct the keys of section endpoint"),
    ],
)
def test_what_asking_again_does_not_mend_says_what_to_do(
    server: ChatServer, status: int, code: str | None, says: str
) -> None:
    server.replies = [(status, error("no", code=code))] * 2
    server.headers = {"retry-after-ms": "5"}
    with pytest.raises(EndpointError) as caught:
        client(server, retries=1).ask("?", LABELS)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{server.address}: ")
    assert "\n" not in str(caught.value)
    assert len(server.asked) == (2 if status in (429, 502) else 1)


@pytest.mark.parametrize("torn", [b'{"choices": [{', b"<html>not here</html>", b"null", b'{"error": {"message": "x"}}'])
def test_a_torn_reply_is_asked_for_again_and_not_for_ever(
    server: ChatServer, torn: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instructerc.recognition.endpoint.client._LONGEST_PAUSE", 0.0)
    server.replies = [(200, torn)]
    assert client(server).ask("?", LABELS).text == '{"emotion": "joy"}'
    server.replies = [(200, torn)] * 3
    with pytest.raises(EndpointError, match="answers with something that is no chat completion"):
        client(server).ask("?", LABELS)
    assert len(server.asked) == 2 + 3


def test_nobody_there() -> None:
    settings = EndpointSettings(model="m", url="http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(EndpointError, match=r"nothing answers there \(.*refused.*\): start the server, or correct"):
        ChatClient(settings).ask("?", LABELS)


def test_a_server_that_takes_too_long(server: ChatServer) -> None:
    server.delay = lambda prompt: 0.5
    with pytest.raises(EndpointError, match=r"no answer within 0\.05 seconds, 1 times: raise endpoint\.timeout"):
        client(server, timeout=0.05, retries=0).ask("?", LABELS)


def test_a_server_without_response_format_is_asked_for_text_and_that_is_said_once(
    server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.unknown = {"response_format": "unknown field"}
    chat = client(server)
    with caplog.at_level(logging.WARNING, logger="instructerc"):
        replies = [chat.ask("?", LABELS) for _ in range(3)]
    assert [(reply.text, reply.structured) for reply in replies] == [("joy", False)] * 3
    assert [reply.usage.requests for reply in replies] == [2, 1, 1]
    assert [record.getMessage() for record in caplog.records] == [
        f"{server.address}: takes no response_format: the model writes freely, and the answer rule reads it"
    ]


def test_a_refusal_that_names_nothing_may_be_the_format(server: ChatServer) -> None:
    server.unknown = {"response_format": "bad request"}
    assert client(server).ask("?", LABELS).text == "joy"


def test_and_where_it_is_not_the_refusal_stands(server: ChatServer) -> None:
    server.unknown = {"model": "bad request"}
    with pytest.raises(EndpointError, match="400: bad request model: correct the keys of section endpoint"):
        client(server).ask("?", LABELS)


def test_reasoning_models_take_other_names_and_no_temperature(server: ChatServer) -> None:
    server.unknown = {
        "max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        "temperature": "Unsupported value: 'temperature' does not support 0.0 with this model.",
    }
    chat = client(server)
    assert chat.ask("?", LABELS).structured
    assert chat.ask("?", LABELS).structured
    assert len(server.asked) == 4
    assert server.asked[-1].keys() == {"model", "messages", "max_completion_tokens", "response_format"}


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "This model's maximum context length is 4096 tokens. However, your messages resulted in …", None),
        (400, "the request exceeds the available context size, try increasing it", None),
        (400, "no", "context_length_exceeded"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", None),
        (400, "'max_tokens' is too large: 64. This model's maximum context length is 10", None),
        (413, "payload", None),
    ],
)
def test_a_prompt_that_is_too_long_is_known_by_what_servers_say(
    server: ChatServer, status: int, message: str, code: str | None
) -> None:
    server.replies = [(status, error(message, code=code))]
    with pytest.raises(TooLongError):
        client(server).ask("?", LABELS)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "reason", "text"),
    [
        (completion(None, refusal="I cannot say."), "refusal", "I cannot say."),
        (completion("jo", finish="content_filter"), "content filter", "jo"),
        (completion(""), "empty answer", ""),
        (completion(None, finish="length"), "no word within max_tokens", ""),
        ({**completion("joy"), "choices": []}, "no choice", ""),
    ],
)
def test_no_answer_has_a_reason(server: ChatServer, reply: Any, reason: str, text: str) -> None:
    server.replies = [(200, reply)]
    found = client(server).ask("?", LABELS)
    assert (found.reason, found.text) == (reason, text)
    assert found.usage.prompt_tokens == 100, "it was paid for all the same"


def test_a_content_filter_is_about_one_question(server: ChatServer) -> None:
    server.replies = [(400, error("The response was filtered: content management policy", code="content_filter"))]
    found = client(server).ask("?", LABELS)
    assert (found.reason, found.text) == ("content filter", "")


def test_a_refusal_after_answers_is_about_one_question(server: ChatServer) -> None:
    chat = client(server, answers="text")
    chat.ask("?", LABELS)
    server.replies = [(400, error("invalid unicode"))]
    assert chat.ask("?", LABELS).reason == "refused (invalid unicode)"
    assert chat.ask("?", LABELS).reason == ""


def test_a_server_that_does_not_count(server: ChatServer) -> None:
    server.replies = [(200, completion("joy", usage=False))]
    usage = client(server).ask("?", LABELS).usage
    assert usage == Usage(requests=1, uncounted=1)
    assert usage.to_text() == "1 requests, 0 prompt tokens, 0 completion tokens, and 1 answers without a count"


def test_the_key_comes_from_the_variable_that_is_named(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = KEY
    with pytest.raises(UsageError, match="environment variable MY_KEY is not set: it has to hold the key for http"):
        client(server, key_variable="MY_KEY")
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    assert client(server, key_variable="MY_KEY").ask("?", LABELS).reason == ""


def test_a_key_that_is_refused_is_named_by_its_variable_and_never_shown(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "another"
    monkeypatch.setenv("MY_KEY", KEY)
    with pytest.raises(EndpointError, match="the key in environment variable MY_KEY is not valid there") as caught:
        client(server, key_variable="MY_KEY").ask("?", LABELS)
    assert "Incorrect API key provided: Bearer ***" in str(caught.value)
    assert KEY not in str(caught.value)


def test_no_key_goes_to_a_server_that_it_was_not_meant_for(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-secret")
    client(server).ask("?", LABELS)
    sent = " ".join(server.received[0].values())
    assert KEY not in sent
    assert "secret" not in sent
    assert EndpointSettings(model="m").key() == KEY


def test_offline_asks_nobody_elsewhere(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTRUCTERC_OFFLINE", "1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    client(server).ask("?", LABELS)
    for url in (None, "https://example.org/v1"):
        with pytest.raises(OfflineError, match="is a server elsewhere, and INSTRUCTERC_OFFLINE forbids"):
            ChatClient(EndpointSettings(model="m", url=url))


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host/v1", "http://", "http://a:x/v1", "https://me:pw@host/v1"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match=r"endpoint\.url (is|carries)") as caught:
        EndpointSettings(model="m", url=url)
    assert "pw" not in str(caught.value)


def test_answers_of_another_kind() -> None:
    with pytest.raises(UsageError, match=r"endpoint\.answers is 'json': choose one of structured, text"):
        EndpointSettings(model="m", answers="json")  # type: ignore[arg-type]
