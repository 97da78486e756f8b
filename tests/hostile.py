"""What is fed to everything that reads: small right inputs, ways to make them wrong, and what each must end with.

`tests/test_hostile.py` tries some of it in every run, `benchmarks/fuzz.py` as much as one likes, guided by coverage.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from instructerc.assets import Asset
from instructerc.conversation import Conversation, Utterance
from instructerc.corpora.archive import unpack
from instructerc.corpora.columns import Columns
from instructerc.corpora.formats import READERS
from instructerc.corpora.mapping_files import read_mapping
from instructerc.corpora.streaming import SetAside, stream_conversations
from instructerc.corpora.unpickling import load_plain_pickle
from instructerc.errors import DataError, InstructERCError
from instructerc.experiments.resolve import RECIPES, resolve
from instructerc.prompts import WORDINGS, PromptSpec
from instructerc.prompts.window import Window
from instructerc.recognition.answers import read_answer
from instructerc.recognition.artefact import FILE, read_artefact
from instructerc.recognition.predictions import read_predictions
from instructerc.recognition.publishing import SHIPPED_FOLDER

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


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads what others wrote.

    Attributes:
        seeds: Right inputs.
        read: Reads one out of a folder that it may write to; raises only where it has a fault.
    """

    seeds: tuple[bytes, ...]
    read: Callable[[bytes, Path], None]


def _file_reader(format: str) -> Callable[[bytes, Path], None]:  # noqa: A002
    def reading(content: bytes, folder: Path) -> None:
        path = folder / "hostile"
        path.write_bytes(content)
        read(path, format)

    return reading


def _refusing(name: str, use: Callable[[Path], object]) -> Callable[[bytes, Path], None]:
    """Reads a file of that name; an error of ours is a right answer."""

    def reading(content: bytes, folder: Path) -> None:
        path = folder / name
        path.write_bytes(content)
        with contextlib.suppress(InstructERCError):
            use(path)

    return reading


def _unpack(path: Path) -> None:
    inside = path.parent / "inside"
    with contextlib.suppress(InstructERCError):
        unpack(path, {Asset(name="a.csv", url="https://example.org/a.csv", sha256=None): inside / "a.csv"})
    strays = {found.name for found in path.parent.iterdir()} - {path.name, "inside"}
    assert not strays, f"{strays} left the folder"


def _answer(content: bytes, folder: Path) -> None:
    text = content.decode("utf-8", "surrogateescape")
    labels = ("joy", "sadness", "sad", "no emotion", "***", "Übermut")
    verdict = read_answer(text, labels)
    assert verdict.label in labels
    assert verdict.out_of_label is not any(label in text for label in labels)


def _prompts(content: bytes, folder: Path) -> None:
    """A conversation of the bytes: a line a turn, what stands before a colon says who speaks."""
    lines = content.decode("utf-8", "replace").split("\n")[:40]
    turns = [line.partition(":")[::2] for line in lines]
    chat = Conversation("c", tuple(Utterance(who or "?", text, "joy") for who, text in turns))
    for name in WORDINGS:
        spec = PromptSpec(labels=("joy", "sadness"), wording=name, window=Window(size=5, stride=2))
        for example in spec.examples(chat):
            assert example.prompt
            assert example.target == "joy"
        for task in spec.tasks[1:]:
            assert all(example.prompt for example in spec.examples(chat, task=task))


def _archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "a,b\n1,2\n")
    return file.getvalue()


_PREDICTION = {
    "conversation": "a",
    "turn": 0,
    "speaker": "Ann",
    "text": "Hi",
    "gold": "joy",
    "emotion": "joy",
    "probabilities": {"joy": 0.75, "anger": 0.25},
    "model": "0123456789ab",
}
_MAPPING = b"labels: [joy, anger]\nneutral: null\ncorpora:\n  mine:\n    happy: joy\n    mad: anger\n    odd: null\n"
_TALK = "Ann: Hi 😀\n***: so?\n:\nBob: no\n\nAnn: Übermut".encode()

_NAMELESS = (
    "UEsDBBQAAAAIAHhXfV17B5cKCgAAAAgAAAAFAAAAYS5jc3ZL1EniMtQx4gIAUEsBAhQDFAAAAAgAeFd9XXsHlwoKAAAACAAAAAAAAABhLmNz"
    "dlBLBQYAAAAAAGEuY3N2UEsFBgAAAAABAAEAMwAAAC0AAAAAAA=="
)
FOUND = {"archive": (_NAMELESS,)}
"""Inputs, in base64, that once ended in an error of somebody else's."""

TARGETS: Mapping[str, Target] = {
    **{f"reader: {name}": Target((SEEDS[name],), _file_reader(name)) for name in sorted(READERS)},
    "recipe": Target(
        tuple(path.read_bytes() for path in sorted(RECIPES.glob("*.yaml"))),
        _refusing("hostile.yaml", lambda path: resolve(str(path))),
    ),
    "label mapping": Target((_MAPPING,), _refusing("mapping.yaml", read_mapping)),
    "predictions": Target(
        ((json.dumps(_PREDICTION) + "\n").encode() * 2,), _refusing("predictions.jsonl", read_predictions)
    ),
    "model folder": Target(
        ((SHIPPED_FOLDER / FILE).read_bytes(),),
        _refusing(FILE, lambda path: read_artefact(path.parent)),
    ),
    "archive": Target(
        (_archive("a.csv"), _archive("x/a.csv", "../a.csv"), _archive("/etc/a.csv")), _refusing("z.zip", _unpack)
    ),
    "corpus pickle": Target((pickle.dumps([{"a": [1, "x"]}, ("b",)]),), _refusing("corpus.pkl", load_plain_pickle)),
    "answer rule": Target(("I feel joy 😀".encode(), b"no emotion", b"***"), _answer),
    "prompts": Target((_TALK,), _prompts),
}
"""Everything that reads, by the name that the table of findings gives it."""
