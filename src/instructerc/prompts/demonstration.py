"""Labelled utterances that a prompt shows as examples, and where it shows them (method §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from instructerc.conversation import Conversation
from instructerc.errors import UsageError

Placement = Literal["after", "before"]
"""`after`: with the question, behind the history, as in the paper's Figure 2. `before`: ahead of the history."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """An utterance with its label, shown so that a model sees one worked answer. Who said it is not part of it.

    Attributes:
        text: What was said.
        label: The emotion, spelt as in the label set of the prompt.

    Example:
        >>> Demonstration("Oh my God. Guess what, guess what?", "excited").label
        'excited'
    """

    text: str
    label: str


ChosenDemonstrations = Callable[[Conversation], Sequence[Sequence[Demonstration]]] | Sequence[Sequence[Demonstration]]
"""Demonstrations for every turn of a conversation, or a function that chooses them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemonstrationSpec:
    """How many demonstrations a prompt shows, and where. Which ones is none of its business.

    With `after`, all prompts of a conversation still share their history, which token trees then read once. With
    `before`, they share nothing behind the instruction.

    Attributes:
        count: Demonstrations of a prompt, 1 as in the paper; a turn for which fewer were found shows fewer.
        placement: Where they stand.

    Raises:
        UsageError: A setting is out of range.
    """

    count: int = 1
    placement: Placement = "after"

    def __post_init__(self) -> None:
        if not isinstance(self.count, int) or isinstance(self.count, bool) or self.count < 1:
            raise UsageError(f"demonstrations.count is {self.count!r}: give a number of demonstrations, 1 or more")
        if self.placement not in get_args(Placement):
            raise UsageError(
                f"demonstrations.placement is {self.placement!r}: choose one of {', '.join(get_args(Placement))}"
            )

    def to_json(self) -> dict[str, Any]:
        """A dictionary of the two settings."""
        return {"count": self.count, "placement": self.placement}


def demonstrations_by_turn(
    conversation: Conversation, chosen: ChosenDemonstrations
) -> tuple[tuple[Demonstration, ...], ...]:
    """What was chosen for a conversation: one tuple a turn.

    Raises:
        UsageError: There is not one for each turn.
    """
    found = tuple(tuple(turn) for turn in (chosen(conversation) if callable(chosen) else chosen))
    if len(found) != len(conversation):
        raise UsageError(
            f"conversation {conversation.id!r} has {len(conversation)} turns, and demonstrations for {len(found)} were "
            "given: give one sequence a turn, empty where there is none"
        )
    return found


def shown_demonstrations(
    spec: DemonstrationSpec | None, task: str, given: Sequence[Demonstration] | None
) -> tuple[Demonstration, ...]:
    """The demonstrations of one prompt; nothing is left out or made up silently.

    Raises:
        UsageError: They do not fit what the prompt says about demonstrations.
    """
    if task != "recognition":
        if given:
            raise UsageError(f"task {task!r} shows no demonstrations: give them for recognition only")
        return ()
    if spec is None:
        if given:
            raise UsageError("demonstrations were given for a prompt that shows none: set the spec's demonstrations")
        return ()
    if given is None:
        raise UsageError(
            f"this prompt shows up to {spec.count} demonstrations and got none: give demonstrations=…, empty where "
            "there are none to show"
        )
    if len(given) > spec.count:
        raise UsageError(f"{len(given)} demonstrations for a prompt that shows {spec.count}: give as many at most")
    return tuple(given)
