"""Which turns a prompt shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from instructerc.errors import UsageError

Context = Literal["past", "both"]
"""`past`: turns up to the target. `both`: turns after it as well, which the published task forbids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The turns around a target turn that its prompt shows (method §3).

    ```
    turn         0 1 2 3 4 5 6 7 8        target 7
    size 3               4 5 6 7          stride 1: exactly 3 turns before the target
    size 3             3 4 5 6 7          stride 3: starts at 0, 3, 6 …: 3 to 5 turns before it
    ```

    A window that starts at the same turn for several targets lets them share their history.

    Attributes:
        size: Turns before the target, 12 by default as published; None shows all of them.
        stride: Step, in turns, in which the start of the window moves; 1 is the published window.
        context: Whether turns after the target are shown too (`size` of them at most).
    """

    size: int | None = 12
    stride: int = 1
    context: Context = "past"

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 0:
            raise UsageError(f"window.size is {self.size}: give the number of turns before the target, 0 or more")
        if self.stride < 1:
            raise UsageError(f"window.stride is {self.stride}: give a number of turns, 1 or more")
        if self.context not in get_args(Context):
            raise UsageError(f"window.context is {self.context!r}: choose one of {', '.join(get_args(Context))}")

    def turns(self, target: int, length: int) -> range:
        """The turns that are shown, the target among them.

        Args:
            target: Number of the target turn.
            length: Turns of the conversation.

        Example:
            >>> (
            ...     Window(size=3).turns(7, 9),
            ...     Window(size=3, stride=3).turns(7, 9),
            ...     Window(size=1, context="both").turns(7, 9),
            ... )
            (range(4, 8), range(3, 8), range(6, 9))
        """
        start = 0 if self.size is None else max(target - self.size, 0) // self.stride * self.stride
        if self.context == "past":
            return range(start, target + 1)
        return range(start, length if self.size is None else min(target + self.size + 1, length))

    def to_json(self) -> dict[str, Any]:
        """A dictionary of the three settings."""
        return {"size": self.size, "stride": self.stride, "context": self.context}
