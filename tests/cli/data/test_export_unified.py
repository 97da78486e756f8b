"""`instructerc data export` of several corpora: the released unified files, mixes and fractions."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from instructerc.cli import app
from instructerc.corpora.unified import RELEASED
from tests.cli.data.test_export import _pickle, prompts

UNIFIED = "<joyful, sad, neutral, mad, excited, fear, disgust, peaceful, powerful>:"
OFFSETS = {"meld-cosmic": 2, "emorynlp-cosmic": 10}
FAMILIES = {"meld-cosmic": "meld", "emorynlp-cosmic": "EmoryNLP"}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", "export", *map(str, arguments)])


def released(source: str, file: str, *, folder: Path, out: Path, rows: list[dict[str, object]]) -> list[str]:
    """The lines of a released single file, whose sum is known, as the released unified script writes them."""
    if not (out / source).exists():
        assert call(source, "--folder", folder, "--out", out / source).exit_code == 0
    content = (out / source / file).read_bytes()
    kind = {"pipeline": "main", "corpus": FAMILIES[source], "window": 12, "content": "emotion", "split": file[:-5]}
    kind["emotion_prediction"] = False  # type: ignore[assignment]
    [known] = [row for row in rows if kind.items() <= row.items()]
    assert hashlib.sha256(content).hexdigest() == known["sha256"]
    table = RELEASED.corpora[FAMILIES[source].lower()]
    lines = []
    for line in content.decode().split("\n")[:-1]:
        row = json.loads(line)
        text = re.sub(r"<[\w, ]+>:$", lambda _: UNIFIED, row["input"])
        text = re.sub(r'(?<= Speaker_)\d+(?=:")', lambda found: str(int(found[0]) + OFFSETS[source]), text)
        lines.append(json.dumps({"input": text, "target": table[row["target"]]}, ensure_ascii=False))
    return lines


@pytest.mark.slow
def test_the_released_unified_files_are_written_byte_for_byte(shared: Path, tmp_path: Path) -> None:
    rows = json.loads((shared / "oracles/prompts/manifest.json").read_text(encoding="utf-8"))
    folder, out = shared / "data/cosmic", tmp_path / "unified"
    done = call(*OFFSETS, "--folder", folder, "--unified", "released", "--leaks", "published", "--out", out)
    assert done.exit_code == 0, done.stderr
    for file in ("train.json", "valid.json", "test.json"):
        expected = [line for name in OFFSETS for line in released(name, file, folder=folder, out=tmp_path, rows=rows)]
        assert (out / file).read_text(encoding="utf-8").split("\n")[:-1] == expected


def test_what_leaks_is_left_out_and_told(shared: Path, tmp_path: Path) -> None:
    done = call(*OFFSETS, "--folder", shared / "data/cosmic", "--unified", "released", "--out", tmp_path, "--json")
    assert done.stderr == (
        "training conversations that share turns with validation or test: "
        "63 of 1,038 of meld-cosmic, 97 of 659 of emorynlp-cosmic: left out\n"
    )
    lines = {row["split"]: row["lines"] for row in json.loads(done.stdout)}
    assert lines["train"] < 9989 + 7551
    assert (lines["validation"], lines["test"]) == (1109 + 954, 2610 + 984)


def test_iemocap_keeps_its_own_numbers_in_a_mixture(tmp_path: Path) -> None:
    _pickle(tmp_path / "iemocap.pkl", ["F", "M"], 5)
    hot = [[int(place == number) for place in range(9)] for number in range(2)]
    _pickle(tmp_path / "meld.pkl", [*hot], 1)
    out = tmp_path / "out"
    done = call("iemocap-cosmic", "meld-cosmic", "--folder", tmp_path, "--unified", "released", "--out", out)
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in (out / "train.json").read_text(encoding="utf-8").splitlines()]
    assert [line["target"] for line in lines] == ["fear", "fear", "powerful", "powerful"]
    assert [re.findall(r"Speaker_\d+", line["input"]) for line in lines] == [
        ["Speaker_1", "Speaker_1"],
        ["Speaker_1", "Speaker_0", "Speaker_0"],
        ["Speaker_2", "Speaker_2"],
        ["Speaker_2", "Speaker_3", "Speaker_3"],
    ]
    assert all(line["input"].endswith(f"from {UNIFIED}") for line in lines)


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """Two files of one's own under one name, and a mapping for them."""
    arguments = []
    for name, labels in (("one", ("up", "down")), ("two", ("good", "bad"))):
        (tmp_path / name).mkdir()
        talks = [
            {"id": str(n), "utterances": [{"speaker": "A", "text": f"{name}{n}", "emotion": label} for label in labels]}
            for n in range(4)
        ]
        path = tmp_path / name / "train.jsonl"
        path.write_text("".join(json.dumps(talk) + "\n" for talk in talks), encoding="utf-8")
        arguments.append(f"{name}={path}")
    mapping = "corpora:\n  one: {up: glad, down: sad}\n  two: {good: glad, bad: sad}\n"
    (tmp_path / "mine.yaml").write_text(mapping, encoding="utf-8")
    return [*arguments, "--out", str(tmp_path / "out"), "--wording", "compact"]


