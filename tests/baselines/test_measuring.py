"""Baselines on a corpus: predictions, figures, options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from instructerc.baselines import EmbeddingNearest, EncoderClassifier, Majority, configured, measure_baselines
from instructerc.baselines.registry import BASELINES, OPTIONS
from instructerc.conversation import Conversation, Corpus
from instructerc.errors import UnknownNameError, UsageError
from instructerc.testing import tiny_corpus
from tests.baselines.encoders import LetterEncoder, talk


class _Refuses(Majority):
    __slots__ = ()

    def require(self) -> None:
        raise UsageError("a library is missing")


class _Counts(Majority):
    __slots__ = ()
    fitted: ClassVar[list[int]] = []

    def fit(self, conversations: Any, validation: Any = (), **told: Any) -> Any:
        self.fitted.append(len(validation))
        return Majority().fit(conversations)


def test_a_result_holds_a_prediction_a_turn_and_its_figures() -> None:
    test = (talk("t", ("hi", "joy"), ("hm", None)), Conversation("empty", ()))
    corpus = replace(tiny_corpus(), test=test)
    (result,) = measure_baselines(corpus, {"majority": Majority()})
    assert [(row.conversation, row.turn, row.gold, row.emotion) for row in result.rows] == [
        ("t", 0, "joy", "neutral"),
        ("t", 1, None, "neutral"),
    ]
    assert (result.scores.support, result.scores.skipped, result.scores.accuracy) == (1, 1, 0)
    assert result.rows[0].model.startswith("majority-")
    assert result.seconds >= 0
    assert result.processor_seconds >= 0


def test_settings_are_named_in_the_predictions() -> None:
    methods = {f"{count}": EmbeddingNearest(encoder=LetterEncoder(), neighbours=count) for count in (1, 2)}
    one, two = measure_baselines(tiny_corpus(), methods)
    assert one.settings == {"encoder": "a, b, c", "neighbours": 1}
    assert one.rows[0].model != two.rows[0].model


def test_what_a_baseline_lacks_is_said_before_any_is_fitted() -> None:
    _Counts.fitted.clear()
    with pytest.raises(UsageError, match="a library is missing"):
        list(measure_baselines(tiny_corpus(), {"counts": _Counts(), "refuses": _Refuses()}))
    assert _Counts.fitted == []


def test_validation_is_within_reach() -> None:
    _Counts.fitted.clear()
    list(measure_baselines(tiny_corpus(), {"counts": _Counts()}))
    assert _Counts.fitted == [len(tiny_corpus().validation)]


def test_a_baseline_is_measured_as_soon_as_it_is_fitted() -> None:
    _Counts.fitted.clear()
    results = measure_baselines(tiny_corpus(), {"majority": Majority(), "counts": _Counts()})
    assert next(results).name == "majority"
    assert _Counts.fitted == []


def test_options_reach_the_baselines_that_have_them() -> None:
    chosen = configured(BASELINES, encoder="mine", neighbours=1, history=0, epochs=7, seed=3)
    assert list(chosen) == list(BASELINES)
    assert chosen["encoder"] == EncoderClassifier(name="mine", history=0, epochs=7, seed=3)
    assert isinstance(chosen["embedding-nearest"], EmbeddingNearest)
    assert (chosen["embedding-nearest"].encoder.name, chosen["embedding-nearest"].neighbours) == ("mine", 1)  # type: ignore[attr-defined]
    assert configured(["tfidf"], seed=3)["tfidf"].seed == 3  # type: ignore[attr-defined]
    assert configured(BASELINES) == dict(BASELINES)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_means_nothing_is_an_error(option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} goes with .*, and majority was chosen"):
        configured(["majority"], **{option: 1})


def test_an_unknown_baseline_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'embedding-nearest'"):
        configured(["embedding-nearst"])


def test_a_corpus_without_validation_is_fine() -> None:
    corpus = Corpus("c", tiny_corpus().labels, tiny_corpus().train, (), tiny_corpus().test)
    assert [result.name for result in measure_baselines(corpus, configured(["majority", "tfidf"]))] == [
        "majority",
        "tfidf",
    ]
