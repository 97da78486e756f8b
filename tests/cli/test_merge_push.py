"""`instructerc merge` and `instructerc push`, from the command line to the folder and the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from instructerc.cli import app
from instructerc.recognition.artefact import FILE
from instructerc.testing import tiny_llama
from tests.hub import connected
from tests.recognition.trained import trained


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, to be read only."""
    place = tmp_path_factory.mktemp("model")
    trained(tiny_llama(place / "base"), place / "run" / "model")
    return place / "run"


def test_merge_prints_how_many_labels_changed(model: Path, tmp_path: Path) -> None:
    code, out, err = run("merge", str(model), "--out", str(tmp_path / "merged"), "--sample", "5")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == f"{tmp_path / 'merged'}  float32, 0 MiB"
    assert lines[1].startswith("0 of 5 labels changed on sample (0.00 %), probabilities by ")
    assert err.splitlines()[-1] == "labelling the sample with the merged model"


def test_merge_compares_on_a_file_of_ones_own_and_prints_json(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("conversation,speaker,text\n1,Ada,Any news?\n1,Bob,We won!\n", encoding="utf-8")
    code, out, err = run(
        "merge", str(model), "--out", str(tmp_path / "merged"), "--corpus", str(file), "--column", "turn=", "--json"
    )
    assert code == 0, err
    record = json.loads(out)
    assert (record["dtype"], record["difference"]["turns"], record["warning"]) == ("float32", 2, None)


def test_merge_compares_nothing_on_request(model: Path, tmp_path: Path) -> None:
    code, out, _ = run("merge", str(model), "--out", str(tmp_path / "m"), "--sample", "0", "--dtype", "bfloat16")
    assert code == 0
    assert out == f"{tmp_path / 'm'}  bfloat16, 0 MiB\n"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--dtype", "int4"], 2, "--dtype 'int4': choose one of auto, float32, bfloat16, float16"),
        (["--corpus", "smaple"], 2, "unknown corpus 'smaple': did you mean 'sample'?"),
        (["--corpus", "none.csv"], 1, "none.csv: no such file or folder"),
    ],
)
def test_what_cannot_be_merged_is_one_line(
    model: Path, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    found, out, err = run("merge", str(model), "--out", str(tmp_path / "merged"), *options)
    assert (found, out) == (code, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_merge_of_a_folder_without_a_model_says_what_to_give(tmp_path: Path) -> None:
    code, _, err = run("merge", str(tmp_path / "none"), "--out", str(tmp_path / "merged"))
    assert code == 1
    assert f"holds no {FILE}: give the folder of a finished run" in err


def test_a_merged_model_is_pushed(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merged = tmp_path / "merged"
    assert run("merge", str(model), "--out", str(merged), "--sample", "0")[0] == 0
    with connected(monkeypatch, tmp_path / "cache") as hub:
        code, out, err = run("push", str(merged), "ada/feelings", "--private")
        assert code == 0, err
        assert out.splitlines()[-1].startswith(f"{hub.address}/ada/feelings/commit/")
        there = hub.repositories["ada/feelings"]
        assert there.private
        assert there.files("main") == {path.name: path.read_bytes() for path in merged.iterdir()}


def test_a_dry_run_lists_and_sends_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merged = tmp_path / "merged"
    run("merge", str(model), "--out", str(merged), "--sample", "0")
    (merged / "notes.txt").write_text("mine", encoding="utf-8")
    with connected(monkeypatch, tmp_path / "cache") as hub:
        code, out, err = run("push", str(merged), "ada/feelings", "--dry-run")
        assert (code, err) == (0, "left out: notes.txt\n")
        assert f"{(merged / FILE).stat().st_size:>14,}  {FILE}" in out.splitlines()
        assert "bytes in 7 files" in out.splitlines()[-1]
        record = json.loads(run("push", str(merged), "ada/feelings", "--dry-run", "--json")[1])
        assert record["url"] is None
        assert record["bytes"] == sum(file["bytes"] for file in record["files"])
        assert hub.asked == []


@pytest.mark.parametrize(
    ("repository", "code", "message"),
    [
        ("feelings", 2, "'feelings' is no repository of a hub: write OWNER/TITLE"),
        ("ada/feelings", 2, "is a folder of this machine, which nobody else has: `instructerc merge`"),
    ],
)
def test_what_cannot_be_pushed_is_one_line(model: Path, repository: str, code: int, message: str) -> None:
    found, out, err = run("push", str(model), repository)
    assert (found, out) == (code, "")
    assert message in err.splitlines()[-1]


def test_offline_switches_hold_for_push(model: Path, tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    run("merge", str(model), "--out", str(merged), "--sample", "0")
    code, _, err = run("push", str(merged), "ada/feelings")
    assert code == 1
    assert err == "error: ada/feelings: HF_HUB_OFFLINE forbids the network: unset it to upload\n"
