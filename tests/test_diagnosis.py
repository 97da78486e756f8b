"""What this machine and this installation can do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from instructerc import diagnosis
from instructerc.cli import app
from instructerc.diagnosis import EXTRAS, diagnose

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_a_sound_installation_passes_its_self_test() -> None:
    found = diagnose()
    assert found.faults == ()
    sections = found.to_json()
    assert set(sections) == {"Versions", "Machine", "Network and files", "Extras", "Self-test", "faults"}
    assert sections["Self-test"]["three turns in"].endswith("neutral, anger, joy")
    assert sections["Network and files"]["downloads"] == "off (HF_HUB_OFFLINE is set)"


def test_every_extra_is_named_with_what_it_is_good_for() -> None:
    text = PYPROJECT.read_text(encoding="utf-8")
    (block,) = re.findall(r"\[project.optional-dependencies\]\n(.*?)\n\n", text, re.DOTALL)
    declared = dict(re.findall(r'^(\w+) = \["([\w-]+)', block, re.MULTILINE))
    assert declared == {extra: library for extra, (library, _) in EXTRAS.items()}


def test_an_extra_that_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(diagnosis.EXTRAS, "vllm", ("no-such-library", "nothing"))  # type: ignore[arg-type]
    assert "pip install 'instructerc[vllm]'" in diagnose(test=False).to_json()["Extras"]["vllm"]


def test_a_model_that_does_not_work_is_a_fault_and_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "EXPECTED", ("joy", "joy", "joy"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "self-test: joy, joy, joy was to be recognised" in result.stdout


def test_the_command_prints_for_people_and_for_programs() -> None:
    result = CliRunner().invoke(app, ["doctor", "--no-test"])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "Nothing is wrong.")
    found = json.loads(CliRunner().invoke(app, ["doctor", "--no-test", "--json"]).stdout)
    assert found["faults"] == []
    assert "torch" in found["Versions"]


def test_a_report_names_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "ada.lovelace"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "ada.lovelace")
    monkeypatch.setenv("LOGNAME", "ada.lovelace")
    monkeypatch.delenv("INSTRUCTERC_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("platform.node", lambda: "engine-no-1")
    monkeypatch.setattr("platform.release", lambda: "6.1 built by ada.lovelace on engine-no-1")
    result = CliRunner().invoke(app, ["doctor", "--report", "--no-test"])
    assert result.exit_code == 0
    assert "lovelace" not in result.stdout
    assert "engine-no-1" not in result.stdout
    assert "| cache | …/instructerc" in result.stdout
    assert "built by USER on MACHINE" in result.stdout
    assert re.search(r"\| torch \| \d", result.stdout)
