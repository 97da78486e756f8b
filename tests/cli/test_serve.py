"""`instructerc serve`, as a process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.testing import tiny_llama
from tests.recognition.trained import trained


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    return trained(tiny_llama(folder / "llama"), folder / "model")


@contextmanager
def serving(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A server, its address, and what it writes to standard error."""
    command = [sys.executable, "-m", "instructerc", "serve", "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("listening at "):
            break
    else:
        raise AssertionError("".join(lines))
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
    reader.start()
    try:
        yield process, lines[-1].split()[2], lines
    finally:
        process.terminate()
        process.wait()
        reader.join()
        process.stderr.close()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.slow
def test_a_server_that_is_told_to_end_answers_what_it_took(model: Path) -> None:
    turns = [{"speaker": "Ann", "text": f"the secret of turn {turn}"} for turn in range(400)]
    answers: list[httpx.Response] = []
    with serving("--model", f"calls={model}") as (process, url, lines):
        assert httpx.get(f"{url}/v1/models").json()[0]["name"] == "calls"
        asking = threading.Thread(
            target=lambda: answers.append(
                httpx.post(f"{url}/v1/recognize", json={"conversations": [{"turns": turns}]}, timeout=60)
            )
        )
        asking.start()
        while not answers and "instructerc_open_requests 2.0" not in httpx.get(f"{url}/metrics").text:
            pass  # until it is there, beside the one that asks
        process.send_signal(signal.SIGTERM)
        asking.join()
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    assert answers[0].status_code == 200
    assert len(answers[0].json()["conversations"][0]["turns"]) == 400
    log = "".join(lines)
    assert "POST /v1/recognize 200" in log
    assert "secret" not in log
    assert "Traceback" not in log


def test_what_cannot_be_served_says_what_to_do(model: Path, tmp_path: Path) -> None:
    def fault(*arguments: str | Path) -> str:
        result = CliRunner().invoke(app, ["serve", *map(str, arguments)])
        assert result.exit_code == 2, result.output
        return result.stderr

    assert "give --tokens FILE" in fault("--model", model, "--host", "0.0.0.0")
    assert "cannot be read" in fault("--model", model, "--tokens", tmp_path / "nowhere")
    assert "limit 'turns' is 0" in fault("--model", model, "--max-turns", "0")
    assert "a name of its own" in fault("--model", f"a={model}", "--model", f"a={model}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "choose another --port" in fault("--model", model, "--port", str(taken.getsockname()[1]))


def test_without_its_libraries_the_error_names_the_line_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("instructerc.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 2
    assert "pip install 'instructerc[serve]'" in result.stderr
