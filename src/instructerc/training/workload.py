"""What an epoch puts through the model: how it is read, and how many tokens that takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What goes through the model at once, as counts.

    Attributes:
        tokens: Tokens that have to be read.
        room: Tokens that there is room for: a padded batch is computed whole, a row only as far as it is filled.
        computed: Tokens that are computed, padding included.
    """

    tokens: int
    room: int
    computed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUse:
    """Tokens that go through the model in an epoch.

    Attributes:
        alone: With every example by itself, padding not counted.
        read: As token trees, or as padded batches with their padding.
        passes: Rows of trees, or batches.
        filled: Share of their room that tokens take, 0 to 1. Of a step that is smaller than a row, little.
        largest: Tokens of the largest of them.
        row_tokens: Tokens that a row may hold; None where batches are padded.
    """

    alone: int
    read: int
    passes: int
    filled: float
    largest: int
    row_tokens: int | None = None

    @classmethod
    def of(cls, passes: Iterable[Pass], *, alone: int, trees: bool) -> TokenUse:
        """Adds up the passes of an epoch."""
        found = list(passes)
        room = sum(one.room for one in found)
        return cls(
            alone=alone,
            read=sum(one.computed for one in found),
            passes=len(found),
            filled=sum(one.tokens for one in found) / room if room else 1.0,
            largest=max((one.computed for one in found), default=0),
            row_tokens=max((one.room for one in found), default=0) if trees else None,
        )

    def to_json(self) -> dict[str, int | float | None]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TokenUse:
        """Reads what `to_json` wrote."""
        return cls(**record)

    def __str__(self) -> str:
        """As a line for people.

        Example:
            >>> print(TokenUse(alone=3000, read=1000, passes=2, filled=0.8, largest=600, row_tokens=625))
            1,000 tokens an epoch as trees, 3,000 alone (3.00 times as many); 2 rows of at most 625, 80 % full
            >>> print(TokenUse(alone=3000, read=3600, passes=2, filled=3000 / 3600, largest=1800))
            3,600 tokens an epoch with their padding, 3,000 alone; 2 batches, 83 % full
        """
        full = f"{100 * self.filled:.0f} % full"
        if self.row_tokens is None:
            padded = f"{self.read:,} tokens an epoch with their padding, {self.alone:,} alone"
            return f"{padded}; {self.passes:,} batches, {full}"
        ratio = self.alone / self.read if self.read else 1.0
        saved = f"{self.read:,} tokens an epoch as trees, {self.alone:,} alone ({ratio:.2f} times as many)"
        return f"{saved}; {self.passes:,} rows of at most {self.row_tokens:,}, {full}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How the training examples are read.

    Attributes:
        batches: Token trees or padded batches, and why.
        steps: Which examples make up an optimiser step.
        tokens: Tokens of the first epoch; later ones differ a little.
    """

    batches: str
    steps: str
    tokens: TokenUse

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` takes back."""
        return {"batches": self.batches, "steps": self.steps, "tokens": self.tokens.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Workload:
        """Reads what `to_json` wrote."""
        return cls(batches=record["batches"], steps=record["steps"], tokens=TokenUse.from_json(record["tokens"]))

    def lines(self) -> tuple[str, str]:
        """For people."""
        return f"{self.batches}; a step is {self.steps}", str(self.tokens)
