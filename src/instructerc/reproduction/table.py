"""A table of a paper: what it reports, and which runs would report the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

Overrides = Mapping[str, Any]
"""Values of recipe keys by dotted path, as `instructerc run --set` takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A figure as the paper prints it.

    Attributes:
        value: Weighted F1 times 100.
        deviation: What stands behind its ±, times 100; None where nothing does.
        text: The figure with the decimals that the paper gives it.
    """

    value: float
    deviation: float | None = None
    text: str

    def __str__(self) -> str:
        return self.text if self.deviation is None else f"{self.text} ± {self.deviation:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What a table varies beside its rows: a window, a weight, a fraction.

    Attributes:
        title: What it is, for headings and plots.
        values: Overrides of each value, by the value as the paper writes it, in the order of the paper.
        scale: How plots place the values.
    """

    title: str
    values: Mapping[str, Overrides]
    scale: Literal["linear", "log"] = "linear"

    def place(self, value: str) -> float:
        """Where a value stands on the axis of a plot: its number, or its rank where it is none.

        Example:
            >>> axis = Axis(title="fraction", values={"1": {}, "1/4": {}, "all": {}})
            >>> axis.place("1/4"), axis.place("all")
            (0.25, 2.0)
        """
        try:
            return float(Fraction(value))
        except ValueError:
            return float(list(self.values).index(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A system of a table.

    Attributes:
        name: A word that names it on the command line and in folders.
        title: What the table calls it.
        overrides: What sets it apart from the other rows; None where it is reported only, and nothing is run.
        published: What is set as well where the base is the published setting: numbers that suit its backbone.
        backbone: The backbone that its figures were reported with; empty where it does not matter.
        mixture: Whether one training learns from all corpora together, and is measured on each.
        marks: What a reader has to know beside each of its figures.
        at: Further overrides at single values of the axis.
        reported_with: What its reported figures were made with where its runs differ from that on purpose.
        reported: Figures by corpus and value of the axis ("" without an axis).
    """

    name: str
    title: str
    overrides: Overrides | None = None
    published: Overrides = field(default_factory=dict)
    backbone: str = ""
    mixture: bool = False
    marks: tuple[str, ...] = ()
    at: Mapping[str, Overrides] = field(default_factory=dict)
    reported_with: Overrides = field(default_factory=dict)
    reported: Mapping[str, Mapping[str, Reported]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a paper.

    Attributes:
        name: A word that names it on the command line and its files.
        title: Its heading.
        source: Where it was reported.
        corpora: What `data.corpus` takes, by the corpus' name, in the order of the paper.
        rows: Its systems, in its order.
        backbone: The backbone of the paper; empty where nothing was published to compare settings with.
        runs: How many runs a reported figure is the mean of; None where that is not known.
        settings: What every run has, unless the command line says otherwise.
        published: What is set as well where the base is the published setting.
        axis: What it varies beside its rows; None where it does not.
        shows: Figures of the report's group "Demonstrations" that get a column.
        note: What a reader of the paper's own figures has to know.
    """

    name: str
    title: str
    source: str
    corpora: Mapping[str, str]
    rows: tuple[Row, ...]
    backbone: str = ""
    runs: int | None = None
    settings: Overrides = field(default_factory=dict)
    published: Overrides = field(default_factory=dict)
    axis: Axis | None = None
    shows: tuple[str, ...] = ()
    note: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """The values of its axis; one empty value where it has none."""
        return ("",) if self.axis is None else tuple(self.axis.values)

    def row(self, name: str) -> Row:
        """The row of that name.

        Raises:
            UnknownNameError: There is none.
        """
        from instructerc.errors import UnknownNameError

        for row in self.rows:
            if row.name == name:
                return row
        raise UnknownNameError(f"row of table {self.name}", name, [row.name for row in self.rows])
