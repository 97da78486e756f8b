"""`instructerc data`: ls, download, peek, stats, validate."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from instructerc.cli import app
from instructerc.cli.data.options import complete_source
from instructerc.corpora.catalog import SOURCES

TABLE = "Dialog,Nr,Who,Said,Mood\na,1,Ann,Hi,Joy\na,2,Bo,\x1b[2JYes,\nb,1,Ann,No,Sad\nc,1,Ann,No,Sad\n"
COLUMNS = ["conversation=Dialog", "turn=Nr", "speaker=Who", "text=Said", "emotion=Mood"]
OPTIONS = [part for column in COLUMNS for part in ("--column", column)]


def call(*arguments: object, **options: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, arguments)], **options)  # type: ignore[arg-type]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_ls_names_every_corpus_its_size_and_its_licence() -> None:
    rows = json.loads(call("ls", "--json").stdout)
    assert [row["name"] for row in rows] == list(SOURCES)
    meld = next(row for row in rows if row["name"] == "meld")
    assert meld["splits"]["test"] == {"conversations": 280, "utterances": 2610}
    lines = call("ls").stdout.splitlines()
    assert len(lines) == len(SOURCES) + 1
    assert all(source.licence in line for source, line in zip(SOURCES.values(), lines[1:], strict=True))


def test_download_of_the_bundled_corpus_has_nothing_to_do() -> None:
    done = call("download", "sample")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing to download" in done.stderr
    assert call("download", "sample", "--json").stdout == "[]\n"


def test_download_of_a_gated_corpus_says_where_to_ask() -> None:
    done = call("download", "iemocap")
    assert done.exit_code == 1
    assert "https://sail.usc.edu/iemocap/" in done.stderr


def test_download_shows_progress_on_stderr_and_files_on_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(name: str, folder: Path, *, progress: object) -> tuple[Path, ...]:
        assert callable(progress)
        progress("a.csv", 5, 10)
        progress("a.csv", 10, None)
        return (folder / "a.csv",)

    monkeypatch.setattr("instructerc.corpora.download.download_corpus", fake)
    assert call("download", "meld", "--folder", "x").stdout == f"{Path('x') / 'a.csv'}\n"
    assert json.loads(call("download", "meld", "--folder", "x", "--json").stdout) == [str(Path("x") / "a.csv")]


def test_peek_shows_every_emotion_as_a_word(table: Path) -> None:
    done = call("peek", table, *OPTIONS, "-n", 1)
    assert done.stdout == "a  2 speakers, 2 turns\n 0  Ann  [Joy]  Hi\n 1  Bo   -      \\x1b[2JYes\n"


def test_peek_has_colours_where_they_are_wanted(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;93m[Joy]" in call("peek", table, *OPTIONS, color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "93m" not in call("peek", table, *OPTIONS, color=True).stdout


def test_peek_takes_a_split_a_range_an_id_and_json(table: Path) -> None:
    first = call("peek", "sample", "--split", "test", "-n", 2, "--json").stdout.splitlines()
    second = call("peek", "sample", "--split", "test", "-n", 1, "--skip", 1, "--json").stdout.splitlines()
    assert first[1:] == second
    name = json.loads(first[0])["id"]
    assert call("peek", "sample", "--split", "test", "--id", name, "--json").stdout.splitlines() == first[:1]
    assert call("peek", "sample", "--id", "nobody").exit_code == 2
    assert "did you mean 'train'" in call("peek", "sample", "--split", "trian").stderr


def test_peek_reads_what_carries_no_emotion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.txt").write_text("Ann: Hi\n", encoding="utf-8")
    assert "0  Ann  -  Hi" in call("peek", tmp_path / "talk.txt").stdout
    assert "0  Ann  -  Hi" in call("peek", "-", input="Ann: Hi\n").stdout


def test_peek_of_a_folder_with_splits_shows_one_split(tmp_path: Path, table: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text(TABLE.replace("a,", f"{split}a,"), encoding="utf-8")
    assert "testa" in call("peek", tmp_path, *OPTIONS, "--split", "test").stdout
    assert "testa" not in call("peek", tmp_path, *OPTIONS).stdout


def test_a_split_may_be_named_as_in_files() -> None:
    valid = call("peek", "sample", "--split", "validation", "--json").stdout
    assert call("peek", "sample", "--split", "dev", "--json").stdout == valid
    done = call("peek", "sample", "--split", "trian")
    assert done.exit_code == 2
    assert "unknown split 'trian': did you mean 'train'?" in done.stderr


def test_stats_prints_a_table_json_and_a_picture(table: Path, tmp_path: Path) -> None:
    lines = call("stats", table, *OPTIONS).stdout.splitlines()
    assert lines[0].split() == ["train", "validation", "test"]
    assert {line.split()[0] for line in lines} >= {"conversations", "Sad", "Joy"}
    done = call("stats", table, *OPTIONS, "--json", "--png", tmp_path / "a.png")
    assert set(json.loads(done.stdout)["splits"]) == {"train", "validation", "test"}
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_validate_lists_every_problem_and_exits_with_1(table: Path) -> None:
    done = call("validate", table, *OPTIONS, "--labels", "calm,tense")
    assert done.exit_code == 1
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [f"{table}:{line}" for line in (2, 4, 5)]
    assert done.stderr == f"{table}: 3 problems\n"
    rows = json.loads(call("validate", table, *OPTIONS, "--labels", "calm,tense", "--json").stdout)
    assert rows[0] | {"reason": ""} == {"file": str(table), "line": 2, "column": "Mood", "reason": ""}


def test_validate_of_data_in_order_exits_with_0(table: Path) -> None:
    done = call("validate", table, *OPTIONS)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{table}: no problems\n")
    assert call("validate", table, *OPTIONS, "--json").stdout == "[]\n"
    assert call("validate", "sample").exit_code == 0


def test_options_that_do_not_fit_are_usage_errors(table: Path) -> None:
    assert call("stats", table, "--column", "txt=x").exit_code == 2
    assert call("stats", table, "--folder", "x").exit_code == 2
    assert call("stats", "mled").exit_code == 2
    assert call("stats", "sample", "--labels", "ekman").exit_code == 2


def test_sources_complete_to_names_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "melodies").mkdir()
    (tmp_path / "melodies" / "a.csv").touch()
    assert complete_source("mel") == ["meld", "meld-cosmic", "melodies/"]
    assert complete_source("melodies/") == ["melodies/a.csv"]
    assert "sample" in complete_source("")


def test_a_character_that_stdout_cannot_show_is_shown_as_its_code(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from instructerc.cli import main

    table.write_text(TABLE.replace("Hi", "🙂"), encoding="utf-8")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["instructerc", "data", "peek", str(table), *OPTIONS])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code in (0, None)
    assert b"\\U0001f642" in raw.getvalue()
