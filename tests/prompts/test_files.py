"""Prompt files: the released ones byte for byte, and reading any of that form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Corpus, Split, Utterance
from instructerc.corpora import load_corpus
from instructerc.errors import InvalidRowsError, UnreadableFileError, UsageError
from instructerc.prompts import WORDINGS, PromptSpec, Window
from instructerc.prompts.files import Content, export_prompts, prompt_lines, read_prompts
from tests.prompts.strategies import conversations

CORPORA = {"meld": "meld-cosmic", "EmoryNLP": "emorynlp-cosmic"}
FILES: dict[tuple[str, bool], Content] = {
    ("emotion", False): "recognition",
    ("emotion", True): "prediction",
    ("speaker", False): "speaker_identification",
    ("speaker+emotion", False): "mixed",
}
SPLITS: dict[str, Split] = {"train": "train", "valid": "validation", "test": "test"}

CHAT = Conversation("c", (Utterance("A", "Hi.", "joy"), Utterance("B", "Hm?"), Utterance("A", "No!", "anger")))
CORPUS = Corpus("tiny", ("joy", "anger"), (CHAT,), (CHAT,), (CHAT,))
SPEC = PromptSpec(labels=CORPUS.labels)


@pytest.fixture(scope="module")
def corpora(shared: Path) -> Mapping[str, Corpus]:
    folder = shared / "data" / "cosmic"
    return {known: load_corpus(name, folder=folder, repair=False) for known, name in CORPORA.items()}


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[dict[str, Any]]:
    """What is known of the files that the released scripts write."""
    rows: list[dict[str, Any]] = json.loads((shared / "oracles/prompts/manifest.json").read_text(encoding="utf-8"))
    return rows


def spec_of(row: Mapping[str, Any], corpus: Corpus) -> PromptSpec:
    wording = "plain" if row["pipeline"] == "plain" else "released"
    return PromptSpec(labels=corpus.labels, wording=wording, window=Window(size=row["window"] or 12))


def test_the_reference_holds_54_files(rows: list[dict[str, Any]]) -> None:
    assert len(rows) == 54


@pytest.mark.parametrize("number", range(54))
def test_a_released_file_is_reproduced_byte_for_byte(
    number: int, corpora: Mapping[str, Corpus], rows: list[dict[str, Any]]
) -> None:
    row = rows[number]
    corpus, split = corpora[row["corpus"]], SPLITS[row["split"]]
    content = FILES[row["content"], bool(row["emotion_prediction"])]
    digest, count = hashlib.sha256(), 0
    lines = prompt_lines(corpus.split(split), spec_of(row, corpus), content=content, split=split)
    for count, line in enumerate(lines, start=1):  # noqa: B007 — counted here, used below
        digest.update(f"{line}\n".encode())
    assert (count, digest.hexdigest()) == (row["lines"], row["sha256"])


def test_an_export_writes_what_the_lines_say(
    corpora: Mapping[str, Corpus], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    corpus = corpora["EmoryNLP"]
    paths = export_prompts(corpus, PromptSpec(labels=corpus.labels, wording="plain"), tmp_path / "new" / "folder")
    sums = {name: hashlib.sha256(paths[split].read_bytes()).hexdigest() for name, split in SPLITS.items()}
    plain = {row["split"]: row["sha256"] for row in rows if (row["pipeline"], row["corpus"]) == ("plain", "EmoryNLP")}
    assert sums == plain
    assert [path.name for path in paths.values()] == ["train.json", "valid.json", "test.json"]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "test.json",
        "train.json",
        "valid.json",
    ]


def targets(content: Content, split: Split) -> list[str]:
    return [json.loads(line)["target"] for line in prompt_lines([CHAT], SPEC, content=content, split=split)]


def test_a_turn_without_a_label_is_not_asked_about() -> None:
    assert targets("recognition", "train") == ["joy", "anger"]


def test_auxiliary_prompts_stand_in_the_splits_of_the_released_files() -> None:
    mixed = ["joy", "Speaker_0", "Speaker_1", "anger", "Speaker_0"]
    assert targets("mixed", "train") == targets("mixed", "validation") == mixed
    assert targets("mixed", "test") == ["joy", "anger"]
    assert targets("speaker_identification", "test") == ["Speaker_0", "Speaker_1", "Speaker_0"]
    assert targets("prediction", "train") == targets("prediction", "test") == ["joy", "anger"]
    starred = [
        [
            json.loads(line)["input"].count("***")
            for line in prompt_lines([CHAT], SPEC, content="prediction", split=part)
        ]
        for part in SPLITS.values()
    ]
    assert starred == [[1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("content", "wording", "message"),
    [
        (
            "speakers",
            "released",
            "content 'speakers' is unknown: choose one of recognition, speaker_identification, mixed, prediction",
        ),
        ("mixed", "plain", "wording 'plain' has no words for task 'speaker_identification'; it has: recognition"),
        ("prediction", "plain", "wording 'plain' has no words for task 'prediction'; it has: recognition"),
    ],
)
def test_content_that_cannot_be_written_is_refused_before_a_file_is_made(
    content: Any, wording: str, message: str, tmp_path: Path
) -> None:
    for corpus in (CORPUS, Corpus("empty", ("joy",)), Corpus("silent", ("joy",), (Conversation("c", ()),))):
        with pytest.raises(UsageError) as caught:
            export_prompts(corpus, PromptSpec(labels=("joy",), wording=wording), tmp_path / "out", content=content)
        assert str(caught.value) == message
    assert not (tmp_path / "out").exists()


def test_a_corpus_without_conversations_gives_empty_files(tmp_path: Path) -> None:
    silent = Corpus("silent", ("joy",), (Conversation("c", ()),))
    assert [path.read_bytes() for path in export_prompts(silent, SPEC, tmp_path).values()] == [b"", b"", b""]


def test_half_a_surrogate_pair_is_written_as_json_writes_it(tmp_path: Path) -> None:
    broken = Conversation("c", (Utterance("A", "x\ud83d", "joy"),))
    path = export_prompts(Corpus("b", ("joy",), (broken,)), SPEC, tmp_path)["train"]
    assert rb"x\ud83d" in path.read_bytes()
    assert "x\ud83d" in read_prompts(path)[0].prompt


@given(conversation=conversations, wording=st.sampled_from(sorted(WORDINGS)))
def test_what_is_written_is_read_back(
    conversation: Conversation, wording: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spec = PromptSpec(labels=("joy", "anger"), wording=wording)
    labelled = list(spec.labelled_examples(conversation))
    path = tmp_path_factory.mktemp("prompts") / "train.json"
    lines = prompt_lines([conversation], spec, content="recognition", split="train")
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    if not labelled:
        with pytest.raises(UnreadableFileError, match="is empty"):
            read_prompts(path)
        return
    read = read_prompts(path, candidates=spec.labels)
    assert [(item.prompt, item.target) for item in read] == [(item.prompt, item.target) for item in labelled]
    assert {len(item.segments) for item in read} == {1}


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "own.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_answers_are_the_targets_in_the_order_of_their_first_line(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f'{{"input": "x***y###z\\t", "target": "{label}"}}\n' for label in "bab"))
    read = read_prompts(path)
    assert [(item.conversation, item.turn, item.target) for item in read] == [
        ("own.json", 0, "b"),
        ("own.json", 1, "a"),
        ("own.json", 2, "b"),
    ]
    assert {item.candidates for item in read} == {("b", "a")}
    assert {segment.kind for item in read for segment in item.segments} == {"opaque"}
    assert read[0].prompt == "x***y###z\t"
    assert read_prompts(path, candidates=("a", "b", "c"))[0].candidates == ("a", "b", "c")


def test_other_line_ends_blank_lines_a_mark_and_other_keys_are_no_fault(tmp_path: Path) -> None:
    path = write(
        tmp_path, '\ufeff{"input": "x\u2028\u0085", "target": "a", "id": 7}\r\n\r\n{"target": "b", "input": "y"}'
    )
    assert [(item.prompt, item.target) for item in read_prompts(path)] == [("x\u2028\u0085", "a"), ("y", "b")]


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_a_file_without_a_row_is_named(content: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with pytest.raises(UnreadableFileError) as caught:
        read_prompts(path)
    assert str(caught.value) == f"{path}: is empty: give at least one line {{'input': …, 'target': …}}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"nowhere\.json: no such file: give a file of lines"):
        read_prompts(tmp_path / "nowhere.json")
    with pytest.raises(UnreadableFileError, match="is a folder: give a file of lines"):
        read_prompts(tmp_path)
    with pytest.raises(UnreadableFileError, match=r"is not UTF-8 text .*0xe9 in position 11.*: convert it"):
        read_prompts(write(tmp_path, '{"input": "é"}'.encode("latin-1")))


FAULTS = {
    '{"input": "x", "tar': "is no JSON object (",
    "[1, 2]": "is list, not an object: write {'input': …, 'target': …}",
    '"x"': "is str, not an object",
    "[" * 100_000: "is no JSON object (",
    '{"target": "a"}': "lacks 'input': write {'input': …, 'target': …}",
    '{"input": "x"}': "lacks 'target'",
    '{"input": null, "target": "a"}': "'input' is None: write a text",
    '{"input": "x", "target": 3}': "'target' is 3: write a text",
    '{"input": "x", "target": ["a"]}': "'target' is ['a']: write a text",
    '{"input": "  ", "target": "a"}': "'input' is blank: write a text",
    '{"input": "x", "target": ""}': "'target' is blank: write a text",
    '{"input": "x", "target": "z"}': "'target' is 'z': write one of a, b",
    f'{{"input": {list(range(500))}, "target": "a"}}': "'input' is [0, 1, 2, 3, 4, 5, ...]: write a text",
}


def test_every_faulty_line_is_named_at_once(tmp_path: Path) -> None:
    lines = ['{"input": "x", "target": "a"}', *FAULTS]
    path = write(tmp_path, "\n".join(lines))
    with pytest.raises(InvalidRowsError) as caught:
        read_prompts(path, candidates=("a", "b"))
    problems = caught.value.problems
    assert [(problem.file, problem.line) for problem in problems] == [(path, 2 + row) for row in range(len(FAULTS))]
    for problem, reason in zip(problems, FAULTS.values(), strict=True):
        assert reason in problem.reason
        assert "\n" not in problem.reason
        assert len(problem.reason) < 200


def test_a_line_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"input": "a", "target": "b"}\n' * 3, encoding="utf-8")
    calls, real = [], json.loads
    monkeypatch.setattr(json, "loads", lambda text: (calls.append(text), real(text))[1])
    assert len(read_prompts(path)) == 3
    assert len(calls) == 3
