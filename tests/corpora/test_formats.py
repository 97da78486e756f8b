"""Which format a file is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructerc.corpora.formats import detect_format
from instructerc.errors import UnreadableFileError


@pytest.mark.parametrize(
    ("name", "content", "format_name"),
    [
        ("a.CSV", "", "csv"),
        ("a.tab", "", "tsv"),
        ("a.pq", "", "parquet"),
        ("a.text", "", "transcript"),
        ("a.ndjson", '{"id": "a", "utterances": []}', "conversations"),
        ("a.jsonl", '\ufeff\n{"messages": []}', "chat-lines"),
        ("a.jsonl", '[{"role": "user"}]\n[{"role": "user"}]\n', "chat-lines"),
        ("a.jsonl", '[{"role": "user"}]\n', "chat"),
        ("a.jsonl", '{"text": "Hi"}', "rows"),
        ("a.jsonl", '{"id": "a", "utterances": [{"sp', "conversations"),
        ("a.jsonl", '{"messages": [{"ro', "chat-lines"),
        ("a.json", '{\n"messages": []}', "chat"),
        ("a.json", '{"messages": []}', "chat"),
        ("a.json", '{"messages": []}\n{"messages": []}\n', "chat-lines"),
        ("a.json", '{"id": "a", "utterances": []}\n{"id": "b", "utterances": []}\n', "conversations"),
        ("a", "PAR1…", "parquet"),
        ("a", "WEBVTT\n", "vtt"),
        ("a", "1\n00:00:01,000 --> 00:00:02,000\nHi", "srt"),
        ("a.log", '"conversation","text"\n', "csv"),
        ("a", "conversation\ttext\n", "tsv"),
        ("a", "[00:01] Ann: Hi\n", "transcript"),
    ],
)
def test_name_then_content_decide(tmp_path: Path, name: str, content: str, format_name: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert detect_format(tmp_path / name) == format_name


def test_a_pretty_printed_list_of_conversations_is_no_transcript(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('[\n  {"role": "user", "content": "Hi"}\n]', encoding="utf-8")
    assert detect_format(tmp_path / "a") == "chat"


@pytest.mark.parametrize("content", ["", "once upon a time"])
def test_what_nothing_tells_is_an_error_that_names_the_formats(tmp_path: Path, content: str) -> None:
    (tmp_path / "a").write_text(content, encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=r"the file is empty|\.parquet.*transcript"):
        detect_format(tmp_path / "a")
