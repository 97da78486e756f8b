"""Whether demonstrations help, or are copied (method §5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from instructerc.errors import EvaluationError
from instructerc.prompts import Demonstration


@dataclass(frozen=True, slots=True, kw_only=True)
class DemonstrationStatistics:
    """What demonstrations have to do with answers; shares are 0 to 1, None where there is nothing to count.

    Attributes:
        turns: Turns with a right answer and a demonstration.
        shown: Demonstrations of these turns.
        agreement: Share of those demonstrations that have the right label.
        first_agreement: Share of those turns whose first demonstration has it.
        copy_rate: Share of those turns whose answer is the label of the first demonstration.
        wrong_copy_rate: The same, where that label is not the right one: what copying costs.
    """

    turns: int
    shown: int
    agreement: float | None
    first_agreement: float | None
    copy_rate: float | None = None
    wrong_copy_rate: float | None = None

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)


def demonstration_statistics(
    *,
    demonstrations: Sequence[Sequence[Demonstration]],
    golds: Sequence[str | None],
    answers: Sequence[str] | None = None,
) -> DemonstrationStatistics:
    """Counts how often demonstrations have the right label, and how often answers are theirs.

    Args:
        demonstrations: What each turn was shown, best first.
        golds: The right answer of each turn; turns without one, or without a demonstration, are left out.
        answers: What was answered; None where nothing was yet.

    Raises:
        EvaluationError: There are not as many of each.

    Example:
        >>> shown = [[Demonstration("Great!", "joy")], [Demonstration("Fine.", "joy")]]
        >>> found = demonstration_statistics(demonstrations=shown, golds=["joy", "anger"], answers=["joy", "joy"])
        >>> found.agreement, found.copy_rate, found.wrong_copy_rate
        (0.5, 1.0, 1.0)
    """
    lengths = {"demonstrations": len(demonstrations), "golds": len(golds)}
    if answers is not None:
        lengths["answers"] = len(answers)
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise EvaluationError(f"demonstrations do not fit the answers ({found}): give one of each a turn")
    places = [place for place, gold in enumerate(golds) if gold is not None and demonstrations[place]]
    agreeing = [shown.label == golds[place] for place in places for shown in demonstrations[place]]
    first = [demonstrations[place][0].label == golds[place] for place in places]
    copied = [] if answers is None else [demonstrations[place][0].label == answers[place] for place in places]
    wrongly = [copy for copy, right in zip(copied, first, strict=False) if not right]
    return DemonstrationStatistics(
        turns=len(places),
        shown=len(agreeing),
        agreement=_share(agreeing),
        first_agreement=_share(first),
        copy_rate=_share(copied),
        wrong_copy_rate=_share(wrongly),
    )


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
