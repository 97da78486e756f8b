"""Corpora that are not English: they train end to end, or the run says what the backbone does not know."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from instructerc.assets.embedded import PACKAGE
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import PromptError
from instructerc.experiments.dry_run import dry_run
from instructerc.experiments.resolve import resolve
from instructerc.experiments.run import run_recipe
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.predictions import read_predictions
from instructerc.recognition.recognizer import EmotionRecognizer
from tests.experiments.recipes import Log, values
from tests.tiny_models import load

CHINESE = ("高兴", "愤怒", "中性")
NEWS = (
    ("我们赢了比赛！", "高兴"),
    ("我通过了考试！", "高兴"),
    ("他们弄坏了我的自行车！", "愤怒"),
    ("他又骗了我！", "愤怒"),
)
COLUMNS = {
    "conversation": "对话",
    "turn": "轮次",
    "speaker": "说话人",
    "text": "内容",
    "emotion": "情绪",
    "split": "划分",
}


def write_table(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([list(COLUMNS.values()), *rows])
    return path


def chinese_rows() -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for split, closings in (("train", ("再见。", "中午见。")), ("validation", ("我得走了。",)), ("test", ("再见。",))):
        for number, (closing, (news, emotion)) in enumerate((one, two) for one in closings for two in NEWS):
            said = (("安娜", "有什么新闻？", "中性"), ("李雷", news, emotion), ("安娜", closing, "中性"))
            rows += [
                (f"{split}-{number}", str(turn), speaker, text, label, split)
                for turn, (speaker, text, label) in enumerate(said)
            ]
    return rows


def table_recipe(tmp_path: Path, table: Path, backbone: Path | str, labels: Sequence[str], *overrides: str) -> Any:
    given = values(table, Path(backbone))
    given["backbone"]["name"] = str(backbone)
    given["data"] |= {"labels": list(labels), "columns": COLUMNS}
    given["prompt"] = {"speakers": "name"}
    file = tmp_path / "world.yaml"
    file.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
    return resolve(str(file), [f"output.folder={json.dumps(str(tmp_path / 'run'))}", *overrides])


@pytest.mark.slow
def test_a_chinese_table_trains_end_to_end(llama_folder: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "对话.csv", chinese_rows())
    resolved = table_recipe(tmp_path, table, llama_folder, CHINESE, "training.epochs=5", "evaluation.bootstrap=0")
    result = run_recipe(resolved)
    assert result.report.main.labels == CHINESE
    assert result.report.main.support == 12
    rows = read_predictions(result.folder / "predictions.jsonl")
    assert [row.text for row in rows][:2] == ["有什么新闻？", "我们赢了比赛！"]
    assert {row.emotion for row in rows} <= set(CHINESE)
    assert all(set(row.probabilities or {}) == set(CHINESE) for row in rows)
    assert result.weighted_f1 > 0.6, "the same news is told in training"
    for name in ("report.md", "report.html", "report.json"):
        text = (result.folder / name).read_text(encoding="utf-8")
        assert all(label in text for label in CHINESE), name
    assert (result.folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert not [notice for notice in result.report.notices if "unknown" in notice]
    recognizer = EmotionRecognizer.from_pretrained(result.folder, device="cpu")
    turn = recognizer.session().add("李雷", "我们赢了比赛！")
    assert turn.emotion in CHINESE


@pytest.mark.parametrize(
    ("labels", "texts"),
    [
        (("فرح", "غضب", "محايد"), ("لقد فزنا!", "كسروا دراجتي!", "إلى اللقاء.")),
        (("😀", "😡", "😐"), ("We won! 🎉", "They broke my bike 💥", "See you 👋")),
        (("喜び", "怒り", "中立"), ("勝ちました！", "また嘘をついた！", "さようなら。")),
    ],
    ids=["arabic", "emoji", "japanese"],
)
def test_labels_of_any_script_are_told_apart_and_reported(
    llama_folder: Path, tmp_path: Path, labels: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    rows = [
        (f"{split}-{number}", "0", "A", text, label, split)
        for split in ("train", "validation", "test")
        for number, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    table = write_table(tmp_path / "table.csv", rows)
    overrides = ("adapter.method=none", "evaluation.bootstrap=0", "evaluation.baselines=[]")
    given = table_recipe(tmp_path, table, llama_folder, labels, *overrides)
    result = run_recipe(given)
    assert result.report.main.labels == labels
    assert (result.folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert all(label in (result.folder / "report.html").read_text(encoding="utf-8") for label in labels)


ENGLISH = (("Any news?", "neutral"), ("We won the match, I can hardly believe it!", "joy"), ("He lied to me.", "anger"))


def embedded_recipe(tmp_path: Path, said: Sequence[tuple[str, str]], labels: Sequence[str]) -> Any:
    rows = [
        (f"{split}-{number}", str(turn), "A", text, label, split)
        for split in ("train", "validation", "test")
        for number in range(2)
        for turn, (text, label) in enumerate(said)
    ]
    table = write_table(tmp_path / "table.csv", rows)
    overrides = ("adapter.method=none", "evaluation.bootstrap=0", "evaluation.baselines=[]")
    return table_recipe(tmp_path, table, "embedded", labels, *overrides)


@pytest.mark.parametrize("chinese", [True, False])
def test_a_run_says_where_the_embedded_backbone_does_not_know_the_words(
    tmp_path: Path, chinese: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    said = [(text, "joy" if label == "高兴" else "anger") for text, label in NEWS] if chinese else ENGLISH
    resolved = embedded_recipe(tmp_path, said, ("neutral", "joy", "anger"))
    notes = Log()
    with caplog.at_level(logging.WARNING, logger="instructerc"):
        report = run_recipe(resolved, watcher=notes).report
    dry = dry_run(resolved)
    places = (notes.notes, report.notices, dry.notices, dry.to_json()["notices"], dry.to_text().splitlines())
    for place in places:
        found = [text for text in place if "unknown" in text]
        assert len(found) == chinese
        for text in found:
            assert text.endswith(
                "of the tokens of these texts are unknown to the backbone embedded, which reads English: take one that "
                "knows every character, such as backbone.name: qwen3-0.6b."
            )
            assert 30 < int(text.split("%")[0]) < 80
    assert "unknown" not in caplog.text, "the run has said so already"


def test_recognising_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    backbone, spec = load("embedded"), PromptSpec(labels=("neutral", "joy"), window=Window(size=1))
    chinese = Conversation("c", tuple(Utterance("A", text) for text, _ in NEWS * 2))
    english = Conversation("e", tuple(Utterance("A", text) for text, _ in ENGLISH * 3))
    recognizer = EmotionRecognizer(backbone=backbone, prompt=spec)
    with caplog.at_level(logging.WARNING, logger="instructerc"):
        recognizer.recognize(english)
        assert not caplog.records
        recognizer.recognize(chinese)
        recognizer.recognize(chinese)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "unknown to the backbone embedded" in caplog.text
        caplog.clear()
        session = EmotionRecognizer(backbone=backbone, prompt=spec).session()
        session.add("A", "👍")
        assert not caplog.records, "one short turn is no sample"
        for utterance in chinese.utterances:
            session.add(utterance.speaker, utterance.text)
        assert len(caplog.records) == 1


def test_labels_that_are_all_unknown_are_an_error(tmp_path: Path) -> None:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    resolved = embedded_recipe(tmp_path, (("好", "怒"), ("坏", "悲")), ("怒", "悲"))
    with pytest.raises(PromptError, match="labels '怒', '悲' are the same tokens to this backbone"):
        run_recipe(resolved)
