"""The keys of the schema as a flat list: for error messages, `--explain` and the page of the docs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from instructerc.errors import nearest

_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "null": "null",
}
_LIMITS = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the schema.

    Attributes:
        path: Dotted path, `training.epochs`.
        takes: What values it takes, in words.
        default: The value where the recipe says nothing; `required` says that there is none.
        required: Whether it must be given once its section is.
        unit: What a number counts.
        description: What it does.
        source: Where the default stands in the paper or its code.
        choices: The values of a closed set; empty where it is open.
        section: Whether it holds keys rather than a value. A list whose items hold keys is a value, and its items'
            keys follow it.
    """

    path: str
    takes: str
    default: Any
    required: bool
    unit: str
    description: str
    source: str
    choices: tuple[str, ...]
    section: bool


@cache
def schema_keys() -> Mapping[str, Key]:
    """Every key by its path, sections included, in the order of the schema."""
    from instructerc.experiments.schema import Recipe

    schema = Recipe.model_json_schema()
    return {key.path: key for key in _walk(schema, schema["$defs"], "")}


def children(path: str) -> tuple[str, ...]:
    """Names of the keys directly inside the section at `path` ("" is the recipe itself)."""
    prefix = f"{path}." if path else ""
    inside = (known.removeprefix(prefix) for known in schema_keys() if known.startswith(prefix) and known != path)
    return tuple(name for name in inside if "." not in name)


def nearest_key(path: str) -> str | None:
    """The known key that a wrong path most likely meant: a sibling, or a key of that name elsewhere.

    Example:
        >>> nearest_key("training.epoch"), nearest_key("learning_rate"), nearest_key("qqqq")
        ('training.epochs', 'training.learning_rate', None)
    """
    parent, _, name = path.rpartition(".")
    if parent in schema_keys() or not parent:
        sibling = nearest(name, children(parent))
        if sibling:
            return f"{parent}.{sibling}" if parent else sibling
    by_name: dict[str, str] = {}
    for known in schema_keys():
        by_name.setdefault(known.rpartition(".")[2], known)
    same = by_name.get(nearest(name, by_name) or "")
    return same or nearest(path, schema_keys())


def _walk(node: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[Key]:
    required = node.get("required", ())
    for name, raw in node["properties"].items():
        options = [_resolved(option, definitions) for option in raw.get("anyOf", [raw])]
        inner = next((option for option in options if "properties" in option), None)
        listed = next((_resolved(option["items"], definitions) for option in options if _lists(option)), None)
        yield Key(
            path=f"{prefix}{name}",
            takes=_takes(raw, definitions),
            default=raw.get("default"),
            required=name in required,
            unit=raw.get("unit", ""),
            # A section's own docstring says it where the field would only repeat it.
            description=raw.get("description") or options[0].get("description", ""),
            source=raw.get("source", ""),
            choices=tuple(str(choice) for option in options for choice in _choices(option)),
            section=inner is not None,
        )
        if inner is not None:
            yield from _walk(inner, definitions, f"{prefix}{name}.")
        elif listed is not None and "properties" in listed:
            yield from _walk(listed, definitions, f"{prefix}{name}.")


def _lists(option: Mapping[str, Any]) -> bool:
    return option.get("type") == "array" and "items" in option


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = node.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else node


def _choices(node: Mapping[str, Any]) -> tuple[Any, ...]:
    found = node.get("enum") or ([node["const"]] if "const" in node else ())
    return tuple(found) or (_choices(node["items"]) if "items" in node else ())


def _takes(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    node = _resolved(node, definitions)
    if "takes" in node:
        return str(node["takes"])
    if "anyOf" in node:
        return ", or ".join(_takes(option, definitions) for option in node["anyOf"])
    if node.get("type") == "object":
        return f"the keys {', '.join(node['properties'])}"
    return _takes_list(node, definitions) if node.get("type") == "array" else _takes_scalar(node)


def _takes_scalar(node: Mapping[str, Any]) -> str:
    choices = _choices(node)
    if choices:
        return f"one of {', '.join(map(str, choices))}" if len(choices) > 1 else str(choices[0])
    if node.get("format") == "path":
        return "a path"
    limits = " and ".join(f"{sign} {node[name]}" for name, sign in _LIMITS if name in node)
    words = _WORDS[node["type"]]
    return f"{words} {limits}" if limits else words


def _takes_list(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "prefixItems" in node:
        items = node["prefixItems"]
        return f"a list of {len(items)}, each {_takes(items[0], definitions)}"
    return f"a list, each {_takes(node['items'], definitions)}"
