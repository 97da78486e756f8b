"""Where the files of a source lie in a folder: flat, or as their publisher lays them out."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from instructerc.corpora.catalog import Source
from instructerc.errors import UnreadableFileError


def locate(source: Source, folder: Path | None) -> dict[str, Path]:
    """Finds every file of a source.

    Args:
        source: The source.
        folder: Where to look; None is the source's folder in the cache. For a source of one file, that file will do.

    Returns:
        The path of each file, by its name in the catalogue.

    Raises:
        UnreadableFileError: Some are missing; names all of them, and how to get them.
    """
    folder = source.folder if folder is None else Path(folder)
    if len(source.files) == 1 and folder.is_file():
        return {source.files[0].name: folder}
    found = {asset.name: _find(folder, source.layouts, asset.name) for asset in source.files}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise UnreadableFileError(f"{source.name}: {folder} lacks {', '.join(missing)}: {how_to_get(source, folder)}")
    return {name: path for name, path in found.items() if path is not None}


def _find(folder: Path, layouts: tuple[str, ...], name: str) -> Path | None:
    for layout in ("", *layouts):
        for candidate in (folder / layout / name, folder / layout / PurePosixPath(name).name):
            if candidate.is_file():
                return candidate
    return None


def how_to_get(source: Source, folder: Path) -> str:
    """What a person does to have the files of a source in a folder."""
    if source.gated is not None:
        return f"{source.gated}, {folder}"
    return f"get them with `instructerc data download {source.name}`, or name the folder that holds them"
