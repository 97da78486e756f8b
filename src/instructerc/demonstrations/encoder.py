"""Sentences → unit vectors: what "nearest" means (method §5)."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from instructerc.assets import offline, offline_switch, sha256_of
from instructerc.assets.embedded import SHA256, embedded_model_directory
from instructerc.errors import AssetError, BackboneError, OfflineError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

Progress = Callable[[int, int], None]
"""Called with the number of texts that are encoded, and the number of all."""

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
"""The paper names no encoder; this one is small, permissively licensed, and its weights come as a package."""

DEFAULT_NAMES = (DEFAULT_ENCODER, f"sentence-transformers/{DEFAULT_ENCODER}")

BATCHES_A_REPORT = 16
"""Batches between two calls of a progress callback."""


def ignore_progress(done: int, total: int) -> None:
    """Shows nothing."""


class Encoder(Protocol):
    """What makes vectors of texts."""

    @property
    def identity(self) -> str:
        """Names the encoder so that two with the same identity make the same vectors."""

    def encode(self, texts: Sequence[str], *, progress: Progress = ignore_progress) -> Vectors:
        """One unit vector a text, float32, [texts, dimensions]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceEncoder:
    """A model of sentence-transformers; loaded when it is first needed, once a process.

    The paper speaks of CLS embeddings and does not name its encoder (method §5). Each model pools as it was trained
    to: all-MiniLM-L6-v2 by mean.

    Attributes:
        name: `all-MiniLM-L6-v2`, whose verified weights come from the package, a local folder, or a hub id.
        revision: Commit, tag or branch of a hub repository.
        device: "cpu", "cuda" …; None is the first accelerator, else the CPU.
        batch_size: Texts that are encoded at a time, 64 by default.

    Example:
        >>> SentenceEncoder().name
        'all-MiniLM-L6-v2'
    """

    name: str = DEFAULT_ENCODER
    revision: str | None = None
    device: str | None = None
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"encoder.batch_size is {self.batch_size}: give a number of texts, 1 or more")
        if self.revision is not None and (self.name in DEFAULT_NAMES or Path(self.name).is_dir()):
            raise UsageError(
                f"encoder.revision is {self.revision!r}, and {self.name} is no hub repository: leave it out"
            )

    @property
    def identity(self) -> str:
        """Name and content: the weights' sum, the sum of a folder, or the commit of a repository.

        Raises:
            OfflineError: It would have to be downloaded, and downloads are off.
            AssetError: The hub does not have it.
        """
        return _identity(self.name, self.revision)

    def pinned(self) -> SentenceEncoder:
        """The same encoder wherever and whenever it is loaded again: a folder's whole path, a repository's commit.

        Raises:
            As `identity`.
        """
        if self.name in DEFAULT_NAMES:
            return self
        if Path(self.name).is_dir():
            return replace(self, name=str(Path(self.name).resolve()))
        return replace(self, revision=_commit(self.name, self.revision))

    def encode(self, texts: Sequence[str], *, progress: Progress = ignore_progress) -> Vectors:
        """One unit vector a text; equal texts have equal vectors, whatever stands around them.

        Args:
            texts: Any texts; what a model cannot read of a long one is left out, as its authors set it.
            progress: Told how far it is.

        Returns:
            float32, [texts, dimensions].

        Raises:
            UsageError: sentence-transformers is not installed.
            AssetError: The model could not be had.
            BackboneError: It cannot be loaded, or makes no finite vectors.
        """
        import numpy as np

        model = _load(self.name, self.revision, self.device)
        # A vector depends, in its last digits, on what it is padded with: each text is encoded once.
        unique = sorted(dict.fromkeys(texts), key=len, reverse=True)
        step = self.batch_size * BATCHES_A_REPORT
        blocks = []
        for start in range(0, len(unique), step):
            blocks.append(self._block(model, unique[start : start + step]))
            progress(min(start + step, len(unique)), len(unique))
        if not blocks:
            return np.zeros((0, _dimensions(model)), np.float32)
        vectors = np.concatenate(blocks)
        if not np.isfinite(vectors).all():
            raise BackboneError(f"{self.name}: makes vectors that are not finite: choose another sentence encoder")
        place = {text: number for number, text in enumerate(unique)}
        found: Vectors = vectors[[place[text] for text in texts]]
        return found

    def _block(self, model: Any, texts: list[str]) -> Vectors:
        import numpy as np

        made = model.encode(
            texts,
            batch_size=self.batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        return np.asarray(made, dtype=np.float32)


def _dimensions(model: Any) -> int:
    return int(model.encode([""], show_progress_bar=False).shape[1])


@functools.lru_cache(maxsize=8)
def _identity(name: str, revision: str | None) -> str:
    if name in DEFAULT_NAMES:
        return f"{DEFAULT_ENCODER}@{SHA256[:12]}"
    if Path(name).is_dir():
        return f"{Path(name).name}@{_folder_sum(Path(name))[:12]}"
    return f"{name}@{_commit(name, revision)}"


def _folder_sum(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{sha256_of(file)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _commit(name: str, revision: str | None) -> str:
    """The commit that a revision of a hub repository stands for, from the smallest file that tells it."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for file in ("modules.json", "config.json"):
        try:
            found = hf_hub_download(name, file, revision=revision, local_files_only=offline())
        except LocalEntryNotFoundError as error:
            missing: Exception = error
        except EntryNotFoundError as error:
            missing = error
        except Exception as error:  # the hub client raises a wide, version-dependent family
            raise _not_delivered(name, error) from error
        else:
            return Path(found).parent.name
    raise _not_delivered(name, missing) from missing


def _not_delivered(name: str, error: Exception) -> AssetError:
    remedy = f"check the name, give the folder of a model, or take {DEFAULT_ENCODER}"
    if offline():
        return OfflineError(
            f"sentence encoder {name!r} is neither a folder nor in the hub's cache, and {offline_switch()} forbids "
            f"downloads: unset it, or {remedy}"
        )
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return AssetError(f"the hub did not deliver the sentence encoder {name!r} ({reason}): {remedy}")


@functools.lru_cache(maxsize=2)
def _load(name: str, revision: str | None, device: str | None) -> Any:
    require_library()
    from sentence_transformers import SentenceTransformer

    if name in DEFAULT_NAMES:
        return _default_model(device)
    local = Path(name).is_dir()
    commit = None if local else _commit(name, revision)
    try:
        return SentenceTransformer(
            name, device=device, revision=commit, local_files_only=local or offline(), trust_remote_code=False
        )
    except Exception as error:  # OSError, ValueError, KeyError, RuntimeError and the hub's own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackboneError(
            f"{name}: cannot be loaded as a sentence encoder ({reason}): give a model of sentence-transformers, or "
            f"take {DEFAULT_ENCODER}"
        ) from error


def _default_model(device: str | None) -> Any:
    """The model as its card describes it: mean pooling, 256 tokens, unit length (which `encode` asks for).

    Not every copy of the weights comes with the files that say so. Without them the library pools by mean as well.
    """
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(embedded_model_directory()), device=device, local_files_only=True)
    model.max_seq_length = 256
    return model


def require_library() -> None:
    """Whether sentences can be encoded, before anything else is begun.

    Raises:
        UsageError: sentence-transformers is not installed.
    """
    if importlib.util.find_spec("sentence_transformers") is None:
        raise UsageError(
            "demonstrations are found with sentence-transformers, which is not installed: install it with "
            "`pip install 'instructerc[demonstrations]'`"
        )
