"""The cache of vectors: found again, and never believed when it is damaged."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from instructerc.assets import cache_directory
from instructerc.demonstrations import EmbeddingCache
from tests.demonstrations.fakes import FakeEncoder

TEXTS = ["Hi.", "", "half a pair \ud83d", "Hi."]


def archive(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def flipped(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_texts_are_encoded_once(tmp_path: Path) -> None:
    cache, encoder = EmbeddingCache(folder=tmp_path), FakeEncoder()
    first, second = cache.encode(encoder, TEXTS), cache.encode(encoder, TEXTS)
    assert np.array_equal(first, second)
    assert encoder.asked == [tuple(TEXTS)]


def test_other_texts_another_order_and_another_encoder_are_other_files(tmp_path: Path) -> None:
    cache, encoder = EmbeddingCache(folder=tmp_path), FakeEncoder()
    asked = [(encoder, TEXTS), (encoder, TEXTS[::-1]), (encoder, ["Hi.", "half"]), (FakeEncoder(name="b"), TEXTS)]
    assert len({cache.path(who, texts) for who, texts in asked}) == 4
    assert cache.path(encoder, ["a", "b"]) != cache.path(encoder, ["ab"])
    assert EmbeddingCache().folder == cache_directory() / "embeddings"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-30],
        lambda content: b"",
        lambda content: b"not an archive",
        flipped,
        lambda content: archive(other=np.eye(4, dtype=np.float32)),
        lambda content: archive(vectors=np.eye(3, dtype=np.float32)),
        lambda content: archive(vectors=np.eye(4)),
        lambda content: archive(vectors=np.zeros((4, 4), dtype=np.float32)),
        lambda content: archive(vectors=np.full((4, 4), np.nan, dtype=np.float32)),
        lambda content: archive(vectors=np.array([{}, 1, 2, 3], dtype=object)),
    ],
)
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    cache, encoder = EmbeddingCache(folder=tmp_path), FakeEncoder()
    expected = cache.encode(encoder, TEXTS)
    path = cache.path(encoder, TEXTS)
    path.write_bytes(damage(path.read_bytes()))
    assert np.array_equal(cache.encode(encoder, TEXTS), expected)
    assert np.array_equal(cache.encode(encoder, TEXTS), expected)
    assert len(encoder.asked) == 2
