"""What asking has cost: requests, tokens, and a price where prices are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What some questions have cost, as the server counted it.

    Attributes:
        requests: Questions that were sent; one that the client library sent again after an error counts once.
        prompt_tokens: Tokens that were read.
        completion_tokens: Tokens that were written.
        uncounted: Answers whose tokens the server did not count.

    Example:
        >>> Usage(requests=1, prompt_tokens=300, completion_tokens=5) + Usage(requests=1, uncounted=1)
        Usage(requests=2, prompt_tokens=300, completion_tokens=5, uncounted=1)
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})

    def price(self, price_input: float | None, price_output: float | None) -> float | None:
        """What the tokens cost.

        Args:
            price_input: Of a million tokens that are read.
            price_output: Of a million tokens that are written.

        Returns:
            A sum in the currency of the prices; None where neither is known, and one that is not known counts nothing.

        Example:
            >>> Usage(prompt_tokens=2_000_000, completion_tokens=500_000).price(0.15, 0.6)
            0.6
        """
        if price_input is None and price_output is None:
            return None
        cost = self.prompt_tokens * (price_input or 0.0) + self.completion_tokens * (price_output or 0.0)
        return cost / MILLION

    def to_json(self) -> dict[str, Any]:
        """A dictionary of the four."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def to_text(self) -> str:
        """The same in a line.

        Example:
            >>> Usage(requests=2610, prompt_tokens=1234567, completion_tokens=20880).to_text()
            '2,610 requests, 1,234,567 prompt tokens, 20,880 completion tokens'
        """
        text = f"{self.requests:,} requests, {self.prompt_tokens:,} prompt tokens, "
        text += f"{self.completion_tokens:,} completion tokens"
        return f"{text}, and {self.uncounted:,} answers without a count" if self.uncounted else text
