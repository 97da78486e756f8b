"""The container's files, as far as they can be tried without an engine: what they copy, call and promise."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "Dockerfile"

pytestmark = pytest.mark.skipif(not DOCKERFILE.is_file(), reason="not part of this installation")


def instructions(kind: str) -> list[str]:
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text(encoding="utf-8"))
    return [line.removeprefix(kind).strip() for line in text.splitlines() if line.startswith(f"{kind} ")]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    copied = {name for line in instructions("COPY") if "--from" not in line for name in shlex.split(line)[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_nobody_is_root_and_nothing_is_fetched() -> None:
    assert instructions("USER") == ["10001:10001"]
    environment = " ".join(instructions("ENV"))
    assert "INSTRUCTERC_OFFLINE=1" in environment
    assert "HF_HUB_OFFLINE=1" in environment


def test_the_extras_and_versions_it_names_exist() -> None:
    (run, _) = instructions("RUN")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in re.findall(r"\.\[([\w,]+)\]", run)[0].split(","):
        assert re.search(rf"^{extra} = ", project, re.MULTILINE)
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_service_is_locked_down_and_stops_in_time() -> None:
    service = compose()["services"]["instructerc"]
    assert service["read_only"]
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    (command,) = instructions("CMD")
    assert service["command"] == json.loads(command)


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs Linux, root and unshare",
)
def test_its_command_runs_where_only_one_folder_can_be_written_to(tmp_path: Path) -> None:
    """As in the container: its own command and environment, the file system read-only but for one folder."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("namespaces are not allowed here")
    (tmp_path / "tokens").write_text("0123456789abcdef0123\n", encoding="utf-8")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = json.loads(instructions("CMD")[0])
    command[command.index("/run/secrets/tokens")] = str(tmp_path / "tokens")
    serve = [sys.executable, "-m", "instructerc", *command, "--port", "0"]
    inside = (
        f"mount -t tmpfs tmpfs {shlex.quote(str(scratch))} && mount -o remount,bind,ro / "
        f"&& ! touch {ROOT}/x 2>/dev/null "
        f"&& exec {shlex.join(serve)}"
    )
    (environment,) = instructions("ENV")
    given = dict(pair.split("=", 1) for pair in shlex.split(environment) if not pair.startswith("PATH="))
    assert given["HOME"] == "/tmp"
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", inside],
        env={**os.environ, **given, "HOME": str(scratch), "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("listening at "):
                break
        else:
            raise AssertionError("".join(lines))
        port = lines[-1].split()[2].rpartition(":")[2]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as response:
            assert response.read() == b"ok"
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/read?name=call.txt",
            b"Ann: Great!\n",
            {"Authorization": "Bearer 0123456789abcdef0123"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            assert json.load(response)["conversations"][0]["turns"] == [{"speaker": "Ann", "text": "Great!"}]
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()
