"""The API, as a program meets it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from instructerc.conversation import Conversation
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.serving.limits import Limits
from instructerc.serving.tokens import read_tokens
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus
from tests.serving.conftest import client_of

SECRET = "the merger is off"
TOKEN = "0123456789abcdef0123"


def asked(*conversations: Conversation, **settings: Any) -> dict[str, Any]:
    turns = [
        {
            "id": item.id,
            "turns": [{"speaker": turn.speaker, "text": turn.text} for turn in item.utterances],
        }
        for item in conversations
    ]
    return {"conversations": turns, **settings}


def turns(*texts: str) -> dict[str, Any]:
    return {"conversations": [{"turns": [{"speaker": "Ann", "text": text} for text in texts]}]}


def fault(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The fault of a response, which is always of one shape."""
    assert (response.status_code, response.json().keys()) == (status, {"error"}), response.text
    error: dict[str, Any] = response.json()["error"]
    assert error.keys() == {"code", "message", "details"}
    assert error["code"] == code, error
    assert "Traceback" not in response.text
    return error


def test_conversations_are_answered_as_python_answers_them(client: httpx.Client, recognizer: EmotionRecognizer) -> None:
    chats = tiny_corpus().test
    answer = client.post("/v1/recognize", json=asked(*chats)).json()
    assert answer["model"] == recognizer.model_hash
    assert [item["id"] for item in answer["conversations"]] == [chat.id for chat in chats]
    for item, chat in zip(answer["conversations"], chats, strict=True):
        for turn, row in zip(item["turns"], recognizer.recognize(chat), strict=True):
            assert (turn["turn"], turn["speaker"], turn["emotion"]) == (row.turn, row.speaker, row.emotion)
            assert turn["probabilities"] == pytest.approx(dict(row.probabilities or {}), abs=1e-5)
            assert turn["entropy"] == pytest.approx(row.entropy, abs=1e-4)


def test_a_conversation_needs_no_id_and_a_turn_no_text(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/recognize", json=turns("", "😀", "\x00", "\ud83d".encode("utf-8", "replace").decode())
    ).json()
    assert answer["conversations"][0]["id"] == "0"
    assert len(answer["conversations"][0]["turns"]) == 4


def test_labels_and_threshold_are_those_of_the_request(client: httpx.Client, recognizer: EmotionRecognizer) -> None:
    labels = {"calm": "", "tense": "on edge"}
    answer = client.post("/v1/recognize", json=asked(tiny_conversation(), labels=labels, threshold=1)).json()
    assert answer["labels"] == ["calm", "tense"]
    assert {turn["emotion"] for turn in answer["conversations"][0]["turns"]} == {"uncertain"}
    expected = recognizer.asking(labels=labels).recognize(tiny_conversation())
    found = answer["conversations"][0]["turns"]
    assert found[0]["probabilities"] == pytest.approx(dict(expected[0].probabilities or {}), abs=1e-5)
    fault(client.post("/v1/recognize", json=asked(tiny_conversation(), labels={"a": "", "A": ""})), 422, "not_possible")
    fault(client.post("/v1/recognize", json=asked(tiny_conversation(), labels={"a": ""})), 422, "invalid")
    fault(client.post("/v1/recognize", json=asked(tiny_conversation(), threshold=2)), 422, "invalid")


def test_models_are_chosen_by_name(recognizer: EmotionRecognizer) -> None:
    other = recognizer.asking(labels=["calm", "tense"])
    with client_of({"first": recognizer, "second": other}) as client:
        models = client.get("/v1/models").json()
        assert [(model["name"], tuple(model["labels"])) for model in models] == [
            ("first", TINY_LABELS),
            ("second", ("calm", "tense")),
        ]
        assert set(models[0]["marks"]) == {*TINY_LABELS, "uncertain"}
        for name, labels in ((None, list(TINY_LABELS)), ("second", ["calm", "tense"])):
            assert client.post("/v1/recognize", json=asked(tiny_conversation(), model=name)).json()["labels"] == labels
        error = fault(client.post("/v1/recognize", json=asked(tiny_conversation(), model="frist")), 422, "not_possible")
        assert "did you mean 'first'" in error["message"]


