"""Mapping files: people's own unified labels, in YAML or JSON.

```
labels: [calm, tense]                  # optional: else the order in which they occur below
corpora:
  meld: {neutral: calm, joyful: calm, surprise: null, fear: tense, …}
  my-data: {ok: calm, upset: tense}
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.corpora.catalog import SOURCES
from instructerc.corpora.unified import (
    MAPPINGS,
    LabelMapping,
    MappingFault,
    get_mapping,
    table_faults,
    unified_faults,
)
from instructerc.errors import LabelMappingError, UnreadableFileError
from instructerc.labels import LABEL_SETS, LabelSet

if TYPE_CHECKING:
    from yaml import Node

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 8
KEYS = ("labels", "corpora")


def load_mapping(source: str | Path) -> LabelMapping:
    """A mapping by its name, or from a file of one's own.

    Raises:
        UnknownNameError: There is neither such a name nor such a file.
        UnreadableFileError: The file cannot be read.
        LabelMappingError: It is no mapping; carries every fault with its line.

    Example:
        >>> load_mapping("released").labels[:3]
        ('joyful', 'sad', 'neutral')
    """
    name = str(source)
    if name in MAPPINGS and not isinstance(source, Path):
        return MAPPINGS[name]
    path = Path(source)
    if not path.exists() and not path.suffix and len(path.parts) == 1:
        return get_mapping(name)
    return read_mapping(path)


def read_mapping(path: Path) -> LabelMapping:
    """A mapping out of a YAML or JSON file; it is called like the file.

    Labels of named corpora and label sets are checked at once, those of other corpora when the mapping is applied.

    Raises:
        UnreadableFileError: The file is missing, empty, too long, or not UTF-8.
        LabelMappingError: It is no mapping; carries every fault with its line.
    """
    reader = _Reader(path)
    root = _compose(_text(path), path)
    labels, corpora = reader.mapping(root)
    if not reader.faults:
        found = dict.fromkeys(target for table in corpora.values() for target in table.values() if target is not None)
        labels = labels or tuple(found)
        reader.faults += [reader.placed(fault) for fault in _faults(labels, corpora)]
    if reader.faults:
        raise LabelMappingError(reader.faults)
    return LabelMapping(name=path.stem, labels=labels, corpora=corpora)


def _faults(labels: tuple[str, ...], corpora: Mapping[str, Mapping[str, str | None]]) -> Iterator[MappingFault]:
    yield from unified_faults(labels, corpora)
    for corpus, table in corpora.items():
        known = _known_labels(corpus)
        if known is not None:
            yield from table_faults(corpus, table, known)


def _known_labels(corpus: str) -> LabelSet | None:
    return SOURCES[corpus].labels if corpus in SOURCES else LABEL_SETS.get(corpus)


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    if len(text) > MAX_CHARACTERS:
        raise UnreadableFileError(f"{path}: has {len(text):,} characters, a mapping has {MAX_CHARACTERS:,} at most")
    return text


def _compose(text: str, path: Path) -> Node | None:
    """The nodes of a YAML document; JSON is YAML. Nodes hold texts only, so nothing is built that a text asks for."""
    import yaml

    text = text.replace("\t", "  ")  # JSON is often indented with tabs, which YAML forbids
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise LabelMappingError([f"{path}: refers to another place with *: write the table out"])
            if depth > MAX_DEPTH:
                raise LabelMappingError([f"{path}: is nested more than {MAX_DEPTH} deep: a mapping needs 3"])
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f":{error.problem_mark.line + 1}"
        raise LabelMappingError([f"{path}{line}: is neither YAML nor JSON ({error.problem}): correct it"]) from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:100]
        raise LabelMappingError([f"{path}: is neither YAML nor JSON ({reason}): correct it"]) from None


@dataclass(slots=True)
class _Reader:
    """Takes nodes for a mapping, and notes every fault with its line.

    Attributes:
        path: The file.
        faults: What was wrong so far.
        lines: Line of each corpus and each label.
    """

    path: Path
    faults: list[str] = field(default_factory=list)
    lines: dict[tuple[str, str], int] = field(default_factory=dict)

    def placed(self, fault: MappingFault) -> str:
        """The fault with its file and line."""
        line = self.lines.get((fault.corpus, fault.label))
        return f"{self.path}: {fault}" if line is None else f"{self.path}:{line}: {fault}"

    def mapping(self, root: Node | None) -> tuple[tuple[str, ...], dict[str, dict[str, str | None]]]:
        """Labels and tables of a document."""
        keys = dict(self._pairs(root, "the file", f"write the keys {' and '.join(KEYS)}"))
        faults = [f"unknown key {key!r}: the keys are {', '.join(KEYS)}" for key in keys if key not in KEYS]
        if "corpora" not in keys and not self.faults:
            faults.append("lacks 'corpora': write corpora: {meld: {joyful: happy, …}, …}")
        self.faults += [f"{self.path}: {fault}" for fault in faults]
        labels = self._list(keys["labels"]) if "labels" in keys else ()
        return labels, self._tables(keys.get("corpora"))

    def _tables(self, node: Node | None) -> dict[str, dict[str, str | None]]:
        tables: dict[str, dict[str, str | None]] = {}
        if node is None:
            return tables
        for corpus, table in self._pairs(node, "'corpora'", "write corpora: {meld: {joyful: happy, …}, …}"):
            self.lines[corpus, ""] = _line(table)
            tables[corpus] = self._table(corpus, table)
        if not tables and not self.faults:
            self.faults.append(f"{self.path}: 'corpora' is empty: write corpora: {{meld: {{joyful: happy, …}}, …}}")
        return tables

    def _table(self, corpus: str, node: Node) -> dict[str, str | None]:
        table: dict[str, str | None] = {}
        for label, target in self._pairs(node, f"{corpus!r}", "write a unified label behind each label"):
            self.lines[corpus, label] = _line(target)
            table[label] = self._target(f"{corpus}: {label}", target)
        return table

    def _target(self, place: str, node: Node) -> str | None:
        value = node.value
        if not isinstance(value, str):
            self._note(node, f"{place}: is no label: write one text, or null to leave its turns unlabelled")
            return None
        # Only a word without quotes means nothing; "null" may be a label.
        return None if getattr(node, "style", None) is None and value in ("", "~", "null") else value

    def _list(self, node: Node) -> tuple[str, ...]:
        import yaml

        items = node.value if isinstance(node, yaml.SequenceNode) else []
        if not items or not all(isinstance(item.value, str) and item.value for item in items):
            self._note(node, "labels: is no list of labels: write labels: [calm, tense]")
            return ()
        return tuple(item.value for item in items)

    def _pairs(self, node: Node | None, what: str, rule: str) -> Iterator[tuple[str, Node]]:
        import yaml

        if not isinstance(node, yaml.MappingNode):
            self._note(node, f"{what} is {'empty' if node is None else 'no table'}: {rule}")
            return
        seen: dict[Any, int] = {}
        for key, value in node.value:
            if not isinstance(key.value, str) or not key.value:
                self._note(key, f"{what} has a key that is no text: {rule}")
            elif key.value in seen:
                self._note(key, f"{what} has {key.value!r} twice, first in line {seen[key.value]}: keep one of them")
            else:
                seen[key.value] = _line(key)
                yield key.value, value

    def _note(self, node: Node | None, reason: str) -> None:
        place = self.path if node is None else f"{self.path}:{_line(node)}"
        self.faults.append(f"{place}: {reason}")


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
