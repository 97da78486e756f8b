"""Everything that is wrong with data, at once, before anything is done with it."""

from __future__ import annotations

from pathlib import Path

from instructerc.corpora.columns import Columns
from instructerc.corpora.folders import data_files
from instructerc.corpora.formats import UNLABELLED_FORMATS, detect_format
from instructerc.corpora.paths import check_path_corpus
from instructerc.corpora.streaming import check_conversations
from instructerc.errors import InvalidRowsError, Problem, UnreadableFileError
from instructerc.labels import LabelSet


def validate(
    source: Path | str,
    *,
    folder: Path | None = None,
    columns: Columns | None = None,
    labels: LabelSet | None = None,
    format: str | None = None,  # noqa: A002
    allow_empty: bool = False,
    unlabelled: bool = False,
) -> list[Problem]:
    """Lists every problem of a corpus or of people's own data.

    It finds exactly what `load_path_corpus` refuses; with `unlabelled`, exactly what `load_conversations` refuses. A
    single file in a format that carries no emotions (transcript, srt, vtt) is always looked at as unlabelled.

    Args:
        source: A file, a folder, or the name of a catalogue corpus.
        folder: Where the files of a catalogue corpus are; None: where `data download` puts them.
        columns: Names of a table's columns.
        labels: The closed label set; None infers it.
        format: Format of every file; None detects each.
        allow_empty: Whether a text may be empty.
        unlabelled: Whether the data is only to be recognised: emotions may be missing, texts empty.

    Returns:
        The problems in file order; empty where all is well.

    Raises:
        UnknownNameError: `source` is neither a path nor a name of the catalogue.
    """
    try:
        if _in_catalogue(source):
            return _catalogue_problems(str(source), folder)
        path = Path(source)
        if unlabelled or _cannot_be_labelled(path, format):
            files = data_files(path) if path.is_dir() else [path]
            return check_conversations(files, columns=columns, labels=labels, format=format)
        _, problems = check_path_corpus(path, columns=columns, labels=labels, format=format, allow_empty=allow_empty)
    except InvalidRowsError as error:
        return list(error.problems)
    except UnreadableFileError as error:
        return [error.problem or Problem(Path(source), None, None, str(error))]
    return problems


def _catalogue_problems(name: str, folder: Path | None) -> list[Problem]:
    from instructerc.corpora.catalog import SOURCES
    from instructerc.corpora.counts import count_differences
    from instructerc.corpora.load import load_corpus

    corpus = load_corpus(name, folder=folder)
    # A file that was cut between two rows breaks no rule of its format: only the published counts tell.
    where = SOURCES[name].folder if folder is None else folder
    return [Problem(where, None, None, difference) for difference in count_differences(corpus, SOURCES[name])]


def _in_catalogue(source: Path | str) -> bool:
    if isinstance(source, Path):
        return False
    from instructerc.corpora.catalog import SOURCES

    # A word that is neither a path nor a name goes to the catalogue, whose error names the nearest corpus.
    return source in SOURCES or not (Path(source).exists() or Path(source).suffix or len(Path(source).parts) > 1)


def _cannot_be_labelled(path: Path, format: str | None) -> bool:  # noqa: A002
    return not path.is_dir() and (format or detect_format(path)) in UNLABELLED_FORMATS