def test_files_of_ones_own_are_mixed_under_ones_own_labels(own: list[str], tmp_path: Path) -> None:
    done = call(*own, "--unified", tmp_path / "mine.yaml")
    assert done.exit_code == 0, done.stderr
    first, *_, last = prompts(tmp_path / "out" / "train.json")
    assert first == "Emotions: glad, sad.\nA: one0\nA feels:"
    assert last == "Emotions: glad, sad.\nB: two3\nB: two3\nB feels:"


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--fraction", "1/2"], 8),
        (["--fraction", "0.25", "--mix", "total"], 4),
        (["--fraction", "1/4", "--sample", "conversations"], 4),
    ],
)
def test_a_fraction_of_a_mixture_is_written(options: list[str], count: int, own: list[str], tmp_path: Path) -> None:
    assert call(*own, "--unified", tmp_path / "mine.yaml", *options).exit_code == 0
    assert len(prompts(tmp_path / "out" / "train.json")) == count


def test_a_fraction_of_one_corpus_is_written(tmp_path: Path) -> None:
    parts = []
    for seed, share in (("1", "1/8"), ("1", "1/4"), ("2", "1/4")):
        out = tmp_path / "out"
        assert call("sample", "--fraction", share, "--seed", seed, "--out", out).exit_code == 0
        parts.append(set(prompts(out / "train.json")))
        assert len(prompts(out / "test.json")) == 1099
    assert parts[0] < parts[1] != parts[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "--mix", "total"], "--mix goes with several corpora, or with --unified: leave it out"),
        (["sample", "--leaks", "published"], "--leaks goes with several corpora, or with --unified: leave it out"),
        (["sample", "--mix", "totl", "--unified", "feeling-wheel"], "unknown mix 'totl': did you mean 'total'?"),
        (["sample", "--leaks", "guard"], "unknown leak protocol 'guard': did you mean 'guarded'?"),
        (["sample", "--unified", "relased"], "unknown mapping of labels 'relased': did you mean 'released'?"),
        (["sample", "--unified", "released"], "mapping 'released': sample: no table for its labels neutral, joy,"),
        (["sample", "--fraction", "2"], "fraction '2': give a share above 0, up to 1, as 1/4 or 0.25"),
        (["sample", "--sample", "turn"], "unknown unit of sampling 'turn': did you mean 'turns'?"),
        (["sample", "--labels", "ekman"], "--labels goes with files of your own only: leave it out, or give a path"),
        (["sample", "sample"], "two corpora are called sample: give each a name of its own (NAME=PATH)"),
        (["./nowhere", "--folder", "x"], "--folder x says where named corpora are, and none is given"),
    ],
)
def test_options_that_do_not_fit_write_nothing(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = call(*arguments, "--out", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_corpora_of_different_labels_need_a_mapping(own: list[str], tmp_path: Path) -> None:
    done = call(*own)
    assert done.exit_code == 2
    assert "have different labels: name a mapping of labels, such as released or feeling-wheel" in done.stderr
    assert not (tmp_path / "out").exists()
