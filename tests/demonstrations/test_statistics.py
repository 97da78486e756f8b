"""How often demonstrations have the right label, and how often answers copy them."""

from __future__ import annotations

import pytest

from instructerc.demonstrations import demonstration_statistics
from instructerc.errors import EvaluationError
from instructerc.prompts import Demonstration

JOY, ANGER = Demonstration("a", "joy"), Demonstration("b", "anger")


def test_turns_without_a_gold_label_or_a_demonstration_are_left_out() -> None:
    found = demonstration_statistics(
        demonstrations=[[JOY, ANGER], [ANGER], [], [JOY], [ANGER, JOY]],
        golds=["joy", "joy", "joy", None, "joy"],
        answers=["joy", "anger", "anger", "joy", "joy"],
    )
    assert (found.turns, found.shown) == (3, 5)
    assert (found.agreement, found.first_agreement) == (2 / 5, 1 / 3)
    assert (found.copy_rate, found.wrong_copy_rate) == (2 / 3, 1 / 2)
    assert found.to_json()["copy_rate"] == 2 / 3


def test_a_share_of_nothing_is_none() -> None:
    found = demonstration_statistics(demonstrations=[[JOY]], golds=["joy"], answers=["anger"])
    assert (found.copy_rate, found.wrong_copy_rate) == (0.0, None)
    found = demonstration_statistics(demonstrations=[[JOY]], golds=["anger"])
    assert (found.agreement, found.copy_rate, found.wrong_copy_rate) == (0.0, None, None)
    assert demonstration_statistics(demonstrations=[], golds=[]).agreement is None


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"1 demonstrations, 1 golds, 0 answers\): give one of each a turn"):
        demonstration_statistics(demonstrations=[[JOY]], golds=["joy"], answers=[])
