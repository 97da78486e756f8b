"""Vectors on disk, so that a corpus is encoded once."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.assets import cache_directory, write_atomically
from instructerc.demonstrations.encoder import Encoder, ignore_progress

if TYPE_CHECKING:
    from instructerc.demonstrations.encoder import Progress, Vectors


def default_folder() -> Path:
    """Where vectors are kept: `embeddings` in the cache."""
    return cache_directory() / "embeddings"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCache:
    """Keeps vectors in files that are named by the texts, in their order, and by the encoder.

    A file that is damaged, or holds something else, is never believed: the vectors are made again.

    Attributes:
        folder: Where the files lie; `embeddings` in the cache directory by default.
    """

    folder: Path = field(default_factory=default_folder)

    def encode(self, encoder: Encoder, texts: Sequence[str], *, progress: Progress = ignore_progress) -> Vectors:
        """The vectors of the texts, from the disk where they are there.

        Args:
            encoder: What makes them where they are not.
            texts: Any texts.
            progress: Told how far the encoding is.

        Returns:
            float32, [texts, dimensions].
        """
        path = self.path(encoder, texts)
        found = _read(path, len(texts))
        if found is None:
            found = encoder.encode(texts, progress=progress)
            _write(path, found)
        return found

    def path(self, encoder: Encoder, texts: Sequence[str]) -> Path:
        """The file for these texts and this encoder."""
        digest = hashlib.sha256(encoder.identity.encode("utf-8", "surrogatepass") + b"\n")
        for text in texts:
            digest.update(json.dumps(text).encode("ascii") + b"\n")
        return self.folder / f"{digest.hexdigest()[:32]}.npz"


def _read(path: Path, count: int) -> Vectors | None:
    import numpy as np

    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            found = file["vectors"]  # the archive's own checksum is compared here
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None
    return found if are_unit_vectors(found, count) else None


def _write(path: Path, vectors: Vectors) -> None:
    import numpy as np

    stream = io.BytesIO()
    np.savez(stream, vectors=vectors)
    write_atomically(path, stream.getvalue())


def are_unit_vectors(found: Vectors, count: int) -> bool:
    """Whether an array holds so many unit vectors in float32.

    Example:
        >>> import numpy as np
        >>> are_unit_vectors(np.eye(3, dtype=np.float32), 3), are_unit_vectors(np.zeros((3, 3), np.float32), 3)
        (True, False)
    """
    import numpy as np

    if not isinstance(found, np.ndarray) or found.dtype != np.float32 or found.ndim != 2 or len(found) != count:
        return False
    return bool(np.allclose(np.einsum("nd,nd->n", found, found), 1, atol=1e-3))
