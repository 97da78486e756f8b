"""Reads a SentencePiece model file: its pieces, and how text becomes pieces.

The file is a Protocol Buffers message (`sentencepiece_model.proto` of google/sentencepiece). What is needed of it is
few fields of three messages, so that no library is.

```
ModelProto      1 pieces        2 trainer_spec       3 normalizer_spec
SentencePiece   1 piece         2 score              3 type
TrainerSpec     3 model_type    35 byte_fallback
NormalizerSpec  2 charsmap      3 add_dummy_prefix   4 remove_extra_whitespaces
```
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from instructerc.errors import BackboneError


class Kind(IntEnum):
    """What a piece is for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Algorithm(IntEnum):
    """How text is cut into pieces."""

    UNIGRAM = 1
    BPE = 2
    WORD = 3
    CHAR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """An entry of the vocabulary; its id is its place.

    Attributes:
        text: As it stands in text, with "▁" for a space.
        score: Log-probability (Unigram), or order of merging (BPE).
        kind: What it is for.
    """

    text: str
    score: float
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SentencePieceModel:
    """What a model file says.

    Attributes:
        pieces: The vocabulary, in the order of ids.
        algorithm: How text is cut.
        byte_fallback: Unknown characters become bytes.
        charsmap: Compiled rules of normalisation; empty where text stays as it is.
        dummy_prefix: A space is put in front of a text.
        squeeze_spaces: Runs of spaces become one, and outer ones go.
    """

    pieces: tuple[Piece, ...]
    algorithm: Algorithm
    byte_fallback: bool
    charsmap: bytes
    dummy_prefix: bool
    squeeze_spaces: bool


def read_model(path: Path) -> SentencePieceModel:
    """Reads a model file.

    Raises:
        BackboneError: It is no SentencePiece model, or it is torn.
    """
    try:
        model = parse_model(path.read_bytes())
    except (ValueError, IndexError, struct.error) as error:
        raise BackboneError(
            f"{path}: is no SentencePiece model, or a damaged one ({error}): copy it again from the checkpoint"
        ) from None
    return model


def parse_model(data: bytes) -> SentencePieceModel:
    """The model in a file's bytes.

    Raises:
        ValueError: It has no pieces, or fields of the wrong kind.
        IndexError: It ends too early.
        struct.error: Likewise.
    """
    pieces: list[Piece] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, value in _fields(data):
        if number == 1:
            pieces.append(_piece(dict(_fields(_bytes(value)))))
        elif number == 2:
            trainer = dict(_fields(_bytes(value)))
        elif number == 3:
            normalizer = dict(_fields(_bytes(value)))
    if not pieces:
        raise ValueError("it has no pieces")
    return SentencePieceModel(
        pieces=tuple(pieces),
        algorithm=Algorithm(_number(trainer.get(3, Algorithm.UNIGRAM))),
        byte_fallback=bool(trainer.get(35, 0)),
        charsmap=_bytes(normalizer.get(2, b"")),
        dummy_prefix=bool(normalizer.get(3, 1)),
        squeeze_spaces=bool(normalizer.get(4, 1)),
    )


def _piece(fields: dict[int, int | bytes]) -> Piece:
    (score,) = struct.unpack("<f", _bytes(fields.get(2, b"\0\0\0\0")))
    return Piece(
        text=_bytes(fields.get(1, b"")).decode("utf-8"), score=score, kind=Kind(_number(fields.get(3, Kind.NORMAL)))
    )


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message's fields: varints as numbers, everything else as bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        wire = key & 7
        if wire == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if wire == 2:
            size, place = _varint(data, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of wire type {wire}")
        if place + size > len(data):
            raise IndexError("it ends too early")
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and where it ends."""
    value = shift = 0
    while True:
        if place >= len(data):
            raise IndexError("it ends too early")
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes should be")
    return value


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("bytes where a number should be")
    return value
