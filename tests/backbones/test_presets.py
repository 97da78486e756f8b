"""The table of named backbones."""

from __future__ import annotations

import pytest

from instructerc.backbones.presets import PRESETS, Preset


def test_a_row_is_found_by_its_own_name() -> None:
    assert all(name == preset.name for name, preset in PRESETS.items())


def test_the_papers_backbones_are_there() -> None:
    assert {"llama-7b", "llama2-7b", "bloom-560m"} <= set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_row_says_what_loading_needs(preset: Preset) -> None:
    assert preset.source == "package" or preset.source.count("/") == 1
    assert preset.targets
    assert preset.context >= 512
    assert preset.note
    assert "/" not in preset.name, "a name with a slash could not be told from a hub id"


def test_only_the_embedded_backbone_comes_with_a_package() -> None:
    assert [name for name, preset in PRESETS.items() if preset.source == "package"] == ["embedded"]
