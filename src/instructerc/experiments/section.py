"""What the sections of a recipe are made of: kinds of values, documented keys, and sections that take no others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

# Models are classes, so pydantic is needed while this module is made; who imports it does so inside a function.
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator  # noqa: TID253

# YAML knows numbers, switches and texts: taking "6" or true for 6 would hide a slip.
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Switch = Annotated[bool, Strict()]
Text = Annotated[str, Field(min_length=1)]
Location = Annotated[Path, AfterValidator(lambda path: path.expanduser())]


def key(default: Any, description: str, *, unit: str = "", source: str = "", takes: str = "", **limits: Any) -> Any:
    """A documented key of a section.

    Args:
        default: What holds where the recipe says nothing.
        description: What the key does and what it trades, one or two sentences.
        unit: What a number counts.
        source: Where the default stands in the paper or its code; empty where it is ours.
        takes: The values it takes, in words; empty where the type says it.
        **limits: pydantic's constraints (`ge`, `le`, `min_length`, …).
    """
    about: dict[str, Any] = {"unit": unit, "source": source}
    if takes:
        about["takes"] = takes
    return Field(default, description=description, json_schema_extra=about, **limits)


def section(description: str, model: type[BaseModel]) -> Any:
    """A section of a recipe: a mapping of keys, all of which have defaults."""
    return Field(default_factory=model, description=description)


class Section(BaseModel):
    """Frozen; a key that is not declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, given: Any) -> Any:
        # `training:` with every key commented out is null in YAML, and means the defaults.
        return {} if given is None else given
