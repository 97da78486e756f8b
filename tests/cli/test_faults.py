"""How the command line ends when something goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
import typer
from typer.testing import CliRunner

from instructerc import __version__, cli
from instructerc.errors import DataError, UsageError

PROGRAM = [sys.executable, "-c", "from instructerc.cli import main; main()"]


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def listing() -> NoReturn:
        raise error

    monkeypatch.setattr("instructerc.cli.data.ls.list_corpora", listing)


@pytest.mark.parametrize(("error", "code"), [(DataError("a.csv:3: wrong"), 1), (UsageError("no such thing"), 2)])
def test_an_error_of_ours_is_one_line_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    fail_with(monkeypatch, error)
    done = CliRunner().invoke(cli.app, ["data", "ls"])
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", f"error: {error}\n")


def test_debug_adds_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, DataError("wrong"))
    done = CliRunner().invoke(cli.app, ["--debug", "data", "ls"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("error: wrong\n")


@pytest.mark.parametrize(
    ("variable", "message"), [("", "\x1b[31merror: wrong\x1b[0m\n"), ("1", "error: wrong\n")], ids=["red", "NO_COLOR"]
)
def test_an_error_is_red_on_a_terminal_unless_colour_is_unwanted(
    monkeypatch: pytest.MonkeyPatch, variable: str, message: str
) -> None:
    fail_with(monkeypatch, DataError("wrong"))
    done = CliRunner().invoke(cli.app, ["data", "ls"], env={"NO_COLOR": variable}, color=True)
    assert done.stderr == message


def test_debug_may_stand_behind_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "evaluate", str(tmp_path / "none.jsonl"), "--debug"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")


def test_an_error_of_the_system_is_one_line_with_the_file_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, line in (
        (OSError(28, "No space left on device", "a.csv"), "error: a.csv: No space left on device\n"),
        (OSError(28, "No space left on device"), "error: No space left on device\n"),
    ):
        fail_with(monkeypatch, error)
        done = CliRunner().invoke(cli.app, ["data", "ls"])
        assert (done.exit_code, done.stderr) == (1, line)


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    done = CliRunner().invoke(cli.app, ["data", "ls"])
    assert (done.exit_code, done.stderr) == (130, "error: interrupted\n")


def test_a_file_that_may_not_be_touched_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, PermissionError(13, "Permission denied", "a.csv"))
    done = CliRunner().invoke(cli.app, ["data", "ls"])
    assert (done.exit_code, done.stderr) == (1, "error: a.csv: Permission denied\n")


def test_a_reader_that_goes_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, BrokenPipeError())
    done = CliRunner().invoke(cli.app, ["data", "ls"])
    assert (done.exit_code, done.stderr) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")
def test_a_pipe_that_is_closed_for_real_leaves_no_warning() -> None:
    process = subprocess.Popen(
        [*PROGRAM, "data", "peek", "sample", "-n", "500", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


@pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")
def test_ctrl_c_for_real_leaves_no_traceback() -> None:
    code = (
        # Where the tests run in the background, a shell has them ignore the signal, and their children with them.
        "import signal\nimport time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import instructerc.cli as cli\nimport instructerc.cli.data.ls as ls\n"
        "def listing():\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "ls.list_corpora = listing\ncli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "data", "ls"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "error: interrupted\n")


def test_what_nobody_foresaw_is_one_line_that_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(monkeypatch, ZeroDivisionError("division\nby zero"))
    monkeypatch.setattr(sys, "argv", ["instructerc", "data", "ls"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("error: ZeroDivisionError: division by zero: this should not happen")
    monkeypatch.setattr(sys, "argv", ["instructerc", "--debug", "data", "ls"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(cli.app, ["--version"]).stdout == f"instructerc {__version__}\n"


def test_a_usage_error_exits_with_2(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli.app, ["data", "peek", "sample", "--count", "x"]).exit_code == 2
    assert isinstance(cli.app, typer.Typer)
