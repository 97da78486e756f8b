from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from instructerc.errors import EvaluationError, UnknownNameError, UsageError
from instructerc.evaluation import bootstrap_interval, evaluate, mcnemar, paired_bootstrap

LABELS = ("neutral", "joy", "anger")
TURNS = st.lists(st.tuples(*[st.sampled_from(LABELS)] * 3), min_size=1, max_size=60)


def _noisy(turns: int, right: float, seed: int) -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(seed)
    golds = [LABELS[number] for number in np.random.default_rng(0).integers(0, 3, turns)]
    return golds, [gold if generator.random() < right else LABELS[int(generator.integers(3))] for gold in golds]


def _brute_force(golds: list[str], answers: list[str], groups: list[int], samples: int) -> np.ndarray:
    """Resampling as the textbook says it: draw conversations, line up their turns, score them."""
    generator = np.random.default_rng(7)
    members = {group: [turn for turn, other in enumerate(groups) if other == group] for group in set(groups)}
    figures = []
    for _ in range(samples):
        turns = [turn for group in generator.choice(list(members), len(members)) for turn in members[int(group)]]
        scores = evaluate(
            golds=[golds[turn] for turn in turns], predictions=[answers[turn] for turn in turns], labels=LABELS
        )
        figures.append(scores.weighted_f1)
    return np.array(figures)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 10])
