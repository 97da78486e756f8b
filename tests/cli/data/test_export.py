"""`instructerc data export`: prompt files from the command line."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from instructerc.cli import app

TABLE = "conversation,speaker,text,emotion\na,Ann,It broke.,anger\na,Bo,Great.,\na,Ann,It works!,joy\n"
LAST = "Emotions: joy, anger.\nA: It broke.\nB: Great.\nA: It works!\nA feels:"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", "export", *map(str, arguments)])


def prompts(path: Path) -> list[str]:
    return [json.loads(line)["input"] for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "train.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.fixture
def own(table: Path, tmp_path: Path) -> list[object]:
    """Arguments that export it."""
    columns = ("turn=", "conversation=conversation", "speaker=speaker", "text=text", "emotion=emotion")
    options = [part for column in columns for part in ("--column", column)]
    return [table, *options, "--labels", "joy,anger", "--out", tmp_path / "out"]


def exported(folder: Path) -> list[str]:
    """The prompts of all three files."""
    return [prompt for name in ("train", "valid", "test") for prompt in prompts(folder / f"{name}.json")]


@pytest.mark.parametrize("content", ["recognition", "speaker_identification", "mixed", "prediction"])
def test_released_files_are_written_byte_for_byte(content: str, shared: Path, tmp_path: Path) -> None:
    known = json.loads((shared / "oracles/prompts/manifest.json").read_text(encoding="utf-8"))
    kinds = {"speaker": "speaker_identification", "speaker+emotion": "mixed"}
    sums = {
        row["split"]: (row["lines"], row["sha256"])
        for row in known
        if row["corpus"] == "meld"
        and row["window"] == 12
        and kinds.get(row["content"], "prediction" if row["emotion_prediction"] else "recognition") == content
    }
    folder = shared / "data/cosmic"
    done = call("meld-cosmic", "--folder", folder, "--out", tmp_path, "--content", content, "--json")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {Path(row["path"]).stem: (row["lines"], row["sha256"]) for row in rows} == sums
    for row in rows:
        assert hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() == row["sha256"]


def test_path_lines_and_sum_of_each_file_are_printed(tmp_path: Path) -> None:
    done = call("sample", "--out", tmp_path / "new", "--wording", "compact")
    assert done.exit_code == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [str(tmp_path / "new" / f"{name}.json") for name in ("train", "valid", "test")]
    for path, lines, digest in rows:
        content = Path(path).read_bytes()
        assert (int(lines), digest) == (content.count(b"\n"), hashlib.sha256(content).hexdigest())


def test_every_option_of_the_prompt_is_heard(own: list[object], tmp_path: Path) -> None:
    def last(*options: object) -> str:
        done = call(*own, "--wording", "compact", *options)
        assert done.exit_code == 0, done.stderr
        return exported(tmp_path / "out")[-1]

    assert last() == last("--window", "all") == LAST
    assert last("--window", 0) == LAST.replace("A: It broke.\nB: Great.\n", "")
    assert last("--window", 1, "--stride", 2) == LAST
    assert last("--window", 1) == LAST.replace("A: It broke.\n", "")
    assert last("--speakers", "name") == LAST.replace("A", "Ann").replace("B:", "Bo:")
    assert call(*own, "--wording", "compact", "--context", "both").exit_code == 0
    assert exported(tmp_path / "out")[0] == LAST


def test_a_turn_without_an_emotion_is_shown_and_not_asked_about(own: list[object], tmp_path: Path) -> None:
    assert call(*own, "--wording", "plain").exit_code == 0
    asked = [prompt.split(">")[0].split("<")[1] for prompt in exported(tmp_path / "out")]
    assert asked == ["It broke.", "It works!"]


def _pickle(path: Path, speakers: list[object], label: int) -> None:
    texts = ["It\x92s me.", "Who?"]
    tables = [{"x": speakers}, {"x": [label, label]}, {"x": texts}]
    if path.name == "meld.pkl":
        tables.insert(2, {"x": [0, 0]})
    path.write_bytes(pickle.dumps([*tables, ["x"], [], []]))


@pytest.fixture
def meld(tmp_path: Path) -> list[object]:
    """Arguments that export a pickle of one conversation in MELD's format."""
    hot = [[int(place == number) for place in range(9)] for number in range(2)]
    _pickle(tmp_path / "meld.pkl", [*hot], 4)
    return ["meld-cosmic", "--folder", tmp_path, "--out", tmp_path / "out"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--wording", "released"], "It\x92s me."),
        (["--wording", "plain"], "It\x92s me."),
        (["--wording", "compact"], "It’s me."),
        (["--wording", "paper"], "It’s me."),
        (["--wording", "released", "--repair"], "It’s me."),
        (["--wording", "compact", "--no-repair"], "It\x92s me."),
    ],
)
def test_damaged_characters_stay_where_the_published_files_hold_them(
    options: list[str], text: str, meld: list[object], tmp_path: Path
) -> None:
    done = call(*meld, *options)
    assert done.exit_code == 0, done.stderr
    assert text in prompts(tmp_path / "out" / "train.json")[0]


def test_iemocap_numbers_its_speakers_by_sex(tmp_path: Path) -> None:
    _pickle(tmp_path / "iemocap.pkl", ["F", "M"], 1)
    [file] = tmp_path.iterdir()
    out = tmp_path / "out"
    done = call("iemocap-cosmic", "--folder", file, "--out", out, "--content", "mixed")
    assert done.exit_code == 0, done.stderr
    main, who, *_ = prompts(out / "train.json")
    assert 'select the emotional label of < Speaker_1:"It' in main
    assert who.endswith("from <Speaker_0, Speaker_1>:")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--wording", "relased"], "unknown wording 'relased': did you mean 'released'? Known: "),
        (["--content", "speakers"], "content 'speakers' is unknown: choose one of recognition, "),
        (["--wording", "plain", "--content", "mixed"], "wording 'plain' has no words for task "),
        (["--window", "-1"], "--window -1: give the number of turns before the target, 0 or more, or all"),
        (["--window", "many"], "--window many: give the number of turns"),
        (["--stride", "0"], "window.stride is 0: give a number of turns, 1 or more"),
        (["--context", "future"], "window.context is 'future': choose one of past, both"),
        (["--speakers", "name"], "wording 'released' numbers its speakers: "),
    ],
)
def test_options_that_do_not_fit_write_nothing(options: list[str], message: str, tmp_path: Path) -> None:
    done = call("sample", "--out", tmp_path / "out", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_corpus_that_is_unknown_or_at_fault_writes_nothing(table: Path, tmp_path: Path) -> None:
    assert "did you mean 'meld'" in call("mled", "--out", tmp_path / "out").stderr
    table.write_text("speaker,text\n", encoding="utf-8")
    assert call(table, "--out", tmp_path / "out").exit_code == 1
    assert not (tmp_path / "out").exists()


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call("sample", "--out", tmp_path / "file")
    assert done.exit_code == 1
    assert str(tmp_path / "file") in done.stderr