def test_what_is_over_a_limit_is_refused_with_the_limit(recognizer: EmotionRecognizer) -> None:
    limits = Limits(body=2_000, turns=4, text=20, conversations=3)
    with client_of(recognizer, limits=limits) as client:
        assert client.post("/v1/recognize", json=turns(*["well"] * 4)).status_code == 200
        for body, told in (
            (turns("x" * 21), "at most 20 characters"),
            (turns(*["well"] * 5), "at most 4 items"),
            ({"conversations": turns("a")["conversations"] * 4}, "at most 3 items"),
            (turns(), "at least 1 item"),
        ):
            assert told in fault(client.post("/v1/recognize", json=body), 422, "invalid")["details"][0]
        many = {"conversations": turns("a", "b", "c")["conversations"] * 2}
        assert (
            "6 turns, and 4 are taken"
            in fault(client.post("/v1/recognize", json=many), 422, "unreadable_data")["message"]
        )
        large = json.dumps(turns("x" * 3_000)).encode()
        assert "2,000 bytes" in fault(client.post("/v1/recognize", content=large), 413, "too_large")["message"]
        pieces = (large[start : start + 100] for start in range(0, len(large), 100))
        fault(client.post("/v1/recognize", content=pieces), 413, "too_large")  # nobody announced how much it is


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"conversations": 7}',
        b'{"conversations": [{"turns": [{"speaker": "Ann"}]}]}',
        b'{"conversations": [{"turns": [{"speaker": "", "text": "hm"}]}]}',
        json.dumps({**turns(SECRET), "modle": SECRET}).encode(),
    ],
    ids=lambda content: content[:30],
)
def test_what_is_no_request_says_where_and_never_what(client: httpx.Client, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = client.post("/v1/recognize", content=content, headers=headers)
    error = fault(response, 422, "invalid")
    assert error["details"]
    assert SECRET not in response.text


def test_addresses_that_are_none_answer_in_the_same_shape(client: httpx.Client) -> None:
    fault(client.get("/v2"), 404, "http")
    fault(client.get("/v1/recognize"), 405, "http")
    nested = b'{"conversations": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    fault(client.post("/v1/recognize", content=nested, headers={"content-type": "application/json"}), 400, "http")


def test_a_turn_that_is_longer_than_the_model_can_read_is_named(client: httpx.Client) -> None:
    error = fault(client.post("/v1/recognize", json=turns("ok", "word " * 900)), 422, "unreadable_turn")
    assert "turn 1" in error["message"]


def test_a_live_conversation_is_opened_added_to_read_and_closed(
    client: httpx.Client, recognizer: EmotionRecognizer
) -> None:
    opened = client.post("/v1/sessions")
    assert opened.status_code == 201
    place = f"/v1/sessions/{opened.json()['id']}"
    session = recognizer.session()
    for turn in tiny_conversation().utterances:
        said = client.post(f"{place}/turns", json={"speaker": turn.speaker, "text": turn.text}).json()
        assert said["emotion"] == session.add(turn.speaker, turn.text).emotion
    assert [turn["turn"] for turn in client.get(place).json()["turns"]] == [0, 1, 2, 3]
    following = client.post(f"{place}/next", json={"speaker": "Ann"})
    assert following.json()["emotion"] == session.predict_next("Ann").emotion
    assert client.delete(place).status_code == 204
    for response in (client.get(place), client.delete(place), client.post(f"{place}/turns", json=_SAID)):
        fault(response, 404, "unknown_session")


_SAID = {"speaker": "Ann", "text": "Well."}


def test_a_live_conversation_may_have_its_own_labels_and_threshold(client: httpx.Client) -> None:
    name = client.post("/v1/sessions", json={"labels": {"calm": "", "tense": ""}, "threshold": 1}).json()["id"]
    turn = client.post(f"/v1/sessions/{name}/turns", json=_SAID).json()
    assert (turn["emotion"], set(turn["probabilities"])) == ("uncertain", {"calm", "tense"})


def test_live_conversations_are_bounded_in_number_length_and_idleness(recognizer: EmotionRecognizer) -> None:
    with client_of(recognizer, limits=Limits(sessions=2, turns=2, idle=0.5)) as client:
        first, _ = (client.post("/v1/sessions").json()["id"] for _ in range(2))
        refused = client.post("/v1/sessions")
        fault(refused, 429, "too_many_sessions")
        assert refused.headers["retry-after"] == "1"
        for _ in range(2):
            assert client.post(f"/v1/sessions/{first}/turns", json=_SAID).status_code == 200
        fault(client.post(f"/v1/sessions/{first}/turns", json=_SAID), 422, "too_many_turns")
        deadline = time.monotonic() + 60
        while "instructerc_sessions 0.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        fault(client.get(f"/v1/sessions/{first}"), 404, "unknown_session")


@pytest.fixture(scope="module")
def guarded(recognizer: EmotionRecognizer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.write_text(f"# people\n{TOKEN}\n\nanother-token-of-twenty\n", encoding="utf-8")
    with client_of(recognizer, tokens=read_tokens(path)) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/openapi.json", "/v1/sessions/x", "/nowhere"])
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", f"Basic {TOKEN}", "Bearer wrong", f"Bearer {TOKEN}x", "Bearer ümläut"]
)
def test_without_a_token_nothing_is_said(guarded: httpx.Client, path: str, header: str | None) -> None:
    response = guarded.get(path, headers={} if header is None else {b"authorization": header.encode()})  # type: ignore[dict-item]
    fault(response, 401, "no_token")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_token_opens_every_address(guarded: httpx.Client) -> None:
    for token in (TOKEN, "another-token-of-twenty"):
        assert guarded.get("/v1/models", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert guarded.get("/healthz").text == "ok"
    assert guarded.get("/").status_code == 200


def test_without_tokens_a_page_of_somebody_else_is_not_answered(client: httpx.Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:80", ""):
        fault(client.get("/v1/models", headers={"host": host}), 403, "unknown_host")
    for host in ("localhost", "localhost:8000", "127.0.0.1", "[::1]:80"):
        assert client.get("/v1/models", headers={"host": host}).status_code == 200


def test_files_are_read_in_any_format_of_text(client: httpx.Client) -> None:
    def read(name: str, content: bytes) -> httpx.Response:
        return client.post("/v1/read", params={"name": name}, content=content)

    answer = read("call.txt", "Ann: Grüße 😀\nBob: Hm.\n".encode()).json()
    assert [turn["speaker"] for turn in answer["conversations"][0]["turns"]] == ["Ann", "Bob"]
    answer = read("calls.csv", b"conversation,turn,speaker,text\na,0,Ann,hi\na,1,***,\n").json()
    assert answer["conversations"] == [
        {"id": "a", "turns": [{"speaker": "Ann", "text": "hi"}, {"speaker": "***", "text": ""}]}
    ]
    lines = json.dumps(tiny_conversation().to_json()) + '\n{"id": "torn'
    answer = read("calls.jsonl", lines.encode()).json()
    assert len(answer["conversations"]) == 1
    assert "line 2: not JSON" in answer["set_aside"][0]
    for name in ("calls.parquet", "calls.exe", "calls", "../../etc/passwd"):
        fault(read(name, b"PAR1"), 422, "unreadable_data")
    fault(read("call.txt", b""), 422, "unreadable_data")
    fault(read("call.txt", b"Ann: hi\n" * 2_001), 422, "unreadable_data")


def test_metrics_count_requests_turns_and_batches(recognizer: EmotionRecognizer) -> None:
    with client_of(recognizer) as client:
        client.post("/v1/recognize", json=turns("a", "b", "c"))
        client.get("/v1/sessions/a-name-nobody-may-see")
        fault(client.request("INVENTED", "/v1/models"), 405, "http")
        text = client.get("/metrics").text
    assert 'instructerc_requests_total{method="POST",route="/v1/recognize",status="200"} 1.0' in text
    assert "instructerc_turns_total 3.0" in text
    assert "instructerc_batches 1.0" in text
    assert "instructerc_waiting_turns 0.0" in text
    assert "instructerc_open_requests 1.0" in text  # this one
    assert "nobody-may-see" not in text
    assert 'method="other"' in text
    assert "INVENTED" not in text


def test_the_log_says_what_was_asked_for_and_never_what_was_said(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.post("/v1/recognize", json=turns(SECRET))
    client.post("/v1/recognize", json=turns(SECRET * 1_000))
    client.post("/v1/read", params={"name": f"{SECRET}.txt"}, content=SECRET.encode())
    client.post(f"/v1/sessions/{SECRET}/turns", json={"speaker": "Ann", "text": SECRET})
    lines = [record.getMessage() for record in caplog.records if record.name == "instructerc.access"]
    assert [line.split()[:3] for line in lines] == [
        ["POST", "/v1/recognize", "200"],
        ["POST", "/v1/recognize", "422"],
        ["POST", "/v1/read", "200"],
        ["POST", "/v1/sessions/{session}/turns", "404"],
    ]
    assert SECRET not in "".join(lines)


def test_the_page_talks_to_nobody_but_its_server(client: httpx.Client) -> None:
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    named = page.text.replace("http://www.w3.org/2000/svg", "")  # the name of a language, never fetched
    assert "http://" not in named
    assert "https://" not in named


def test_the_description_shows_an_example_and_the_limits(client: httpx.Client) -> None:
    found = client.get("/openapi.json").json()
    body = found["paths"]["/v1/recognize"]["post"]["requestBody"]["content"]["application/json"]
    assert (
        client.post(
            "/v1/recognize", json=body["examples"][0] if "examples" in body else body["schema"]["examples"][0]
        ).status_code
        == 200
    )
    assert found["components"]["schemas"]["Turn"]["properties"]["text"]["maxLength"] == Limits().text


@pytest.mark.parametrize("field", ["body", "turns", "idle"])
def test_a_limit_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(Exception, match=f"limit '{field}' is 0"):
        Limits(**{field: 0})


def test_tokens_that_could_be_guessed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    for content, told in (("short\n", "token 1 has fewer than 16 characters"), ("# none\n", "holds no token")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(Exception, match=told):
            read_tokens(path)
    with pytest.raises(Exception, match="cannot be read"):
        read_tokens(tmp_path / "nowhere")
