"""A name or a path → a corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.conversation import Corpus
from instructerc.corpora.catalog import SOURCES
from instructerc.corpora.cosmic import read_emorynlp_cosmic, read_iemocap_cosmic, read_meld_cosmic
from instructerc.corpora.dailydialog import read_dailydialog
from instructerc.corpora.emorynlp import read_emorynlp, read_emorynlp_v1
from instructerc.corpora.iemocap import read_iemocap
from instructerc.corpora.meld import read_meld
from instructerc.corpora.repair import REPAIRED, VERBATIM, TextRepair
from instructerc.corpora.sample import read_sample
from instructerc.errors import UnknownNameError, UnreadableFileError, UsageError
from instructerc.labels import LabelSet

if TYPE_CHECKING:
    from instructerc.corpora.columns import Columns

_READERS: Mapping[str, Callable[[Path | None], Corpus]] = {
    "sample": read_sample,
    "emorynlp": read_emorynlp,
    "emorynlp-cosmic": read_emorynlp_cosmic,
    "emorynlp-v1": read_emorynlp_v1,
    "iemocap": read_iemocap,
    "iemocap-cosmic": read_iemocap_cosmic,
    "dailydialog": read_dailydialog,
}
_REPAIRING_READERS = {"meld": read_meld, "meld-cosmic": read_meld_cosmic}


def load_corpus(
    source: str | Path,
    *,
    folder: Path | None = None,
    labels: LabelSet | None = None,
    columns: Columns | None = None,
    format: str | None = None,  # noqa: A002 - what users call it
    allow_empty: bool = False,
    repair: bool = True,
) -> Corpus:
    """Reads a corpus by its name in the catalogue, or from files of one's own.

    A name wins over a path of the same spelling: write `./meld` for a folder of that name.

    Args:
        source: A name of `SOURCES`, or the path of a file or folder.
        folder: Where the files of a named corpus lie; default the cache, where `download_corpus` puts them.
        labels: Label set of one's own files; a named corpus has its own.
        columns: Which columns of one's own files mean what.
        format: The format of one's own files, where the ending does not say it.
        allow_empty: Whether texts of one's own files may be empty.
        repair: Whether MELD's damaged characters are repaired; the released wording needs them as they are.

    Raises:
        UnknownNameError: There is neither such a name nor such a path.
        UsageError: An argument does not fit the kind of source.
        UnreadableFileError: A file is missing, empty, cut off, or no text.
        InvalidRowsError: Rows are at fault; carries all of them.

    Example:
        >>> load_corpus("mled")
        Traceback (most recent call last):
        instructerc.errors.UnknownNameError: unknown corpus 'mled': did you mean 'meld'? Known: sample, meld, ...
    """
    name = str(source)
    own = {"labels": labels, "columns": columns, "format": format, "allow_empty": allow_empty}
    if name not in SOURCES or isinstance(source, Path):
        return _load_path(name, folder, **own)
    unfit = [key for key, value in own.items() if value not in (None, False)]
    if unfit:
        raise UsageError(
            f"{name}: {' and '.join(unfit)} only go with files of your own: leave them out, or give a path instead"
        )
    if name in _REPAIRING_READERS:
        text: TextRepair = REPAIRED if repair else VERBATIM
        return _REPAIRING_READERS[name](folder, text=text)
    return _READERS[name](folder)


def named_source(source: str) -> tuple[str, str | None]:
    """Name and path of `NAME=PATH`, which says where a named corpus is, or what files of one's own are called.

    A path that exists as it stands is no pair.

    Example:
        >>> named_source("meld=/data/meld"), named_source("meld")
        (('meld', '/data/meld'), ('meld', None))
    """
    name, separator, path = source.partition("=")
    return (name, path) if separator and name and path and not Path(source).exists() else (source, None)


def _load_path(name: str, folder: Path | None, **own: Any) -> Corpus:
    path = Path(name)
    if not path.exists():
        if path.suffix or len(path.parts) > 1:
            raise UnreadableFileError(
                f"{path}: no such file or folder: check the path, or name one of {', '.join(SOURCES)}"
            )
        raise UnknownNameError("corpus", name, SOURCES)
    if folder is not None:
        raise UsageError(f"{path}: a folder goes with a named corpus only: give the path alone")
    from instructerc.corpora.paths import load_path_corpus

    return load_path_corpus(path, **own)
