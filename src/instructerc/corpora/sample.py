"""The sample corpus of this package: conversations written for it, CC0, seven emotions."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from instructerc.conversation import SPLITS, Conversation, Corpus
from instructerc.corpora.catalog import get_source
from instructerc.corpora.faults import Faults
from instructerc.corpora.jsonl import read_jsonl
from instructerc.errors import DataError, UnreadableFileError


def read_sample(folder: Path | None = None) -> Corpus:
    """Reads the bundled sample corpus.

    Args:
        folder: Another folder with `train.jsonl`, `validation.jsonl` and `test.jsonl`; default the package's own.

    Raises:
        UnreadableFileError: The files are not there.
        InvalidRowsError: Lines break the schema or carry a label outside the set; carries all of them.
    """
    if folder is not None:
        return _read(Path(folder))
    with as_file(files("instructerc.corpora") / "sample") as bundled:
        return _read(bundled)


def _read(folder: Path) -> Corpus:
    source = get_source("sample")
    missing = [f"{split}.jsonl" for split in SPLITS if not (folder / f"{split}.jsonl").is_file()]
    if missing:
        raise UnreadableFileError(
            f"sample: {folder} lacks {', '.join(missing)}: the installation is not complete; install instructerc again"
        )
    parts = {split: read_jsonl(folder / f"{split}.jsonl") for split in SPLITS}
    faults = Faults()
    for split, conversations in parts.items():
        _check_labels(folder / f"{split}.jsonl", conversations, faults)
    faults.raise_if_any()
    return Corpus(source.name, source.labels.labels, **parts)


def _check_labels(path: Path, conversations: tuple[Conversation, ...], faults: Faults) -> None:
    canonical = get_source("sample").labels.canonical
    for line, conversation in enumerate(conversations, 1):
        for turn, utterance in enumerate(conversation.utterances):
            try:
                label = canonical(utterance.emotion) if utterance.emotion is not None else None
            except DataError as error:
                faults.add(path, line, f"utterances[{turn}].emotion", str(error))
                continue
            if label != utterance.emotion:
                reason = f"{utterance.emotion!r}: the bundled corpus spells it {label!r}"
                faults.add(path, line, f"utterances[{turn}].emotion", reason)
