"""The pickles of the released code, in the layouts of COSMIC (method §12).

```
IEMOCAP, EmoryNLP   [speakers, labels, sentences, train ids, test ids, validation ids]
MELD                [speakers, labels, sentiments, sentences, train ids, test ids, validation ids]
```
The first entries map a conversation's id to a list, one entry a turn. A speaker is "M" or "F" (IEMOCAP), or a list of
nine with a single 1, whose place numbers the speaker: "Speaker_3". In both published pickles that number is the order
of first appearance. A label is an index into the label set. Conversations stand in the order of the id lists, which
is the order of the released prompt files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructerc.conversation import Conversation, Corpus, Split, Utterance
from instructerc.corpora.catalog import Source, get_source
from instructerc.corpora.faults import Faults
from instructerc.corpora.locating import locate
from instructerc.corpora.repair import REPAIRED, VERBATIM, TextRepair
from instructerc.corpora.unpickling import load_plain_pickle

Speaker = Callable[[Any], str]
"""Names the speaker; a ValueError says what is wrong."""


def letter_speaker(value: Any) -> str:
    """The speaker of an IEMOCAP pickle.

    Raises:
        ValueError: It is neither "M" nor "F".

    Example:
        >>> letter_speaker("F")
        'F'
    """
    if value in ("M", "F"):
        return str(value)
    raise ValueError(f"speaker {_short(value)} is neither 'M' nor 'F'")


def one_hot_speaker(value: Any) -> str:
    """The speaker that a list with a single 1 stands for.

    Raises:
        ValueError: It is no such list.

    Example:
        >>> one_hot_speaker([0, 0, 0, 1, 0, 0, 0, 0, 0])
        'Speaker_3'
    """
    if isinstance(value, list | tuple) and value.count(1) == 1 and value.count(0) == len(value) - 1:
        return f"Speaker_{value.index(1)}"
    raise ValueError(f"speaker {_short(value)} is no list of zeros with a single 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmicLayout:
    """What stands where in one of the pickles.

    Attributes:
        entries: How many entries the outer list has.
        sentences: Which of them holds the texts; speakers and labels are the first two, ids the last three.
        speaker: Names a speaker.
    """

    entries: int
    sentences: int
    speaker: Speaker


LAYOUTS: Mapping[str, CosmicLayout] = {
    "iemocap-cosmic": CosmicLayout(entries=6, sentences=2, speaker=letter_speaker),
    "meld-cosmic": CosmicLayout(entries=7, sentences=3, speaker=one_hot_speaker),
    "emorynlp-cosmic": CosmicLayout(entries=6, sentences=2, speaker=one_hot_speaker),
}


def read_iemocap_cosmic(folder: Path | None = None) -> Corpus:
    """Reads IEMOCAP from its pickle; see `read_cosmic`."""
    return read_cosmic("iemocap-cosmic", folder)


def read_meld_cosmic(folder: Path | None = None, *, text: TextRepair = REPAIRED) -> Corpus:
    """Reads MELD from its pickle; see `read_cosmic`. The released prompts hold the texts verbatim."""
    return read_cosmic("meld-cosmic", folder, text=text)


def read_emorynlp_cosmic(folder: Path | None = None) -> Corpus:
    """Reads EmoryNLP from its pickle; see `read_cosmic`."""
    return read_cosmic("emorynlp-cosmic", folder)


def read_cosmic(name: str, folder: Path | None = None, *, text: TextRepair = VERBATIM) -> Corpus:
    """Reads one of the three pickles.

    Args:
        name: `iemocap-cosmic`, `meld-cosmic` or `emorynlp-cosmic`.
        folder: The folder that holds it, or the file; default the cache.
        text: What is done with the texts.

    Raises:
        UnreadableFileError: The file is missing, empty or cut off.
        UnsafePickleError: It asks for more than plain data.
        InvalidRowsError: It has another layout, or turns are at fault; carries every fault.
    """
    source, layout = get_source(name), LAYOUTS[name]
    path = locate(source, folder)[source.files[0].name]
    faults = Faults()
    parts = _Pickle(path, source, layout, text, faults).read(load_plain_pickle(path))
    faults.raise_if_any()
    return Corpus(source.name, source.labels.labels, **parts)


class _Pickle:
    def __init__(self, path: Path, source: Source, layout: CosmicLayout, text: TextRepair, faults: Faults) -> None:
        self.path = path
        self.source = source
        self.layout = layout
        self.text = text
        self.faults = faults

    def read(self, content: Any) -> dict[Split, tuple[Conversation, ...]]:
        if not self._has_layout(content):
            return {}
        tables = {"speakers": content[0], "labels": content[1], "sentences": content[self.layout.sentences]}
        train, test, validation = content[-3:]
        lists: dict[Split, Any] = {"train": train, "validation": validation, "test": test}
        self._check_ids(lists)
        return {
            split: tuple(self._conversation(identifier, tables) for identifier in dict.fromkeys(ids))
            for split, ids in lists.items()
        }

    def _has_layout(self, content: Any) -> bool:
        entries, tables = self.layout.entries, self.layout.entries - 3
        fits = (
            isinstance(content, list | tuple)
            and len(content) == entries
            and all(isinstance(table, dict) for table in content[:tables])
            and all(isinstance(ids, list | tuple) for ids in content[tables:])
            and all(isinstance(identifier, int | str) for ids in content[tables:] for identifier in ids)
        )
        if not fits:
            rule = f"a list of {tables} dictionaries and 3 lists of ids (train, test, validation) is needed"
            self._fault(None, f"has another layout than {self.source.name}: {rule}")
        return fits

    def _check_ids(self, lists: Mapping[Split, Any]) -> None:
        seen: dict[Any, Split] = {}
        for split, ids in lists.items():
            for identifier in ids:
                if identifier in seen:
                    self._fault(f"{split} ids", f"conversation {identifier!r} stands already in {seen[identifier]}")
                seen[identifier] = split

    def _conversation(self, identifier: Any, tables: Mapping[str, dict[Any, Any]]) -> Conversation:
        columns = {name: table.get(identifier) for name, table in tables.items()}
        place = f"conversation {identifier}"
        lengths = {name: len(column) if isinstance(column, list | tuple) else None for name, column in columns.items()}
        if None in lengths.values() or len(set(lengths.values())) != 1 or not lengths["sentences"]:
            found = ", ".join(f"{'no' if length is None else length} {name}" for name, length in lengths.items())
            self._fault(place, f"has {found}: one of each per turn, and at least one turn, is needed")
            return Conversation(str(identifier), ())
        turns = zip(*columns.values(), strict=True)
        return Conversation(
            str(identifier), tuple(self._turn(turn, f"{place}, turn {number}") for number, turn in enumerate(turns))
        )

    def _turn(self, turn: tuple[Any, Any, Any], place: str) -> Utterance:
        speaker, label, sentence = turn
        labels = self.source.labels.labels
        name = emotion = ""
        try:
            name = self.layout.speaker(speaker)
        except ValueError as error:
            self._fault(place, str(error))
        if isinstance(label, int) and 0 <= label < len(labels):
            emotion = labels[label]
        else:
            known = ", ".join(f"{number} {word}" for number, word in enumerate(labels))
            self._fault(place, f"unknown label {_short(label)}: Known: {known}")
        if not isinstance(sentence, str) or not sentence.strip():
            self._fault(place, f"text {_short(sentence)}: every turn of this corpus has words")
            sentence = ""
        return Utterance(name, self.text.apply(sentence), emotion)

    def _fault(self, place: str | None, reason: str) -> None:
        self.faults.add(self.path, None, place, reason)


def _short(value: Any) -> str:
    # The value is foreign: only plain scalars are spelled out.
    return repr(value)[:60] if isinstance(value, str | int | float | None) else f"(a {type(value).__name__})"
