"""Runs whose model is behind an endpoint: reports like any other, nothing paid for twice, no key anywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instructerc.errors import EndpointError, OfflineError, RecipeError, UsageError
from instructerc.experiments.asking import JOURNAL
from instructerc.experiments.dry_run import dry_run
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import run_recipe
from instructerc.recognition.endpoint import EndpointRecognizer
from instructerc.recognition.predictions import read_predictions
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.reporting.report import Report
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus
from tests.chat_server import ChatServer, completion, serve
from tests.experiments.recipes import Log, recipe

KEY = "not-a-real-key-0123456789"
TURNS = sum(map(len, tiny_corpus().test))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve(ChatServer()) as chat:
        yield chat


def asking(server: ChatServer, corpus: Path, **endpoint: Any) -> dict[str, Any]:
    return {
        "name": "asked",
        "data": {"corpus": str(corpus), "labels": list(TINY_LABELS)},
        "adapter": {"method": "none"},
        "recognition": {"engine": "endpoint"},
        "endpoint": {"model": "stand-in", "url": server.address, "retries": 0, **endpoint},
        "evaluation": {"bootstrap": 50, "baselines": ["majority"]},
    }


def by_news(prompt: str) -> str:
    return "joy" if "won the" in prompt else "anger" if "lied" in prompt else "neutral"


@pytest.mark.parametrize("answers", ["structured", "text"])
def test_the_report_is_one_like_any_other(
    server: ChatServer, corpus_folder: Path, tmp_path: Path, answers: str
) -> None:
    server.answer = by_news
    log = Log()
    given = asking(server, corpus_folder, answers=answers, price_input=2.0, price_output=10.0)
    result = run_recipe(recipe(tmp_path, given, "prompt.wording=released"), watcher=log)
    rows = read_predictions(result.folder / "predictions.jsonl")
    assert len(rows) == TURNS == log.turns == log.recognised == len(server.asked)
    assert {row.out_of_label for row in rows} == {False}
    (majority,) = result.baselines.values()
    assert result.weighted_f1 > majority > 0
    provenance = result.report.provenance
    assert provenance["Method"]["backbone"] == "stand-in"
    assert provenance["Method"]["recognition"] == f"endpoint, {answers} answers"
    told = {"requests": TURNS, "prompt tokens": 100 * TURNS, "completion tokens": 3 * TURNS, "server": server.address}
    assert told.items() <= provenance["Endpoint"].items()
    assert provenance["Endpoint"]["price"] == pytest.approx(TURNS * (100 * 2 + 3 * 10) / 1e6, abs=1e-4)
    assert log.notes[-1].startswith(f"{TURNS} requests, {100 * TURNS:,} prompt tokens, {3 * TURNS} completion tokens")
    assert "stand-in on corpus" in result.report.summary
    assert "Endpoint" in (result.folder / "report.md").read_text(encoding="utf-8")
    assert Report.from_json(json.loads((result.folder / "report.json").read_text(encoding="utf-8"))) == result.report


def test_the_same_recipe_runs_again_from_its_folder(server: ChatServer, corpus_folder: Path, tmp_path: Path) -> None:
    run_recipe(recipe(tmp_path, asking(server, corpus_folder)))
    text = (tmp_path / "run" / "recipe.yaml").read_text(encoding="utf-8")
    assert "endpoint:" in text
    assert "backbone:" not in text
    again = resolve(str(tmp_path / "run" / "recipe.yaml"), [f"output.folder={tmp_path / 'again'}"])
    run_recipe(again)
    first, second = (read_predictions(tmp_path / name / "predictions.jsonl") for name in ("run", "again"))
    assert first == second


def test_a_run_that_breaks_off_goes_on_and_pays_for_nothing_twice(
    server: ChatServer, corpus_folder: Path, tmp_path: Path
) -> None:
    server.dead_after = 10
    given = asking(server, corpus_folder, concurrency=2)
    with pytest.raises(EndpointError, match="--resume goes on"):
        run_recipe(recipe(tmp_path, given))
    begun = read_predictions(tmp_path / "run" / "predictions.jsonl")
    assert 4 <= len(begun) < TURNS
    server.dead_after = None
    log = Log()
    result = run_recipe(recipe(tmp_path, given, "endpoint.concurrency=1"), resume=True, watcher=log)
    assert len(server.asked) == TURNS
    assert result.report.provenance["Endpoint"]["requests"] == TURNS, "those of the first part are counted as well"
    rows = read_predictions(result.folder / "predictions.jsonl")
    assert rows[: len(begun)] == begun
    assert len(rows) == TURNS


def test_a_finished_run_is_reported_anew_without_a_question(
    server: ChatServer, corpus_folder: Path, tmp_path: Path
) -> None:
    resolved = recipe(tmp_path, asking(server, corpus_folder))
    before = run_recipe(resolved).report
    after = run_recipe(resolved, resume=True).report
    assert len(server.asked) == TURNS
    assert (after.main, after.provenance["Endpoint"]) == (before.main, before.provenance["Endpoint"])


def test_other_questions_are_another_run(server: ChatServer, corpus_folder: Path, tmp_path: Path) -> None:
    given = asking(server, corpus_folder)
    run_recipe(recipe(tmp_path, given))
    with pytest.raises(Exception, match=r"endpoint\.temperature was 0\.0, is 1\.0"):
        run_recipe(recipe(tmp_path, given, "endpoint.temperature=1.0"), resume=True)


def test_ready_made_prompts_are_answered(server: ChatServer, tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    lines = [{"input": f"Is {label} joy?", "target": label} for label in TINY_LABELS]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    given = asking(server, tmp_path)
    given["data"] = {"prompts": str(file)}
    result = run_recipe(recipe(tmp_path / "a", given))
    assert sorted(server.prompts) == sorted(line["input"] for line in lines)
    assert result.report.main.accuracy == pytest.approx(1 / 3)


def test_what_went_wrong_is_told(server: ChatServer, corpus_folder: Path, tmp_path: Path) -> None:
    server.unknown = {"response_format": "unknown field"}
    server.replies = [(200, completion(None, refusal="No."))]
    notices = run_recipe(recipe(tmp_path, asking(server, corpus_folder, concurrency=1))).report.notices
    assert (
        f"{TURNS - 1} answers were free text, read by the answer rule: the server took no response_format." in notices
    )
    assert "Questions without an answer, counted as out of label: 1 x refusal." in notices


def test_the_key_is_in_no_file(
    server: ChatServer, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    server.key = KEY
    server.answer = lambda prompt: f"joy, and your key is {KEY}"
    given = asking(server, corpus_folder, key_variable="SOME_KEY", answers="text")
    resolved = recipe(tmp_path, given)
    with pytest.raises(UsageError, match="SOME_KEY is not set"):
        run_recipe(resolved)
    assert not (tmp_path / "run").exists(), "nothing was begun"
    monkeypatch.setenv("SOME_KEY", KEY)
    with caplog.at_level("DEBUG"):
        run_recipe(resolved)
    assert len(server.asked) == TURNS
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {JOURNAL, "report.html", "predictions.jsonl"} <= {file.name for file in written}
    assert [file.name for file in written if KEY.encode() in file.read_bytes()] == []
    assert KEY not in caplog.text


def test_a_refused_key_ends_the_run_at_once(
    server: ChatServer, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    monkeypatch.setenv("SOME_KEY", "wrong")
    with pytest.raises(EndpointError, match="the key in environment variable SOME_KEY is not valid there"):
        run_recipe(recipe(tmp_path, asking(server, corpus_folder, key_variable="SOME_KEY", concurrency=1)))
    assert len(server.asked) == 1


def test_offline_no_server_elsewhere_is_asked(
    server: ChatServer, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTRUCTERC_OFFLINE", "1")
    with pytest.raises(OfflineError, match="INSTRUCTERC_OFFLINE forbids to use the network"):
        run_recipe(recipe(tmp_path, asking(server, corpus_folder, url="https://example.org/v1")))


def test_what_was_measured_can_be_used(server: ChatServer, corpus_folder: Path, tmp_path: Path) -> None:
    run = run_recipe(recipe(tmp_path, asking(server, corpus_folder)))
    with EndpointRecognizer.from_pretrained(run.folder) as recognizer:
        rows = recognizer.recognize(tiny_conversation())
    (known, *_) = read_predictions(run.folder / "predictions.jsonl")
    assert {(row.emotion, row.model, row.prompt) for row in rows} == {("joy", known.model, known.prompt)}
    with pytest.raises(UsageError, match=r"asked model 'stand-in' of a server and holds none itself"):
        EmotionRecognizer.from_pretrained(run.folder)


def test_the_dry_run_counts_and_asks_nobody(server: ChatServer, corpus_folder: Path, tmp_path: Path) -> None:
    given = asking(server, corpus_folder, price_input=2.0)
    found = dry_run(recipe(tmp_path, given))
    record = found.to_json()["endpoint"]
    run_recipe(recipe(tmp_path, given))
    assert record["requests"] == TURNS == len(server.asked)
    assert record["prompt_tokens"] == sum(map(len, server.prompts)) // 4
    assert record["price"] == pytest.approx(record["prompt_tokens"] * 2 / 1e6)
    text = found.to_text()
    assert f"asks stand-in at {server.address}" in text
    assert "tokens are estimated, at 4 characters each" in text
    assert "MiB" not in text
    assert found.prompts[0][0] in server.prompts


def test_few_shot_shows_what_a_local_model_would_be_shown(
    server: ChatServer, corpus_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("sentence_transformers", reason="demonstrations need sentence-transformers")
    given = {**asking(server, corpus_folder), "demonstrations": {"pairing": "nearest", "placement": "before"}}
    result = run_recipe(recipe(tmp_path, given))
    assert result.report.provenance["Demonstrations"]["pairing"] == "nearest"
    assert "few-shot" in result.report.summary
    assert (result.folder / "model" / "pool").is_dir()
    known = {utterance.text for chat in tiny_corpus().train for utterance in chat.utterances}
    assert all(any(text in prompt for text in known) for prompt in server.prompts)
    with EndpointRecognizer.from_pretrained(result.folder) as recognizer:
        assert len(recognizer.recognize(tiny_conversation())) == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["adapter.method=lora"], "endpoint trains nothing: set adapter.method to none"),
        (["endpoint.model=null"], "endpoint.model: is not given: say what the server calls the model"),
        (["endpoint.url=localhost:8000"], "endpoint.url: is 'localhost:8000': write it as http://HOST:PORT/v1"),
        (["endpoint.key_variable=sk-abc"], "takes the name of an environment variable in capitals"),
        (["backbone.name=llama2-7b"], "has no effect beside recognition.engine: endpoint"),
        (["training.batching=tree"], "has no effect beside recognition.engine: endpoint"),
        (["prompt.max_length=1024"], "has no effect beside recognition.engine: endpoint"),
        (["recognition.engine=transformers", "endpoint.model=m"], "only where recognition.engine is endpoint"),
        (["recognition.engine=vllm"], "vllm does not know the embedded backbones"),
        (
            ["recognition.engine=vllm", "backbone.name=llama2-7b", "backbone.quantization=4bit"],
            "the vllm engine reads weights as they are",
        ),
        (["recognition.engine=vllm", "training.batching=tree"], "has no effect beside recognition.engine: vllm"),
    ],
)
def test_keys_that_do_not_fit_are_named(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        resolve("endpoint", overrides)
    assert message in str(caught.value)


def test_the_command_line_turns_zero_shot_into_questions() -> None:
    found = resolve("zero-shot", ["recognition.engine=endpoint", "endpoint.model=m"]).recipe
    assert (found.recognition.engine, found.endpoint.model, found.data.corpus) == ("endpoint", "m", "meld")


CHILD = """
import sys
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import run_recipe
run_recipe(resolve(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_kill_costs_what_was_under_way_alone(server: ChatServer, corpus_folder: Path, tmp_path: Path) -> None:
    server.delay = lambda prompt: 0.1
    resolved = recipe(tmp_path, asking(server, corpus_folder, concurrency=2))
    (tmp_path / "whole.yaml").write_text(resolved.to_yaml(), encoding="utf-8")
    journal = tmp_path / "run" / JOURNAL
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD, str(tmp_path / "whole.yaml")]
    with subprocess.Popen(command, env=environment) as child:
        while child.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 7):
            time.sleep(0.01)
        child.kill()
    assert child.returncode == -signal.SIGKILL
    server.delay = lambda prompt: 0.0
    result = run_recipe(resolved, resume=True)
    assert len(read_predictions(result.folder / "predictions.jsonl")) == TURNS
    assert len(server.asked) <= TURNS + 2
    assert result.report.provenance["Endpoint"]["requests"] == TURNS
