"""What a run's figures depend on, as plain values: the same for two cells means that one run serves both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from instructerc.experiments.rules import flat_values, silenced, within

if TYPE_CHECKING:
    from instructerc.experiments.resolve import Resolved

WITHOUT_EFFECT = (
    *("name", "description", "output", "data.folder", "evaluation.baselines", "evaluation.bootstrap"),
    *("checkpoints.keep", "recognition.batch_size", "training.tracking", "training.micro_batch"),
    *("training.row_tokens", "training.auto_batch", "training.save_every"),
)
"""Keys and sections that no figure depends on."""


def setting_of(resolved: Resolved) -> dict[str, Any]:
    """Values by dotted path that figures depend on, as far as they differ from the schema's defaults.

    Defaults are left out, so that a key which a later version adds does not make an old result another one.

    Example:
        >>> from instructerc.experiments.resolve import resolve
        >>> setting_of(resolve("meld", ["seed=3"]))["window.stride"]
        4
    """
    from instructerc.experiments.keys import schema_keys

    keys = schema_keys()
    values = resolved.recipe.model_dump(mode="json")
    return {
        path: value
        for path, value in flat_values(values).items()
        if not any(within(path, key) for key in WITHOUT_EFFECT)
        and not (path in keys and _plain(keys[path].default) == value)
        and silenced(values, path) is None
    }


def key_of(setting: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that change with every value of a setting.

    Example:
        >>> key_of({"seed": 1, "training.epochs": 2}) == key_of({"training.epochs": 2, "seed": 1})
        True
    """
    text = json.dumps(_compact(setting), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:12]


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Paths whose values differ, with both values; a default stands for what a setting leaves out.

    Example:
        >>> differing({"training.epochs": 2}, {"training.epochs": 4, "window.stride": 4})
        [('training.epochs', 2, 4), ('window.stride', 1, 4)]
    """
    from instructerc.experiments.keys import schema_keys

    keys = schema_keys()

    def value(setting: Mapping[str, Any], path: str) -> Any:
        return setting[path] if path in setting else _plain(keys[path].default) if path in keys else None

    paths = dict.fromkeys([*one, *other])
    return [
        (path, value(one, path), value(other, path))
        for path in paths
        if _compact(value(one, path)) != _compact(value(other, path))
    ]


def value_of(setting: Mapping[str, Any], path: str) -> Any:
    """A value of a setting, which leaves defaults out.

    Example:
        >>> value_of({}, "prompt.wording")
        'compact'
    """
    from instructerc.experiments.keys import schema_keys

    return setting[path] if path in setting else _plain(schema_keys()[path].default)


def _plain(value: Any) -> Any:
    """A default as YAML has it."""
    return list(value) if isinstance(value, tuple) else value


def _compact(value: Any) -> Any:
    """Without what is null inside lists and mappings: a stage's key that is left out is the stage's default."""
    if isinstance(value, Mapping):
        return {name: _compact(item) for name, item in value.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_compact(item) for item in value]
    return value
