"""The course of a training, on disk as it happens: `curves.jsonl`.

```
{"step": 10, "epoch": 0.07, "loss": 2.31, "learning_rate": 0.0002}
{"step": 140, "epoch": 1.0, "validation": {"weighted_f1": 0.51, …}}
```
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instructerc.assets import write_atomically
from instructerc.evaluation import METRICS, Metric
from instructerc.training.checkpoints import saying_what_is_full

SELECTION = "weighted_f1"
"""Validation figure by which an epoch is chosen, where no decisions are fitted."""


FITTED = "fitted_"
"""What the name of a figure begins with that fitted decisions reach."""


def chosen_by(figures: Mapping[str, float]) -> str:
    """The figure of a validation that epochs are compared by: that of fitted decisions, where it has one.

    Example:
        >>> chosen_by({"weighted_f1": 0.5, "fitted_macro_f1": 0.4}), chosen_by({"weighted_f1": 0.5})
        ('fitted_macro_f1', 'weighted_f1')
    """
    return next((name for name in figures if name.startswith(FITTED)), SELECTION)


@dataclass(slots=True)
class Curves:
    """Rows of the course, kept in memory and on disk.

    Attributes:
        path: The file.
        rows: All rows so far.
        writes: Whether this process writes the file; several that train together have the same rows.
    """

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    writes: bool = True

    @classmethod
    def resume(cls, path: Path, *, step: int, writes: bool = True) -> Curves:
        """The rows up to `step`; later ones belong to steps that will be taken again, and are cut."""
        rows = []
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                except ValueError:  # the line that a kill tore
                    break
                if row["step"] <= step:
                    rows.append(row)
        if writes:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows))
        return cls(path, rows, writes)

    def add(self, row: Mapping[str, Any]) -> None:
        """Appends a row.

        Raises:
            NotWrittenError: There is no room for it.
        """
        self.rows.append(dict(row))
        if not self.writes:
            return
        with saying_what_is_full(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """The rows of validations, in order."""
        return [row for row in self.rows if "validation" in row]

    @property
    def best(self) -> dict[str, Any] | None:
        """The validation with the highest figure, the earliest on ties."""
        evaluations = self.evaluations
        return max(evaluations, key=lambda row: row["validation"][chosen_by(row["validation"])], default=None)

    def decision(self, wanted: Metric | None) -> Metric | None:
        """What epochs are compared by: what they were compared by before, so that one figure compares all of them."""
        if not self.evaluations:
            return wanted
        first = self.evaluations[0]["validation"]
        return next((metric for metric in METRICS if FITTED + metric in first), None)

    @property
    def since_best(self) -> int:
        """Validations after the best one."""
        evaluations = self.evaluations
        best = self.best
        return len(evaluations) - 1 - evaluations.index(best) if best is not None else 0

    def stalled(self, patience: int | None) -> bool:
        """Whether so many validations in a row brought nothing better; never where `patience` is None."""
        return patience is not None and bool(self.evaluations) and self.since_best >= patience
