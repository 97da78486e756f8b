"""`instructerc data leaks`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from instructerc.cli import app
from tests.corpora.mixed import FIRST, SECOND


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", "leaks", *map(str, arguments)])


@pytest.fixture
def own(tmp_path: Path) -> list[Path]:
    """Two folders of one's own that share a turn."""
    for corpus in (FIRST, SECOND):
        for split, part in corpus.splits():
            path = tmp_path / corpus.name / f"{split}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(json.dumps(item.to_json()) + "\n" for item in part), encoding="utf-8")
    return [tmp_path / "first", tmp_path / "second"]


def test_every_pair_is_counted_and_examples_are_shown(own: list[Path]) -> None:
    done = call(*own)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + 8 + 1 + 1
    assert lines[3].split("  ")[0] == "first"
    assert [cell.strip() for cell in lines[3].split("  ") if cell] == [
        *("first", "second validation", "1 of 1", "1 of 1", "0", "0")
    ]
    assert lines[-2] == "second validation 3, turn 0 = first train 1: oh, you CANT park your car here"
    assert lines[-1] == "mixing leaves out training conversations: 1 of 2 of first, 0 of 1 of second"
    assert len(call(*own, "--examples", 0).stdout.splitlines()) == 10


def test_json_holds_every_figure(own: list[Path]) -> None:
    record = json.loads(call(*own, "--json").stdout)
    assert record["leaking"] == {"first": 1, "second": 0}
    assert record["training"] == {"first": {"1": 1}, "second": {}}
    assert [item["shared"] for item in record["overlaps"]] == [0, 0, 1, 0, 0, 0, 0, 0]


def test_what_counts_as_the_same_can_be_chosen(own: list[Path]) -> None:
    last = call(*own, "--match", "exact").stdout.splitlines()[-1]
    assert last == "training conversations that share turns: 0 of 2 of first, 0 of 1 of second"
    assert json.loads(call(*own, "--json", "--match", "exact").stdout)["leaking"]["first"] == 0
    assert json.loads(call(*own, "--json", "--minimum-words", 8).stdout)["leaking"]["first"] == 0
    assert json.loads(call(*own, "--json", "--minimum-words", 1).stdout)["leaking"]["first"] == 1


def test_control_characters_of_a_text_are_shown_and_not_sent(tmp_path: Path) -> None:
    talk = {"id": "a", "utterances": [{"speaker": "A", "text": "one two three four\x1b[2J five", "emotion": "joy"}]}
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps({**talk, "id": split}) + "\n", encoding="utf-8")
    out = call(tmp_path).stdout
    assert "\\x1b[2J" in out
    assert "\x1b" not in out


def test_the_figures_of_the_method_come_out(shared: Path) -> None:
    folder = shared / "data"
    done = call(f"meld={folder / 'meld'}", f"emorynlp={folder / 'emorynlp'}", "--match", "exact")
    rows = {tuple(line.split()[:3]): line for line in done.stdout.splitlines()}
    meld, emorynlp = rows["emorynlp", "meld", "test"], rows["meld", "emorynlp", "test"]
    assert "220 of 1,690" in meld
    assert meld.split()[-2] == "52"
    assert "86 of 564" in emorynlp
    assert emorynlp.split()[-2] == "16"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["sampl"], 2, "unknown corpus 'sampl': did you mean 'sample'?"),
        (["sample", "sample"], 2, "two corpora are called sample: give each a name of its own (NAME=PATH)"),
        (["sample", "--match", "exct"], 2, "unknown way to compare turns 'exct': did you mean 'exact'?"),
        (["sample", "--labels", "ekman"], 2, "--labels goes with files of your own only"),
        (["meld"], 1, "meld: "),
    ],
)
def test_a_fault_is_one_line(arguments: list[str], code: int, message: str) -> None:
    done = call(*arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
