"""What is done about leaks where corpora are mixed: left out, or left in and marked (method §12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from instructerc.conversation import Corpus
from instructerc.corpora.leaks import LeakReport, find_leaks
from instructerc.corpora.matching import TurnMatch
from instructerc.errors import UnknownNameError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOut:
    """Training conversations that share turns with any validation or test conversation in play are left out.

    Attributes:
        minimum_turns: From how many different shared turns on. With 1, no turn of five words or more is learned from
            and measured on as well.
        match: When two turns are the same.
    """

    name: ClassVar[str] = "guarded"
    minimum_turns: int = 1
    match: TurnMatch = field(default_factory=TurnMatch)

    def __post_init__(self) -> None:
        if self.minimum_turns < 1:
            raise UsageError(f"minimum_turns is {self.minimum_turns}: give a number of shared turns, 1 or more")

    def apply(self, corpora: Sequence[Corpus]) -> tuple[tuple[Corpus, ...], LeakReport]:
        """The corpora without what leaks, and what was found."""
        report = find_leaks(corpora, match=self.match)
        out = report.leaking(self.minimum_turns)
        kept = tuple(_without(corpus, frozenset(out[corpus.name])) for corpus in corpora)
        return kept, replace(report, left_out=out, protocol=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveIn:
    """The published protocol: nothing is left out. `LeakReport.mark` says so, beside every result.

    Attributes:
        match: When two turns are the same.
    """

    name: ClassVar[str] = "published"
    match: TurnMatch = field(default_factory=TurnMatch)

    def apply(self, corpora: Sequence[Corpus]) -> tuple[tuple[Corpus, ...], LeakReport]:
        """The corpora as they are, and what was found."""
        return tuple(corpora), replace(find_leaks(corpora, match=self.match), protocol=self.name)


LeakProtocol = LeaveOut | LeaveIn

PROTOCOLS: Mapping[str, LeakProtocol] = {protocol.name: protocol for protocol in (LeaveOut(), LeaveIn())}
"""Every way to treat leaks that has a name; `guarded` is the default."""


def get_protocol(name: str) -> LeakProtocol:
    """The way to treat leaks of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("leak protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def without_leaks(
    *corpora: Corpus, minimum_turns: int = 1, match: TurnMatch | None = None
) -> tuple[tuple[Corpus, ...], LeakReport]:
    """Leaves out every training conversation that shares turns with a validation or test conversation of the corpora.

    Args:
        corpora: All corpora in play.
        minimum_turns: From how many different shared turns on.
        match: When two turns are the same; None: same letters and digits, five words or more.

    Returns:
        The corpora, validation and test untouched, and what was found and left out.

    Example:
        >>> from instructerc.conversation import Conversation, Utterance
        >>> scene = (Utterance("A", "Well, that was all I had.", "joy"),)
        >>> corpus = Corpus("mine", ("joy",), train=(Conversation("1", scene),), test=(Conversation("2", scene),))
        >>> (kept,), report = without_leaks(corpus)
        >>> kept.train, report.left_out
        ((), {'mine': ('1',)})
    """
    return LeaveOut(minimum_turns=minimum_turns, match=match or TurnMatch()).apply(corpora)


def _without(corpus: Corpus, left_out: frozenset[str]) -> Corpus:
    if not left_out:
        return corpus
    return replace(corpus, train=tuple(item for item in corpus.train if item.id not in left_out))
