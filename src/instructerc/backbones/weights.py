"""The weight files of a checkpoint: which there are, whether they are whole, and the tensors in them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from instructerc.assets import offline
from instructerc.errors import BackboneError

if TYPE_CHECKING:
    import torch

WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Where the weights of a checkpoint stand, in the order in which transformers looks; an index names several files."""

ADAPTER = "adapter_config.json"

POINTER = b"version https://git-lfs"
"""What a file begins with that `git clone` wrote without Git LFS."""

HEADER_LENGTH = 8
"""Bytes of a safetensors file in front of its header: the header's length."""


def weight_files(name: str, find: Callable[[str], Path | None]) -> list[Path]:
    """The files that hold a checkpoint's weights.

    Args:
        name: Of the backbone, for messages.
        find: Where a file of the checkpoint is; None where it has no such file.

    Raises:
        BackboneError: There are none, the index is damaged, or files that it names are missing.
    """
    for candidate in WEIGHTS:
        path = find(candidate)
        if path is not None:
            return _shards(name, path, find) if candidate.endswith(".json") else [path]
    if find(ADAPTER) is not None:
        raise BackboneError(
            f"{name}: holds an adapter and no {WEIGHTS[0]}: give the model that it was made for as the backbone"
        )
    raise BackboneError(
        f"{name}: has neither {WEIGHTS[0]} nor {WEIGHTS[2]}, nor an index of several: copy the checkpoint again"
    )


def _shards(name: str, index: Path, find: Callable[[str], Path | None]) -> list[Path]:
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BackboneError(f"{name}: {index.name} is damaged: copy it again") from None
    found = {shard: find(shard) for shard in shards if Path(shard).name == shard}
    lacking = [shard for shard in shards if found.get(shard) is None]
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise BackboneError(
            f"{name}: lacks {', '.join(lacking[:3])}{more} of the {len(shards)} files that {index.name} names: "
            "copy them as well"
        )
    return [path for path in found.values() if path is not None]


def in_folder(folder: Path) -> Callable[[str], Path | None]:
    """Finds the files of a local checkpoint."""
    return lambda file: folder / file if (folder / file).is_file() else None


def on_the_hub(source: str, revision: str) -> Callable[[str], Path | None]:
    """Finds the files of a hub repository; they are downloaded, or taken from the cache.

    The finder raises what the hub's own library raises where it cannot be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    def find(file: str) -> Path | None:
        try:
            return Path(hf_hub_download(source, file, revision=revision, local_files_only=offline()))
        except EntryNotFoundError:
            return None

    return find


def finder(source: str, revision: str | None) -> Callable[[str], Path | None]:
    """Finds the files of a checkpoint in a folder or on the hub."""
    folder = Path(source)
    return in_folder(folder) if folder.is_dir() else on_the_hub(source, revision or "main")


def commit_of(source: str, revision: str | None) -> str | None:
    """The commit that a hub repository is read at; None for a folder.

    The configuration has been read before, so nothing is downloaded: its place in the cache names the commit.
    """
    if Path(source).is_dir():
        return None
    path = finder(source, revision)("config.json")
    return path.parent.name if path is not None and path.parent.parent.name == "snapshots" else None


def check_weights(name: str, files: Sequence[Path]) -> None:
    """Makes sure that the weight files are whole, as far as can be seen without reading them.

    Raises:
        BackboneError: A file is empty, torn, or a pointer that Git LFS would have replaced.
    """
    for path in files:
        with path.open("rb") as file:
            front = file.read(len(POINTER))
        if front == POINTER:
            raise BackboneError(
                f"{name}: {path.name} is a pointer of Git LFS, not the weights: run `git lfs pull` in the folder"
            )
        if path.suffix == ".safetensors":
            _check_safetensors(name, path)


def _check_safetensors(name: str, path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(HEADER_LENGTH), "little")
        header = file.read(length) if length <= size - HEADER_LENGTH else b""
    try:
        tensors = [entry for key, entry in json.loads(header).items() if key != "__metadata__"]
        end = max((entry["data_offsets"][1] for entry in tensors), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise BackboneError(
            f"{name}: cannot be loaded: {path.name} is damaged, or no safetensors file: copy it again"
        ) from None
    whole = HEADER_LENGTH + length + end
    if size != whole:
        raise BackboneError(
            f"{name}: cannot be loaded: {path.name} has {size} bytes, its header says {whole}: copy it again"
        )


def read_tensors(files: Sequence[Path]) -> dict[str, torch.Tensor]:
    """The tensors in weight files, by name; they stay on disk until they are used.

    Raises:
        pickle.UnpicklingError: A pickle holds more than tensors; nothing of it was run.
    """
    import torch
    from safetensors.torch import load_file

    tensors: dict[str, torch.Tensor] = {}
    for path in files:
        if path.suffix == ".safetensors":
            tensors.update(load_file(path))
        else:
            # Files of the oldest releases of torch are no archives, and cannot be read piece by piece.
            mapped = zipfile.is_zipfile(path)
            tensors.update(torch.load(path, map_location="cpu", weights_only=True, mmap=mapped))
    return tensors
