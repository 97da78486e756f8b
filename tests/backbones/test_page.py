"""docs/backbones.md is what the table of presets says."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from instructerc.backbones.presets import PRESETS, Preset

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not SCRIPTS.is_dir():
        pytest.skip("the scripts are not part of this installation")
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("backbones_page")


def test_the_page_is_current(script: Any) -> None:
    assert script.main(["--check"]) == 0, "run `make docs`"


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_backbone_stands_in_both_tables(script: Any, preset: Preset) -> None:
    rows = [line.split(" | ") for line in script.page().splitlines() if line.startswith(f"| `{preset.name}` |")]
    (use, source) = rows
    assert use[4] == f"{preset.context:,}"
    assert preset.source in source[1] or preset.source == "package"
    missing = "" if preset.source == "package" else "not pinned"
    assert source[2] == (f"`{preset.revision[:12]}`" if preset.revision else missing)


def test_a_page_that_is_out_of_date_is_found(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "PAGE", tmp_path / "backbones.md")
    assert script.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0
