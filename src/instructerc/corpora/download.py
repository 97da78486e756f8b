"""A named corpus, from its publisher into a folder."""

from __future__ import annotations

from pathlib import Path

from instructerc.assets import DEFAULT_RETRY, Asset, Progress, Retry, download, ignore_progress, sha256_of
from instructerc.corpora.archive import unpack
from instructerc.corpora.catalog import Source, get_source
from instructerc.corpora.iemocap import session_root
from instructerc.corpora.locating import how_to_get, locate
from instructerc.errors import DownloadError, LicenceGatedError, UnreadableFileError


def download_corpus(
    name: str, folder: Path | None = None, *, progress: Progress = ignore_progress, retry: Retry = DEFAULT_RETRY
) -> tuple[Path, ...]:
    """Brings every file of a named corpus into a folder; what lies there already is checked, not fetched again.

    Args:
        name: A name of `SOURCES`.
        folder: Where to; default the cache, where `load_corpus` looks.
        progress: Told about every block that arrives.
        retry: How stubbornly broken connections are taken up again.

    Returns:
        The files; none for the bundled corpus, which needs no download.

    Raises:
        UnknownNameError: There is no such corpus.
        LicenceGatedError: A person has to ask for it; the text says where, and where to put it.
        OfflineError: An environment variable forbids downloads.
        DownloadError: A publisher did not deliver; what arrived is kept, a further call goes on from there.
        ChecksumError: A file is not the published one.
    """
    source = get_source(name)
    folder = source.folder if folder is None else Path(folder)
    if source.gated is not None:
        raise LicenceGatedError(f"{source.name} cannot be downloaded: {how_to_get(source, folder)}")
    try:
        if source.archive is not None:
            return _from_archive(source, source.archive, folder, progress, retry)
        return tuple(download(asset, folder / asset.name, progress=progress, retry=retry) for asset in source.files)
    except DownloadError as error:
        if source.note is None:
            raise
        raise DownloadError(f"{error}. {source.note}") from None


def _from_archive(source: Source, archive: Asset, folder: Path, progress: Progress, retry: Retry) -> tuple[Path, ...]:
    targets = {asset: folder / asset.name for asset in source.files}
    if not all(target.is_file() and sha256_of(target) == asset.sha256 for asset, target in targets.items()):
        packed = download(archive, folder / archive.name, progress=progress, retry=retry)
        unpack(packed, targets)
        packed.unlink()
    return tuple(targets.values())


def is_complete(source: Source, folder: Path | None = None) -> bool:
    """Whether everything that the reader of a source needs is in a folder; contents are not looked at.

    Args:
        source: The source.
        folder: Where to look; default the cache.
    """
    try:
        locate(source, folder)
        if source.name == "iemocap":
            session_root(folder)
    except UnreadableFileError:
        return False
    return True