def test_the_interval_is_that_of_resampling_by_hand(size: int) -> None:
    golds, answers = _noisy(300, 0.5, seed=1)
    groups = [turn // size for turn in range(300)]
    low, high = np.quantile(_brute_force(golds, answers, groups, 400), [0.025, 0.975])
    interval = bootstrap_interval(
        golds=golds, predictions=answers, labels=LABELS, samples=2000, groups=None if size == 1 else groups
    )
    assert interval.low == pytest.approx(low, abs=0.012)
    assert interval.high == pytest.approx(high, abs=0.012)
    assert interval.estimate == pytest.approx(evaluate(golds=golds, predictions=answers, labels=LABELS).weighted_f1)
    assert interval.unit == ("turns" if size == 1 else "conversations")


def test_conversations_that_are_all_right_or_all_wrong_widen_the_interval() -> None:
    golds = ["joy", "anger"] * 100
    answers = [gold if turn // 20 % 2 else "neutral" for turn, gold in enumerate(golds)]
    groups = [turn // 20 for turn in range(200)]
    turns = bootstrap_interval(golds=golds, predictions=answers, labels=LABELS)
    conversations = bootstrap_interval(golds=golds, predictions=answers, labels=LABELS, groups=groups)
    assert conversations.high - conversations.low > 2 * (turns.high - turns.low)


@settings(max_examples=25)
@given(TURNS, st.sampled_from(["weighted_f1", "macro_f1", "micro_f1", "accuracy", "micro_f1_without_neutral"]))
def test_an_interval_lies_between_0_and_1_and_equal_seeds_give_equal_ones(
    turns: list[tuple[str, str, str]], metric: str
) -> None:
    golds, answers, _ = zip(*turns, strict=True)

    def interval() -> object:
        return bootstrap_interval(
            golds=golds, predictions=answers, labels=LABELS, neutral="neutral", samples=50, seed=3, metric=metric
        )  # type: ignore[call-overload]

    found = interval()
    assert 0 <= found.low <= found.high <= 1  # type: ignore[attr-defined]
    assert found == interval()


def test_more_than_one_chunk_of_samples_is_drawn() -> None:
    golds, answers = _noisy(50, 0.5, seed=1)
    interval = bootstrap_interval(golds=golds, predictions=answers, labels=LABELS, samples=1234)
    assert interval.samples == 1234


@settings(max_examples=25)
@given(TURNS)
def test_exchanging_the_two_systems_turns_the_difference(turns: list[tuple[str, str, str]]) -> None:
    golds, first, second = zip(*turns, strict=True)
    one = paired_bootstrap(golds=golds, first=first, second=second, labels=LABELS, samples=100)
    other = paired_bootstrap(golds=golds, first=second, second=first, labels=LABELS, samples=100)
    assert one.difference == pytest.approx(-other.difference)
    assert one.difference == pytest.approx(one.first - one.second)
    assert 0 < one.p_value <= 1


def test_two_equal_systems_do_not_differ() -> None:
    golds, answers = _noisy(200, 0.5, seed=1)
    paired = paired_bootstrap(golds=golds, first=answers, second=answers, labels=LABELS)
    assert (paired.difference, paired.interval.low, paired.interval.high, paired.p_value) == (0, 0, 0, 1)


def test_a_clear_difference_is_beyond_chance_and_chance_is_not() -> None:
    golds, good = _noisy(600, 0.8, seed=1)
    _, poor = _noisy(600, 0.4, seed=2)
    _, alike = _noisy(600, 0.8, seed=3)
    groups = [turn // 10 for turn in range(600)]
    clear = paired_bootstrap(golds=golds, first=good, second=poor, labels=LABELS, groups=groups)
    assert clear.p_value < 0.01 < clear.interval.low
    chance = paired_bootstrap(golds=golds, first=good, second=alike, labels=LABELS, groups=groups)
    assert chance.p_value > 0.05
    assert chance.interval.low < 0 < chance.interval.high


def test_pairing_narrows_the_interval_of_systems_that_err_alike() -> None:
    golds, first = _noisy(400, 0.6, seed=1)
    second = [gold if turn % 40 == 0 else answer for turn, (gold, answer) in enumerate(zip(golds, first, strict=True))]
    paired = paired_bootstrap(golds=golds, first=second, second=first, labels=LABELS)
    alone = bootstrap_interval(golds=golds, predictions=first, labels=LABELS)
    assert paired.interval.high - paired.interval.low < (alone.high - alone.low) / 2


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3), st.integers(0, 3))
def test_mcnemar_equals_scipys_tests(only_first: int, only_second: int, both: int, neither: int) -> None:
    first = ["a"] * only_first + ["b"] * only_second + ["a"] * both + ["b"] * (neither + 1)
    second = ["b"] * only_first + ["a"] * only_second + ["a"] * both + ["c"] * (neither + 1)
    test = mcnemar(golds=["a"] * len(first), first=first, second=second)
    discordant = only_first + only_second
    assert (test.only_first, test.only_second) == (only_first, only_second)
    if discordant < 25:
        assert test.method == "exact"
        expected = binomtest(only_first, discordant, 0.5).pvalue if discordant else 1.0
        assert test.p_value == pytest.approx(expected)
    else:
        statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / discordant
        assert test.statistic == pytest.approx(statistic)
        assert test.p_value == pytest.approx(chi2.sf(statistic, 1))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"samples": 0}, UsageError, "samples is 0: a bootstrap draws at least one"),
        ({"confidence": 95}, UsageError, "confidence is 95: it must be above 0 and below 1"),
        ({"metric": "f1"}, UnknownNameError, "unknown metric 'f1'"),
        ({"metric": "micro_f1_without_neutral"}, UsageError, "leaves the neutral label out, and none is named"),
        ({"groups": ["c", "c"]}, EvaluationError, "all turns are of one conversation"),
        ({"groups": ["c"]}, EvaluationError, "2 golds and 1 groups"),
        ({"predictions": ["joy"]}, EvaluationError, "2 golds and 1 predictions"),
    ],
)
def test_what_cannot_be_resampled_is_an_error(changed: dict[str, object], error: type[Exception], message: str) -> None:
    arguments = {"golds": ["joy", "anger"], "predictions": ["joy", "joy"], "labels": LABELS, **changed}
    with pytest.raises(error, match=message):
        bootstrap_interval(**arguments)  # type: ignore[arg-type]


def test_mcnemar_wants_as_many_answers_as_golds() -> None:
    with pytest.raises(EvaluationError, match="2 golds and 1 predictions of the second"):
        mcnemar(golds=["a", "a"], first=["a", "a"], second=["a"])
