"""Where downloaded files lie, and whether anything may be downloaded at all."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "INSTRUCTERC_HOME"
OFFLINE_VARIABLES = ("INSTRUCTERC_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_ON = ("1", "true", "yes", "on")


def cache_directory() -> Path:
    """The folder for downloaded files; not created by asking for it.

    `INSTRUCTERC_HOME` names it; without that it is `instructerc` in `XDG_CACHE_HOME`, or in `~/.cache`.

    Example:
        >>> cache_directory().is_absolute()
        True
    """
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore relative paths there.
    parent = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return parent / "instructerc"


def offline_switch() -> str | None:
    """The environment variable that forbids downloads; None where they are allowed."""
    return next((name for name in OFFLINE_VARIABLES if os.environ.get(name, "").strip().lower() in _ON), None)


def offline() -> bool:
    """Whether an environment variable (1, true, yes or on) forbids downloads: ours, or one of the hub's."""
    return offline_switch() is not None
