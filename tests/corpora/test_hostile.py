"""Whatever a file holds, a reader ends with conversations, with what it set aside, or with a line that says why."""

from __future__ import annotations

import contextlib
import io
import json
import random
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from instructerc.conversation import Conversation
from instructerc.corpora.columns import Columns
from instructerc.corpora.formats import READERS
from instructerc.corpora.streaming import SetAside, stream_conversations
from instructerc.errors import DataError

ROWS = [("a", 0, "Ann", "Grüße 😀", "joy"), ("a", 1, "***", "", ""), ("b", 0, "Bob", 'it\'s, "so"\nlong', "anger")]


def _table(separator: str) -> bytes:
    lines = [separator.join(("conversation", "turn", "speaker", "text", "emotion"))]
    quote = '"{}"'.format
    lines += [separator.join((quote(str(value).replace('"', '""'))) for value in row) for row in ROWS]
    return "\n".join(lines).encode()


def _parquet() -> bytes:
    names = ("conversation", "turn", "speaker", "text", "emotion")
    columns = {name: [row[place] for row in ROWS] for place, name in enumerate(names)}
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


CHAT = {"id": "a", "utterances": [{"speaker": "Ann", "text": "Hi 😀", "emotion": "joy"}, {"speaker": "B", "text": ""}]}
MESSAGES = {"id": "m", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
TASK = {
    "data": {"id": "t", "dialogue": [{"speaker": "Ann", "text": "Hi"}]},
    "annotations": [{"result": [{"value": {"start": "0", "end": "0", "paragraphlabels": ["joy"]}}]}],
}
SEEDS = {
    "conversations": (json.dumps(CHAT) + "\n" + json.dumps({**CHAT, "id": "b"}) + "\n").encode(),
    "rows": "".join(
        json.dumps(dict(zip(("conversation", "turn", "speaker", "text"), row, strict=False))) + "\n" for row in ROWS
    ).encode(),
    "csv": _table(","),
    "tsv": _table("\t"),
    "parquet": _parquet(),
    "transcript": "[00:01] Ann: Hi\nBob (angry): no\n  goes on\n\nAnn: 😀\n".encode(),
    "srt": b"1\n00:00:01,000 --> 00:00:02,000\nAnn: Hi\n\n2\n00:00:03,000 --> 00:00:04,000\n<i>Bob: ho</i>\n",
    "vtt": b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Hi\n\n00:03.000 --> 00:04.000\n<v Bob>ho\n",
    "chat": json.dumps([MESSAGES]).encode(),
    "chat-lines": (json.dumps(MESSAGES) + "\n").encode(),
    "label-studio": json.dumps([TASK]).encode(),
}
"""A small right file of every format."""

PIECES = [
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\xbd", b"\\ud83d", b"\r", b"\n", b"\x1a", b'"', b"'", b","),
    *(b"{", b"}", b"[", b"]", b":", b"null", b"NaN", b"-1", b"1e999", b"9" * 400, b"true", b"-->", b"\xe2\x80\xa8"),
    *(b"[" * 3_000, b"{}", b'{"a":', b"&a *a", b"=cmd|' /C calc'!A0", b"../../../etc/passwd", b"<b>", b"%s%n", b""),
]


def read(path: Path, format: str | None) -> tuple[int, int]:  # noqa: A002
    """Conversations, and what was set aside; anything but a `DataError` is a fault of the reader."""
    found = aside = 0
    for columns in (None, Columns(turn=None)):
        with contextlib.suppress(DataError):
            for item in stream_conversations(path, format=format, columns=columns):
                found += isinstance(item, Conversation)
                aside += isinstance(item, SetAside)
                assert isinstance(item, Conversation) or str(item.problem)
    return found, aside


def mutated(seed: bytes, draw: random.Random) -> bytes:
    """A right file with a few places made wrong."""
    content = bytearray(seed)
    for _ in range(draw.randint(1, 6)):
        place = draw.randint(0, len(content))
        kind = draw.randrange(4)
        if kind == 0:
            content[place:place] = draw.choice(PIECES)
        elif kind == 1:
            del content[place : place + draw.randint(1, 20)]
        elif kind == 2 and content:
            content[place % len(content)] = draw.randrange(256)
        else:
            other = draw.randint(0, len(content))
            content[place:place] = content[min(place, other) : max(place, other)][:200]
    return bytes(content)


@pytest.mark.parametrize("format", sorted(READERS))
@given(seed=st.integers(0, 2**32))
def test_a_file_with_faults_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    format: str,  # noqa: A002
    seed: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"hostile-{format}"
    path.write_bytes(mutated(SEEDS[format], random.Random(seed)))
    read(path, format)
    path.unlink()


@pytest.mark.parametrize("format", sorted(READERS))
def test_the_seeds_are_right(tmp_path: Path, format: str) -> None:  # noqa: A002
    assert SEEDS.keys() == READERS.keys()
    path = tmp_path / "right"
    path.write_bytes(SEEDS[format])
    found = list(stream_conversations(path, format=format))
    assert found
    assert all(isinstance(item, Conversation) for item in found)


@pytest.mark.parametrize("name", ["calls.csv", "calls.tsv", "calls.jsonl", "calls.txt", "calls.json", "calls.srt"])
@pytest.mark.parametrize(
    "content",
    [
        b'conversation,turn,speaker,text\na,0,Ann,"' + b"x" * 10_000_000 + b'"\n',
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"\x00" * 1_000_000,
        b'{"id": "a", "utterances": [{"speaker": "Ann", "text": "\\ud83d"}]}\n',
        b"Ann: " + b"\xff" * 1_000,
        b'"' * 100_000,
        b",".join([b"a"] * 100_000),
    ],
    ids=["10 MB field", "nested lists", "nested objects", "zeros", "half a pair", "no text", "quotes", "columns"],
)
def test_what_is_large_or_deep_or_no_text_is_read_or_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    read(path, None)


@pytest.mark.parametrize(
    "columns",
    [
        {"conversation": ["a"], "turn": [0], "speaker": [1], "text": [2.5]},
        {"conversation": [None], "turn": [None], "speaker": [None], "text": [None]},
        {"conversation": [["a"]], "turn": [[0]], "speaker": [{"x": 1}], "text": [b"\xff"]},
        {"conversation": ["a"], "turn": ["zero"], "speaker": ["Ann"], "text": ["hi"]},
        {"conversation": ["a"], "turn": [2**62], "speaker": ["Ann"], "text": ["hi"]},
        {"conversation": ["a"], "turn": [float("nan")], "speaker": ["Ann"], "text": ["hi"]},
        {"text": ["hi"]},
        {},
    ],
    ids=["numbers", "nothing", "nested", "words", "huge", "nan", "one column", "no column"],
)
def test_a_parquet_file_of_other_types_is_read_or_refused(tmp_path: Path, columns: dict[str, list[object]]) -> None:
    path = tmp_path / "calls.parquet"
    parquet.write_table(pa.table(columns), path)
    read(path, None)
