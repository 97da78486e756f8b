"""Several corpora as one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from instructerc.conversation import Corpus
from instructerc.corpora import corpus_hash, load_corpus
from instructerc.corpora.leak_guard import LeaveIn
from instructerc.corpora.mixing import MIXES, RatioMix, TotalMix, get_mix, mix_corpora, source_of
from instructerc.corpora.sampling import sample_training
from instructerc.corpora.unified import FEELING_WHEEL, RELEASED, LabelMapping
from instructerc.errors import DataError, LabelMappingError, UnknownNameError, UsageError
from tests.corpora.mixed import FIRST, SECOND
from tests.corpora.test_sampling import many, targets

MAPPING = LabelMapping(
    name="m",
    labels=("good", "bad"),
    corpora={"first": {"joy": "good", "anger": "bad"}, "second": {"glad": "good", "mad": "bad"}},
)
LARGE = Corpus("large", ("joy",), train=many(30, 4))
SMALL = Corpus("small", ("joy",), train=many(10, 4))


def test_conversations_of_one_id_stay_two() -> None:
    mixture = mix_corpora([FIRST, SECOND], mapping=MAPPING, protocol=LeaveIn())
    assert [item.id for item in mixture.corpus.train] == ["first:1", "first:2", "second:1"]
    assert [item.id for item in mixture.corpus.validation] == ["first:3", "second:3"]
    assert [item.id for item in mixture.corpus.test] == ["first:4", "second:4"]
    assert (mixture.corpus.name, mixture.corpus.labels, mixture.sources) == (
        "first+second",
        ("good", "bad"),
        ("first", "second"),
    )
    assert [source_of(item.id) for item in mixture.corpus.test] == ["first", "second"]


def test_what_leaks_is_left_out_unless_the_published_protocol_is_asked_for() -> None:
    guarded = mix_corpora([FIRST, SECOND], mapping=MAPPING)
    assert [item.id for item in guarded.corpus.train] == ["first:2", "second:1"]
    assert guarded.leaks.left_out == {"first": ("1",), "second": ()}
    assert guarded.leaks.mark is None
    published = mix_corpora([FIRST, SECOND], mapping=MAPPING, protocol=LeaveIn())
    assert published.leaks.mark is not None
    assert guarded.corpus.test == published.corpus.test


def test_a_part_says_what_its_corpus_brought() -> None:
    first, second = mix_corpora([FIRST, SECOND], mapping=MAPPING).parts
    assert (first.name, first.family, first.labels, first.speakers) == ("first", "custom", ("good", "bad"), 2)
    assert (first.targets, first.available) == (4, 6)
    assert (second.targets, second.available) == (2, 2)


def test_the_ratio_mix_takes_of_each_what_the_single_corpus_takes() -> None:
    for unit in ("turns", "conversations"):
        mixed = mix_corpora([LARGE, SMALL], mix=RatioMix(), fraction=1 / 4, unit=unit)  # type: ignore[arg-type]
        single = {
            (f"{corpus.name}:{name}", turn)
            for corpus in (LARGE, SMALL)
            for name, turn in targets(sample_training(corpus, fraction=1 / 4, unit=unit).train)  # type: ignore[arg-type]
        }
        assert targets(mixed.corpus.train) == single
    assert [part.targets for part in mix_corpora([LARGE, SMALL], fraction=1 / 4).parts] == [30, 10]


def test_the_total_mix_takes_of_all_together() -> None:
    quarter = mix_corpora([LARGE, SMALL], mix=TotalMix(), fraction=1 / 4)
    half = mix_corpora([LARGE, SMALL], mix=TotalMix(), fraction=1 / 2)
    assert sum(part.targets for part in quarter.parts) == 40
    assert [part.targets for part in quarter.parts] != [30, 10]
    assert targets(quarter.corpus.train) < targets(half.corpus.train)


def test_validation_and_test_are_never_sampled() -> None:
    whole = mix_corpora([FIRST, SECOND], mapping=MAPPING)
    for mix in MIXES.values():
        part = mix_corpora([FIRST, SECOND], mapping=MAPPING, mix=mix, fraction=1 / 2, protocol=LeaveIn())
        assert (part.corpus.validation, part.corpus.test) == (whole.corpus.validation, whole.corpus.test)


def test_a_mixture_is_the_same_every_time_and_says_how_it_was_made() -> None:
    mixtures = [mix_corpora([LARGE, SMALL], mix=TotalMix(), fraction=1 / 8, seed=3) for _ in range(2)]
    assert corpus_hash(mixtures[0].corpus) == corpus_hash(mixtures[1].corpus)
    assert mixtures[0].settings == {
        "mapping": None,
        "mix": "total",
        "fraction": 1 / 8,
        "unit": "turns",
        "seed": 3,
        "leaks": "guarded",
    }


@pytest.mark.parametrize(
    ("corpora", "message"),
    [
        ([], "there is no corpus to mix"),
        ([FIRST, FIRST], "two corpora are called first"),
        ([FIRST, replace(FIRST, name="a:b")], "corpus 'a:b' cannot be mixed under that name: give it one without ':'"),
        ([FIRST, SECOND], "corpora first .joy, anger. and second .glad, mad. have different labels: name a mapping"),
    ],
)
def test_corpora_that_do_not_fit_are_refused(corpora: list[Corpus], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mix_corpora(corpora)


def test_labels_without_a_place_are_all_told_at_once() -> None:
    with pytest.raises(LabelMappingError) as caught:
        mix_corpora([FIRST, SECOND], mapping=RELEASED)
    assert [fault.split(": ")[1] for fault in caught.value.faults] == ["first", "second"]


def test_an_id_without_a_corpus_is_refused() -> None:
    for name in ("train-0", ":x"):
        with pytest.raises(DataError, match=f"conversation '{name}' names no corpus"):
            source_of(name)
    with pytest.raises(UnknownNameError, match="did you mean 'total'"):
        get_mix("totl")


@pytest.mark.slow
def test_real_corpora_are_mixed(shared: Path) -> None:
    corpora = [load_corpus(name, folder=shared / "data" / name) for name in ("meld", "emorynlp", "dailydialog")]
    mixture = mix_corpora(corpora, mapping=FEELING_WHEEL, fraction=1 / 64)
    assert [len(mixture.leaks.left_out[name]) for name in mixture.sources] == [67, 101, 1410]
    assert len(mixture.corpus.test) == 280 + 79 + 1000
    assert [part.family for part in mixture.parts] == ["meld", "emorynlp", "dailydialog"]
    assert {turn.emotion for item in mixture.corpus.test for turn in item.utterances} <= set(FEELING_WHEEL.labels)
