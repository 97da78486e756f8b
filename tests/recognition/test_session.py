"""Live conversations: one turn at a time gives what the whole conversation so far gives."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import BackboneError, DataError, MemoryExhaustedError, PromptTooLongError, UsageError
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.predictions import TurnPrediction
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.session import RecognitionSession, SessionStatistics
from instructerc.testing import TINY_LABELS, tiny_conversation
from tests.prompts.strategies import speakers, texts
from tests.tiny_models import load, tiny_bloom, tiny_mistral

PREFIXES = ("joy", "joyful", "joyfulness", "sad")
SAID = ("We won!", "", "Great.", "You lost my keys!", "🙂‍↔️ oh", "no", "I have to go now.", "two\nlines", '"***"')


def recognizer_of(backbone: Backbone, **settings: Any) -> EmotionRecognizer:
    names = ("labels", "wording", "window", "speakers", "speaker_order")
    asked = {name: settings.pop(name) for name in names if name in settings}
    spec = PromptSpec(**{"labels": TINY_LABELS, "wording": "compact", **asked})
    return EmotionRecognizer(backbone=backbone, prompt=spec, **settings)


def talk(turns: int, *, seed: int = 0) -> Iterator[tuple[str, str]]:
    chance = random.Random(seed)
    for _ in range(turns):
        yield chance.choice(("Ann", "Bo", "***")), chance.choice(SAID)


def alone(recognizer: EmotionRecognizer, conversation: Conversation) -> TurnPrediction:
    """The last turn of a conversation, without any cache."""
    return recognizer.recognize(conversation)[-1]


def assert_same(found: TurnPrediction, expected: TurnPrediction) -> None:
    assert found.probabilities is not None
    assert expected.probabilities is not None
    assert list(found.probabilities) == list(expected.probabilities)
    assert list(found.probabilities.values()) == pytest.approx(list(expected.probabilities.values()), rel=0, abs=1e-5)
    first, second = ({**row.to_json(), "probabilities": None} for row in (found, expected))
    likeliest = sorted(expected.probabilities.values())[-2:]
    if likeliest[1] - likeliest[0] < 1e-5:  # as good as equal: either is right
        first["emotion"] = second["emotion"]
    assert first == second


def assert_as_from_scratch(
    recognizer: EmotionRecognizer, turns: Sequence[tuple[str, str]], *, each: int = 1
) -> RecognitionSession:
    session = recognizer.session("said")
    for number, (speaker, text) in enumerate(turns):
        found = session.add(speaker, text)
        if number % each == 0 or number == len(turns) - 1:
            assert_same(found, alone(recognizer, session.conversation))
    assert [(turn.speaker, turn.text) for turn in session.conversation.utterances] == list(turns)
    assert [row.turn for row in session.predictions] == list(range(len(turns)))
    return session


def test_a_turn_gets_the_prediction_of_the_conversation_so_far(llama: Backbone) -> None:
    recognizer = recognizer_of(llama, model_hash="abc")
    session = recognizer.session(id="call-17")
    found = [session.add(turn.speaker, turn.text) for turn in tiny_conversation().utterances]
    assert session.conversation == Conversation("call-17", tiny_conversation().utterances)
    assert session.predictions == tuple(found)
    assert [(row.conversation, row.turn, row.model) for row in found] == [("call-17", turn, "abc") for turn in range(4)]
    for row, expected in zip(found, recognizer.recognize(session.conversation), strict=True):
        assert_same(row, expected)


@pytest.mark.parametrize("size", [0, 2, 12, None])
@pytest.mark.parametrize("stride", [1, 3, 12])
@pytest.mark.parametrize("limit", [None, 70], ids=["whole", "cut to 70 tokens"])
def test_any_window_is_exact(llama: Backbone, size: int | None, stride: int, limit: int | None) -> None:
    window = Window(size=size, stride=stride)
    recognizer = recognizer_of(llama, window=window, max_length=limit)
    assert_as_from_scratch(recognizer, list(talk(32, seed=stride)), each=3)


@pytest.mark.parametrize("wording", ["released", "paper", "compact-repeated", "plain"])
def test_any_wording_is_exact(llama: Backbone, wording: str) -> None:
    recognizer = recognizer_of(llama, wording=wording, window=Window(size=3, stride=2), labels=PREFIXES)
    assert_as_from_scratch(recognizer, list(talk(12)))


@pytest.mark.parametrize("labels", [TINY_LABELS, PREFIXES], ids=["labels", "labels that begin with one another"])
def test_windows_in_the_attention_are_exact(tmp_path: Path, labels: tuple[str, ...]) -> None:
    recognizer = recognizer_of(load(tiny_mistral(tmp_path, window=6)), labels=labels, window=Window(size=4, stride=3))
    assert_as_from_scratch(recognizer, list(talk(14)))


@functools.lru_cache(maxsize=1)
def embedded() -> Backbone:
    return load_backbone("embedded", precision="float32", device="cpu")


@pytest.mark.parametrize(("wording", "stride"), [("released", 1), ("compact", 12)])
def test_the_embedded_backbone_is_exact(wording: str, stride: int) -> None:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    recognizer = recognizer_of(embedded(), wording=wording, window=Window(size=3, stride=stride), labels=PREFIXES)
    assert_as_from_scratch(recognizer, list(talk(12)), each=2)


@pytest.fixture(scope="module")
def shared_llama(llama_folder: Path) -> Backbone:
    """Loaded once for all random conversations; nothing changes it."""
    return load(llama_folder)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    turns=st.lists(st.tuples(speakers, texts), min_size=1, max_size=10),
    size=st.sampled_from([0, 1, 2, 12, None]),
    stride=st.sampled_from([1, 2, 3, 12]),
    limit=st.sampled_from([None, 200, 150]),
    wording=st.sampled_from(["compact", "released"]),
    named=st.booleans(),
)
def test_random_conversations_are_exact(
    shared_llama: Backbone,
    turns: list[tuple[str, str]],
    size: int | None,
    stride: int,
    limit: int | None,
    wording: str,
    named: bool,
) -> None:
    recognizer = recognizer_of(
        shared_llama,
        wording=wording,
        window=Window(size=size, stride=stride),
        max_length=limit,
        speakers="name" if named and wording == "compact" else "index",
        labels=PREFIXES,
    )
    session = recognizer.session()
    for speaker, text in turns:
        before = session.conversation
        try:
            found = session.add(speaker, text)
        except PromptTooLongError:
            assert session.conversation == before
            continue
        assert_same(found, alone(recognizer, session.conversation))


def test_speakers_that_get_another_number_are_exact(llama: Backbone) -> None:
    """With a fixed order, the one who speaks first is renumbered when somebody of that order joins."""
    recognizer = recognizer_of(llama, speaker_order=("M", "F"), window=Window(size=None))
    session = assert_as_from_scratch(
        recognizer, [("X", "We won!"), ("X", "Great."), ("M", "no"), ("X", "We won!"), ("F", "Great.")]
    )
    assert len(session.predictions) == 5


def test_only_what_is_new_is_read(llama: Backbone) -> None:
    recognizer = recognizer_of(llama, window=Window(size=None))
    session = recognizer.session()
    session.add("Ann", "Any news today?")
    first = session.statistics
    assert (first.cached_tokens, first.rebuilds) == (0, 0)
    assert first.read_tokens == session.held_tokens
    before = session.held_tokens
    session.add("Bo", "We won!")
    second = session.statistics
    read = second.read_tokens - first.read_tokens
    assert second.cached_tokens > before / 2
    assert read + second.cached_tokens == session.held_tokens
    assert second.rebuilds == 0


@pytest.mark.parametrize(
    ("window", "rebuilds"),
    [
        (Window(size=None), 0),
        (Window(size=12, stride=1), 60 - 13),  # every turn past the twelfth
        (Window(size=12, stride=6), 7),
        (Window(size=12, stride=12), 3),
        (Window(size=100), 0),
        (Window(size=0), 0),  # no history that could be read again
    ],
    ids=str,
)
def test_the_cache_is_rebuilt_when_the_start_of_the_window_moves(
    llama: Backbone, window: Window, rebuilds: int
) -> None:
    llama.context = 2048  # rotary positions know no end
    recognizer = recognizer_of(llama, window=window)
    session = recognizer.session()
    prompts = 0
    for turn in range(60):
        session.add("AB"[turn % 2], "no")
        prompts += session.held_tokens
    assert session.statistics.rebuilds == rebuilds
    assert session.statistics.cached_tokens + session.statistics.read_tokens == prompts


@pytest.mark.parametrize(("stride", "rebuilds"), [(1, range(40, 60)), (12, range(1, 11))])
def test_the_cache_is_rebuilt_when_prompts_that_are_full_lose_their_oldest_turns(
    llama: Backbone, stride: int, rebuilds: range
) -> None:
    session = recognizer_of(llama, window=Window(size=None, stride=stride), max_length=100).session()
    for turn in range(60):
        session.add("AB"[turn % 2], "no")
    assert session.statistics.rebuilds in rebuilds


def test_memory_is_that_of_one_prompt(llama: Backbone) -> None:
    recognizer = recognizer_of(llama, window=Window(size=None), max_length=120, labels=PREFIXES)
    session = recognizer.session()
    longest = 0
    for speaker, text in talk(200):
        session.add(speaker, text)
        assert session._scoring is not None
        assert session._scoring._held is not None
        for layer in session._scoring._held.cache.layers:
            longest = max(longest, layer.keys.shape[-2])
            # The tensor may be a view of one that still holds the labels, and of nothing larger.
            stored = layer.keys.untyped_storage().nbytes() / layer.keys.element_size() / layer.keys[:, :, 0].numel()
            assert stored <= 120 + 12
        assert session.held_tokens == longest or session.held_tokens <= 120
    assert 60 < longest <= 120
    assert len(session.conversation) == 200
    assert session.predictions[-1].dropped_turns > 100


def test_memory_can_be_freed_between_two_turns(llama: Backbone) -> None:
    recognizer = recognizer_of(llama)
    session = recognizer.session()
    for speaker, text in talk(5):
        session.add(speaker, text)
    session.release()
    assert session.held_tokens == 0
    assert_same(session.add("Ann", "no"), alone(recognizer, session.conversation))
    assert session.statistics.rebuilds == 1
    assert session.held_tokens > 0


def test_a_conversation_that_was_begun_goes_on(llama: Backbone) -> None:
    recognizer = recognizer_of(llama)
    begun = tiny_conversation()
    session = recognizer.session(conversation=begun)
    assert session.conversation == begun
    assert session.predictions == ()
    assert session.statistics == SessionStatistics()
    assert session.held_tokens == 0, "nothing is read before it is asked for"
    row = session.add("Ada", "Great.")
    assert (row.conversation, row.turn) == ("tiny", 4)
    assert_same(row, alone(recognizer, session.conversation))
    assert session.predictions == (row,)
    assert session.statistics.rebuilds == 0


def test_gold_labels_of_what_was_said_before_change_nothing(llama: Backbone) -> None:
    recognizer = recognizer_of(llama)
    plain, labelled = (
        recognizer.session(conversation=Conversation("c", (Utterance("Ann", "We won!", emotion),)))
        for emotion in (None, "joy")
    )
    assert plain.add("Bo", "Great.") == labelled.add("Bo", "Great.")


def test_sessions_stay_apart(llama: Backbone) -> None:
    recognizer = recognizer_of(llama)
    first, second = recognizer.session(), recognizer.session()
    assert first.conversation.id != second.conversation.id
    for (speaker, text), (other, reply) in zip(talk(6, seed=1), talk(6, seed=2), strict=True):
        assert_same(first.add(speaker, text), alone(recognizer, first.conversation))
        assert_same(second.add(other, reply), alone(recognizer, second.conversation))


@pytest.mark.parametrize("batching", ["auto", "padded"])
def test_a_turn_that_is_too_long_leaves_the_session_as_it_was(llama: Backbone, batching: Any) -> None:
    recognizer = recognizer_of(llama, batching=batching)
    session = recognizer.session("c")
    for speaker, text in talk(3):
        session.add(speaker, text)
    before = (session.conversation, session.predictions, session.statistics, session.held_tokens)
    with pytest.raises(PromptTooLongError, match="conversation 'c', turn 3"):
        session.add("Ann", "no " * 300)
    assert (session.conversation, session.predictions, session.statistics, session.held_tokens) == before
    assert_same(session.add("Ann", "no"), alone(recognizer, session.conversation))
    assert session.predictions[-1].turn == 3


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KeyboardInterrupt, KeyboardInterrupt), (MemoryError, MemoryExhaustedError), (RuntimeError, RuntimeError)],
)
def test_a_pass_that_breaks_off_poisons_nothing(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], raised: type[BaseException]
) -> None:
    recognizer = recognizer_of(llama)
    session = recognizer.session()
    for speaker, text in talk(3):
        session.add(speaker, text)
    before = (session.conversation, session.predictions, session.statistics)

    def broken(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(llama.model.model.layers[1], "forward", broken)  # the first layer has its keys by then
        with pytest.raises(raised):
            session.add("Bo", "We won!")
    assert (session.conversation, session.predictions, session.statistics) == before
    assert session.held_tokens == 0
    for speaker, text in talk(3, seed=5):
        assert_same(session.add(speaker, text), alone(recognizer, session.conversation))


def test_likelihoods_that_are_no_numbers_are_nothing_to_go_on_from(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = recognizer_of(llama)
    session = recognizer.session()
    session.add("Ann", "We won!")
    layer = llama.model.model.layers[0]
    with monkeypatch.context() as patch:
        patch.setattr(layer, "forward", lambda states, *_, **__: states * float("nan"))
        with pytest.raises(BackboneError, match="are no numbers"):
            session.add("Bo", "Great.")
    assert len(session.conversation) == 1
    assert_same(session.add("Bo", "Great."), alone(recognizer, session.conversation))


@pytest.mark.parametrize(
    ("speaker", "text", "reason"),
    [("Ann", None, "'text' is NoneType"), (3, "Hi", "'speaker' is int"), ("Ann", b"Hi", "'text' is bytes")],
)
def test_what_is_no_text_is_no_turn(llama: Backbone, speaker: Any, text: Any, reason: str) -> None:
    session = recognizer_of(llama).session("c")
    session.add("Ann", "Hi")
    with pytest.raises(DataError, match=f"conversation 'c', turn 1: utterance: {reason}"):
        session.add(speaker, text)
    assert len(session.conversation) == 1
    session.add("Bo", "Hi")


def test_an_id_that_is_no_text_is_refused(llama: Backbone) -> None:
    with pytest.raises(DataError, match="'id' is 17, not text"):
        recognizer_of(llama).session(17)  # type: ignore[arg-type]


def test_an_id_beside_a_conversation_is_refused(llama: Backbone) -> None:
    with pytest.raises(UsageError, match="got id 'c' and a conversation 'tiny': give one of them"):
        recognizer_of(llama).session("c", conversation=tiny_conversation())


def test_turns_after_the_target_are_not_there_yet(llama: Backbone) -> None:
    with pytest.raises(UsageError, match=r"window\.context is 'both', and a live conversation has no turns after"):
        recognizer_of(llama, window=Window(context="both")).session()


def test_a_backbone_that_takes_no_trees_reads_every_prompt(tmp_path: Path) -> None:
    recognizer = recognizer_of(load(tiny_bloom(tmp_path)))
    session = assert_as_from_scratch(recognizer, list(talk(6)))
    assert session.held_tokens == session.statistics.cached_tokens == session.statistics.rebuilds == 0
    assert session.statistics.read_tokens > 0
    session.release()


def test_padded_by_hand_reads_every_prompt(llama: Backbone) -> None:
    session = assert_as_from_scratch(recognizer_of(llama, batching="padded"), list(talk(4)))
    assert session.statistics.cached_tokens == 0


def test_trees_by_hand_on_a_backbone_that_takes_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="set batching to auto"):
        recognizer_of(load(tiny_bloom(tmp_path)), batching="tree").session()


def test_the_example_of_the_docs_runs(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[2] / "docs" / "live.md"
    if not page.is_file():
        pytest.skip("the docs are not part of this installation")
    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", lambda folder: recognizer_of(llama))
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(code, {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["Agent", "Caller"]
    assert lines[2].startswith("SessionStatistics(cached_tokens=")


def test_answers_are_generated_as_ever(llama: Backbone) -> None:
    recognizer = recognizer_of(llama, mode="generate")
    session = recognizer.session()
    for speaker, text in talk(5):
        found = session.add(speaker, text)
        assert found == alone(recognizer, session.conversation)
        assert found.answer is not None
