"""EmoryNLP, twice: the CSV files of one split, and the JSON files of version 1.0 with another (method §12).

They are different benchmarks and bear different names, `emorynlp` and `emorynlp-v1`.

```
Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,…
Coffee.,['Rachel Green'],Neutral,1,1,1,15,…
   ─→  Conversation("1_15_1", …Utterance("Rachel Green", "Coffee.", "Neutral")…)
{"episodes": [{"scenes": [{"scene_id": "s01_e15_c01", "utterances": [{"speakers": ["Rachel Green"], …
   ─→  Conversation("s01_e15_c01", …Utterance("Rachel Green", "Coffee.", "Neutral")…)
```
About 60 turns name several speakers: the first counts, as in the pickle of the released code.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from instructerc.conversation import Conversation, Corpus, Split, Utterance
from instructerc.corpora.catalog import get_source
from instructerc.corpora.faults import Faults
from instructerc.corpora.locating import locate
from instructerc.corpora.published_csv import PublishedCsv
from instructerc.corpora.repair import VERBATIM
from instructerc.errors import DataError

CSV_FILES: dict[Split, str] = {
    "train": "emorynlp_train_final.csv",
    "validation": "emorynlp_dev_final.csv",
    "test": "emorynlp_test_final.csv",
}
JSON_FILES: dict[Split, str] = {
    "train": "emotion-detection-trn.json",
    "validation": "emotion-detection-dev.json",
    "test": "emotion-detection-tst.json",
}
NOBODY = "Unknown"
"""The speaker of a turn for which version 1.0 names none."""

_LONGEST_LIST = 1000


def read_emorynlp(folder: Path | None = None) -> Corpus:
    """Reads the 659/89/79 split from its CSV files.

    Args:
        folder: Where they lie, flat or as in the publisher's repository; default the cache.

    Returns:
        The corpus; ids are season, episode and scene, "1_15_1", as in the pickle of the released code.

    Raises:
        UnreadableFileError: A file is missing, empty or no text.
        InvalidRowsError: Rows are at fault; carries all of them, of all three files.
    """
    source = get_source("emorynlp")
    paths = locate(source, folder)
    reader = PublishedCsv(
        key=("Season", "Episode", "Scene_ID"),
        identify="_".join,
        speaker_of=first_of_list,
        labels=source.labels,
        text=VERBATIM,
    )
    faults = Faults()
    parts = {split: reader.read(paths[name], faults) for split, name in CSV_FILES.items()}
    faults.raise_if_any()
    return Corpus(source.name, source.labels.labels, **parts)


def first_of_list(text: str) -> str:
    r"""The first name of a Python list of names.

    Raises:
        ValueError: The text is no such list.

    Example:
        >>> first_of_list("['Monica Geller', 'Phoebe Buffay']"), first_of_list('["Rachel\'s Mom"]')
        ('Monica Geller', "Rachel's Mom")
    """
    fault = f"{text[:60]!r} is no list of names: write ['Rachel Green']"
    if len(text) > _LONGEST_LIST:
        raise ValueError(fault)
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise ValueError(fault) from None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(fault)
    first: str = names[0]
    return first.strip()


def read_emorynlp_v1(folder: Path | None = None) -> Corpus:
    """Reads version 1.0, the 713/99/85 split, from its JSON files.

    Args:
        folder: Where they lie, flat or in a folder `json`; default the cache.

    Returns:
        The corpus; ids are the file's, "s01_e15_c01".

    Raises:
        UnreadableFileError: A file is missing, empty, no JSON, or cut off.
        InvalidRowsError: Entries are at fault; carries all of them, of all three files.
    """
    source = get_source("emorynlp-v1")
    paths = locate(source, folder)
    faults = Faults()
    parts = {split: _JsonFile(paths[name], faults).read() for split, name in JSON_FILES.items()}
    faults.raise_if_any()
    return Corpus(source.name, source.labels.labels, **parts)


class _JsonFile:
    """One file of version 1.0; an entry is named by its path, `episodes[0].scenes[2].utterances[5]`."""

    def __init__(self, path: Path, faults: Faults) -> None:
        self.path = path
        self.faults = faults
        self.labels = get_source("emorynlp-v1").labels

    def read(self) -> tuple[Conversation, ...]:
        text = self.faults.text_of(self.path)
        if text is None:
            return ()
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            self.faults.add_file(self.path, f"is no JSON ({error}): the file was cut off or changed; download it again")
            return ()
        scenes = list(self._scenes(document))
        conversations = tuple(Conversation(*scene) for scene in scenes)
        self.faults.add_repeated_ids(self.path, conversations)
        return conversations

    def _scenes(self, document: Any) -> Iterator[tuple[str, tuple[Utterance, ...]]]:
        for episode, episode_place in self._items(document, "episodes", ""):
            for scene, place in self._items(episode, "scenes", f"{episode_place}."):
                name = self._text(scene, "scene_id", place)
                seen: set[str] = set()
                turns = [self._turn(item, where, seen) for item, where in self._items(scene, "utterances", f"{place}.")]
                yield name, tuple(turns)

    def _items(self, parent: Any, key: str, prefix: str) -> Iterator[tuple[Any, str]]:
        items = parent.get(key) if isinstance(parent, dict) else None
        if not isinstance(items, list) or not items:
            self._fault(f"{prefix}{key}", f"is {_kind(items)}: a list with at least one entry is needed")
            return
        yield from ((item, f"{prefix}{key}[{number}]") for number, item in enumerate(items))

    def _turn(self, item: Any, place: str, seen: set[str]) -> Utterance:
        identifier = self._text(item, "utterance_id", place)
        if identifier and identifier in seen:
            self._fault(f"{place}.utterance_id", f"{identifier!r} stands twice in this scene: delete one")
        seen.add(identifier)
        emotion = self._text(item, "emotion", place)
        try:
            emotion = self.labels.canonical(emotion) if emotion else ""
        except DataError as error:
            self._fault(f"{place}.emotion", str(error))
        return Utterance(self._speaker(item, place), self._text(item, "transcript", place, empty=True), emotion)

    def _speaker(self, item: Any, place: str) -> str:
        names = item.get("speakers") if isinstance(item, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._fault(f"{place}.speakers", f"is {_kind(names)}: a list of names is needed")
            return ""
        return names[0] if names else NOBODY

    def _text(self, item: Any, key: str, place: str, *, empty: bool = False) -> str:
        value = item.get(key) if isinstance(item, dict) else None
        if isinstance(value, str) and (empty or value.strip()):
            return value
        self._fault(
            f"{place}.{key}", "is empty: a text is needed" if value == "" else f"is {_kind(value)}: a text is needed"
        )
        return ""

    def _fault(self, place: str, reason: str) -> None:
        self.faults.add(self.path, None, place, reason)


def _kind(value: Any) -> str:
    return {"NoneType": "missing", "str": "a text", "list": "a list", "dict": "an object"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )
