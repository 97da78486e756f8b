"""What docs/data.md says of mixing is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.corpora.mapping_files import read_mapping
from instructerc.corpora.unified import FEELING_WHEEL, RELEASED

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


@pytest.fixture(scope="module")
def section() -> str:
    if not PAGE.is_file():
        pytest.skip("the docs are not part of this installation")
    text = PAGE.read_text(encoding="utf-8")
    return text.partition("## Several corpora")[2].partition("\n## ")[0]


def test_the_table_of_labels_is_that_of_the_mappings(section: str) -> None:
    header, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")
    ]
    tables: dict[str, dict[str, str]] = {corpus: {} for corpus in header[1:]}
    for unified, *labels in rows:
        for corpus, label in zip(header[1:], labels, strict=True):
            if label:
                tables[corpus][label] = unified
    assert tables == FEELING_WHEEL.corpora
    assert {corpus: tables[corpus] for corpus in header[1:4]} == RELEASED.corpora
    assert tuple(row[0] for row in rows) == FEELING_WHEEL.labels


def test_the_mapping_file_is_one(section: str, tmp_path: Path) -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL)
    path = tmp_path / "my_labels.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_mapping(path).labels == ("positive", "negative", "none")


def test_the_counts_of_leaks_are_those_of_the_command(section: str, shared: Path) -> None:
    blocks = re.findall(r"```text\n(.*?)```", section, flags=re.DOTALL)
    for names, block in zip((("meld", "emorynlp"), ("dailydialog",)), blocks, strict=True):
        sources = [f"{name}={shared / 'data' / name}" for name in names]
        assert CliRunner().invoke(app, ["data", "leaks", *sources, "--examples", "0"]).stdout == block
