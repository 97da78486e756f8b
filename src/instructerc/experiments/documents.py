"""YAML text → plain values and the line of every key, safely.

Recipes come from other people. So: plain values only (no tags), every key once, and limits on size, depth and
aliases that a recipe never reaches and an "anchor bomb" does at once. Scalars are read by the YAML 1.2 rules, where
`1e-4` is a number and `no` is a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructerc.errors import Problem, RecipeError

if TYPE_CHECKING:
    from yaml import Event, Node, SafeLoader

COMMAND_LINE = Path("command line")
"""Stands where a fault's file would: the value was given with `--set`."""

MAX_CHARACTERS = 256 * 1024
MAX_ALIASES = 16
MAX_DEPTH = 16

_BOOL, _INT, _FLOAT, _NULL = (f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null"))
_SCALARS = (
    (_NULL, r"^(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
    (_BOOL, r"^(?:true|True|TRUE|false|False|FALSE)$", tuple("tTfF")),
    (_INT, r"^[-+]?[0-9]+$", tuple("-+0123456789")),
    (_FLOAT, r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", tuple("-+0123456789.")),
    (_FLOAT, r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", tuple("-+.")),
)


@dataclass(slots=True)
class Document:
    """What a YAML text says.

    Attributes:
        values: The mapping, plain Python values all the way down.
        lines: Line of every key by its dotted path, counted from 1.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read_document(path: Path) -> Document:
    """The mapping in a YAML file.

    Raises:
        RecipeError: The file cannot be read, is no YAML mapping, or breaks a limit; lists every doubled key.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _error(path, None, f"cannot be read ({error.strerror}): check the path") from None
    except UnicodeDecodeError as error:
        raise _error(path, None, f"is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    import yaml

    root = _compose(text, path)
    if root is None:
        raise _error(path, None, "is empty: `instructerc recipes show quickstart` shows what belongs there")
    if not isinstance(root, yaml.MappingNode):
        raise _error(path, _line(root), "is no mapping of keys: begin with `name: …`")
    reader = _Reader(path)
    values = reader.value(root, "")
    if reader.problems:
        raise RecipeError("", [str(problem) for problem in reader.problems])
    return Document(values, reader.lines)


def read_value(text: str) -> Any:
    """One value as YAML writes it: `3`, `1e-4`, `true`, `null`, `[a, b]`, a text.

    Raises:
        RecipeError: It is no YAML value.

    Example:
        >>> [read_value(text) for text in ("1e-4", "[8, 16]", "no", "")]
        [0.0001, [8, 16], 'no', None]
    """
    root = _compose(text, COMMAND_LINE)
    reader = _Reader(COMMAND_LINE)
    value = None if root is None else reader.value(root, "")
    if reader.problems:
        raise RecipeError("", [str(problem) for problem in reader.problems])
    return value


def write_document(values: Mapping[str, Any]) -> str:
    """YAML text that `read_document` reads back to the same values.

    Example:
        >>> print(write_document({"labels": ["no", "1e-4"], "rate": 2e-05}), end="")
        labels:
        - 'no'
        - '1e-4'
        rate: 2.0e-05
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what either version of YAML would take for a number or a switch."""

    for tag, pattern, first in _SCALARS:
        Dumper.add_implicit_resolver(tag, re.compile(pattern), list(first))
    return str(yaml.dump(dict(values), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Reader:
    """Nodes → plain values; gathers what is wrong on the way."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []

    def value(self, node: Node, path: str) -> Any:
        import yaml

        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, path) for item in node.value]
        return self._scalar(node, path)

    def _mapping(self, node: Node, path: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if isinstance(key_node.value, list):
                self._problem(key_node, path, "a key must be a word, not a list or a mapping")
                continue
            key = str(key_node.value)
            here = f"{path}.{key}" if path else key
            if key in values:
                first = self.lines.get(here, "?")
                self._problem(key_node, here, f"stands twice, first in line {first}: remove one of the two")
                continue
            self.lines[here] = _line(key_node)
            values[key] = self.value(value_node, here)
        return values

    def _scalar(self, node: Node, path: str) -> Any:
        text = str(node.value)
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text.lower() == "true"
        try:
            if node.tag == _INT:
                return int(text)
            if node.tag == _FLOAT:
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self._problem(node, path, f"{text[:40]!r} is no number that can be read")
        return text

    def _problem(self, node: Node, path: str, reason: str) -> None:
        line = None if self.place == COMMAND_LINE else _line(node)
        self.problems.append(Problem(self.place, line, path or None, reason))


def _compose(text: str, place: Path) -> Node | None:
    """The node tree of a text that kept the limits; None where the text holds nothing."""
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise _error(place, None, f"holds {len(text)} characters: a recipe has at most {MAX_CHARACTERS}")
    try:
        _require_limits(yaml.parse(text, _loader()), place)
        loader = _loader()(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise _error(place, mark.line + 1 if mark else None, f"is no valid YAML: {said}") from None
    except yaml.YAMLError as error:
        raise _error(place, None, f"is no valid YAML: {' '.join(str(error).split())}") from None


def _require_limits(events: Iterator[Event], place: Path) -> None:
    """Walks the events, which never nest nor copy, before anything is built from them."""
    depth = aliases = 0
    for event in events:
        name = type(event).__name__
        depth += name.endswith("StartEvent") and name.startswith(("Mapping", "Sequence"))
        depth -= name.endswith("EndEvent") and name.startswith(("Mapping", "Sequence"))
        aliases += name == "AliasEvent"
        line = event.start_mark.line + 1 if event.start_mark else None
        if depth > MAX_DEPTH:
            raise _error(place, line, f"nests more than {MAX_DEPTH} levels: a recipe needs three")
        if aliases > MAX_ALIASES:
            raise _error(place, line, f"uses more than {MAX_ALIASES} aliases (*name): write the values out")
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise _error(place, line, f"the tag {tag!r} is refused: recipes hold plain values only")


@cache
def _loader() -> type[SafeLoader]:
    """PyYAML's safe loader, with the scalars of YAML 1.2, and no anchor inside itself."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own attribute, copied on write

        def compose_node(self, parent: Node | None, index: Any) -> Node | None:
            open_anchors: set[str] = self.__dict__.setdefault("open_anchors", set())
            event = self.peek_event()  # type: ignore[no-untyped-call]
            anchor = event.anchor
            if isinstance(event, yaml.AliasEvent) and anchor in open_anchors:
                mark: Any = event.start_mark
                raise yaml.MarkedYAMLError(problem=f"the anchor {anchor!r} holds itself", problem_mark=mark)
            if anchor is None or isinstance(event, yaml.AliasEvent):
                return super().compose_node(parent, index)
            open_anchors.add(anchor)
            try:
                return super().compose_node(parent, index)
            finally:
                open_anchors.discard(anchor)

    for tag, pattern, first in _SCALARS:
        Loader.add_implicit_resolver(tag, re.compile(pattern), list(first))
    return Loader


def _line(node: Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1


def _error(place: Path, line: int | None, reason: str) -> RecipeError:
    return RecipeError("", [str(Problem(place, None if place == COMMAND_LINE else line, None, reason))])
