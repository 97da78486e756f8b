"""Turns that are learned from and measured on as well."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.conversation import Conversation, Corpus, Utterance
from instructerc.corpora import load_corpus
from instructerc.corpora.leak_guard import PROTOCOLS, LeaveIn, LeaveOut, get_protocol, without_leaks
from instructerc.corpora.leaks import LeakReport, Overlap, find_leaks
from instructerc.corpora.matching import ExactTurnMatch, TurnMatch
from instructerc.errors import UnknownNameError, UsageError
from tests.corpora.mixed import FIRST, HEARD, SCENE, SECOND, talk


def overlap(report: LeakReport, train: str, evaluated: str, split: str) -> Overlap:
    found = {(item.train, item.evaluated, item.split): item for item in report.overlaps}
    return found[train, evaluated, split]  # type: ignore[index]


def test_a_shared_turn_is_found_whatever_its_case_and_punctuation() -> None:
    report = find_leaks([FIRST, SECOND])
    assert len(report.overlaps) == 8
    shared = overlap(report, "first", "second", "validation")
    assert (shared.turns, shared.shared, shared.conversations, shared.sharing(), shared.sharing(2)) == (1, 1, 1, 1, 0)
    [example] = shared.examples
    assert (example.text, example.conversation, example.turn) == (HEARD, "3", 0)
    assert (example.train_text, example.train_conversation) == (SCENE, "1")
    assert sum(item.shared for item in report.overlaps) == 1
    assert report.leaking() == {"first": ("1",), "second": ()}
    assert report.leaking(2) == {"first": (), "second": ()}


def test_turns_that_two_people_say_independently_do_not_count() -> None:
    corpus = replace(FIRST, train=(talk("1", ("Oh my God!", "joy")),), test=(talk("2", ("Oh my God!", "joy")),))
    assert find_leaks([corpus]).leaking() == {"first": ()}
    assert find_leaks([corpus], match=TurnMatch(minimum_words=3)).leaking() == {"first": ("1",)}


def test_a_turn_of_marks_alone_is_like_no_other() -> None:
    corpus = replace(FIRST, train=(talk("1", ("! ! ! ! !", "joy")),), test=(talk("2", ("? ? ? ? ?", "joy")),))
    assert find_leaks([corpus], match=TurnMatch(minimum_words=1)).leaking() == {"first": ()}
    assert find_leaks([corpus]).overlaps[1].duplicates == ()


def test_a_conversation_that_stands_in_training_as_a_whole_is_named() -> None:
    corpus = Corpus(
        "own",
        ("joy",),
        train=(talk("a", ("It costs 5 pounds.", "joy"), ("OK!", None)),),
        test=(talk("b", ("it costs 7 pounds", "joy"), ("ok", None)), talk("c", ("OK!", "joy"))),
    )
    assert overlap(find_leaks([corpus]), "own", "own", "test").duplicates == ("b",)


def test_what_leaks_is_left_out_and_nothing_else() -> None:
    (first, second), report = without_leaks(FIRST, SECOND)
    assert [item.id for item in first.train] == ["2"]
    assert (first.validation, first.test) == (FIRST.validation, FIRST.test)
    assert second is SECOND
    assert report.left_out == {"first": ("1",), "second": ()}
    assert report.mark is None
    assert report.summary == (
        "training conversations that share turns with validation or test: 1 of 2 of first, 0 of 1 of second: left out"
    )


def test_two_shared_turns_can_be_asked_for_and_what_stays_is_marked() -> None:
    (first, _), report = without_leaks(FIRST, SECOND, minimum_turns=2)
    assert first is FIRST
    assert report.mark == "guarded protocol: 1 training conversations share turns with validation or test"
    with pytest.raises(UsageError, match="minimum_turns is 0"):
        LeaveOut(minimum_turns=0)


def test_the_published_protocol_leaves_all_in_and_marks_it() -> None:
    kept, report = LeaveIn().apply([FIRST, SECOND])
    assert kept == (FIRST, SECOND)
    assert report.left_out == {}
    assert report.mark == "published protocol: 1 training conversations share turns with validation or test"
    assert report.summary.endswith("nothing left out")
    _, report = LeaveIn().apply([SECOND])
    assert report.mark == "published protocol: 0 training conversations share turns with validation or test"
    assert find_leaks([SECOND]).mark is None


def test_an_id_of_one_corpus_says_nothing_about_another() -> None:
    other = replace(FIRST, name="other", labels=FIRST.labels)
    kept, report = without_leaks(FIRST, SECOND, other)
    assert report.left_out == {"first": ("1",), "second": (), "other": ("1",)}
    assert [len(corpus.train) for corpus in kept] == [1, 1, 1]


def test_corpora_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two corpora are called first: give each a name of its own"):
        find_leaks([FIRST, SECOND, FIRST])


def test_a_protocol_is_found_by_name() -> None:
    assert get_protocol("guarded") == LeaveOut()
    assert set(PROTOCOLS) == {"guarded", "published"}
    with pytest.raises(UnknownNameError, match="did you mean 'published'"):
        get_protocol("publisd")


def test_a_report_is_plain_json() -> None:
    _, report = without_leaks(FIRST, SECOND)
    record = json.loads(json.dumps(report.to_json()))
    assert record["left_out"] == {"first": ["1"], "second": []}
    assert record["overlaps"][2]["sharing"] == 1


texts = st.sampled_from(["one two three four five", "a b c d e f", "six seven eight nine ten", "short", ""])
conversations = st.lists(st.lists(texts, min_size=1, max_size=3), max_size=5).map(
    lambda said: tuple(
        Conversation(str(name), tuple(Utterance("A", text) for text in turns)) for name, turns in enumerate(said)
    )
)
corpora = st.builds(
    lambda train, validation, test: Corpus("c", ("joy",), train, validation, test),
    conversations,
    conversations,
    conversations,
)


@given(corpora, corpora)
def test_after_the_guard_nothing_is_shared_and_the_guard_is_idempotent(one: Corpus, other: Corpus) -> None:
    kept, report = without_leaks(one, replace(other, name="d"))
    assert [item.shared for item in find_leaks(kept).overlaps] == [0] * 8
    again, _ = without_leaks(*kept)
    assert again == kept
    for before, after in zip((one, other), kept, strict=True):
        assert set(after.train) <= set(before.train)
        assert len(before.train) - len(after.train) == len(report.left_out[after.name])


@pytest.fixture(scope="module")
def real(shared: Path) -> dict[str, Corpus]:
    return {name: load_corpus(name, folder=shared / "data" / name) for name in ("meld", "emorynlp", "dailydialog")}


def test_meld_and_emorynlp_share_what_the_method_says(real: dict[str, Corpus]) -> None:
    report = find_leaks([real["meld"], real["emorynlp"]], match=ExactTurnMatch())
    meld = overlap(report, "emorynlp", "meld", "test")
    emorynlp = overlap(report, "meld", "emorynlp", "test")
    assert (meld.shared, meld.turns, meld.sharing(2), meld.conversations) == (220, 1690, 52, 280)
    assert (emorynlp.shared, emorynlp.turns, emorynlp.sharing(2), emorynlp.conversations) == (86, 564, 16, 79)


def test_letters_find_what_a_dash_or_a_blank_hides(real: dict[str, Corpus]) -> None:
    report = find_leaks([real["meld"], real["emorynlp"]])
    meld = overlap(report, "emorynlp", "meld", "test")
    emorynlp = overlap(report, "meld", "emorynlp", "test")
    assert (meld.shared, meld.sharing(), meld.sharing(2)) == (247, 69, 57)
    assert (emorynlp.shared, emorynlp.sharing(), emorynlp.sharing(2)) == (89, 18, 16)
    assert {name: len(ids) for name, ids in report.leaking().items()} == {"meld": 63, "emorynlp": 97}
    assert {name: len(ids) for name, ids in report.leaking(2).items()} == {"meld": 44, "emorynlp": 73}


@pytest.mark.slow
def test_dailydialog_holds_conversations_twice(real: dict[str, Corpus]) -> None:
    report = find_leaks([real["dailydialog"]])
    assert {item.split: len(item.duplicates) for item in report.overlaps} == {"validation": 124, "test": 150}
    (kept,), report = without_leaks(real["dailydialog"])
    assert len(report.left_out["dailydialog"]) == 1398
    assert [len(item.duplicates) for item in find_leaks([kept]).overlaps] == [0, 0]


def test_corpora_that_have_nothing_in_common_share_single_turns_only(real: dict[str, Corpus]) -> None:
    daily = replace(real["dailydialog"], validation=(), test=())
    report = find_leaks([daily, replace(real["meld"], train=()), replace(real["emorynlp"], train=())])
    assert len(report.leaking()["dailydialog"]) == 18  # of 11,118: said by chance
    assert report.leaking(2)["dailydialog"] == ()
