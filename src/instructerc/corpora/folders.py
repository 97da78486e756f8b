"""Folders of data: which of their files are read, and as what."""

from __future__ import annotations

from pathlib import Path

from instructerc.conversation import SPLITS, Split
from instructerc.corpora.formats import KNOWN_SUFFIXES
from instructerc.corpora.reading import Source
from instructerc.corpora.splits import SPLIT_NAMES


def split_files(folder: Path) -> dict[Path, Split]:
    """The files of a folder that are named like a split, train first.

    Raises:
        UnreadableFileError: There is none, or two of them are one split.
    """
    found: dict[Split, list[Path]] = {name: [] for name in SPLITS}
    for file in data_files(folder):
        split = SPLIT_NAMES.get(file.stem.lower())
        if split is not None:
            found[split].append(file)
    for split, files in found.items():
        if len(files) > 1:
            names = " and ".join(file.name for file in files)
            raise Source(folder).unreadable(f"{names} are both its {split} split: keep one of them")
    if not any(found.values()):
        names = ", ".join(file.name for file in data_files(folder)[:5])
        raise Source(folder).unreadable(
            f"no file of it is named train, validation (valid, val, dev) or test: it holds {names}; "
            "name one of these files, or name them after their splits"
        )
    return {files[0]: split for split, files in found.items() if files}


def data_files(folder: Path) -> list[Path]:
    """The files of a folder that can be read, sorted by name.

    Raises:
        UnreadableFileError: There is none.
    """
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in KNOWN_SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    if not files:
        raise Source(folder).unreadable(f"the folder holds no file that ends in one of {', '.join(KNOWN_SUFFIXES)}")
    return files
