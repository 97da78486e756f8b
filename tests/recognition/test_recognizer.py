"""`EmotionRecognizer`: conversations in, emotions out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import PromptEncoder
from instructerc.conversation import Conversation, Utterance
from instructerc.errors import ArtefactError, PromptTooLongError, UsageError
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition import recognizer as module
from instructerc.recognition.answers import read_answer
from instructerc.recognition.artefact import Artefact, save_artefact
from instructerc.recognition.predictions import UNCERTAIN
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import probabilities
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus
from tests.recognition.trained import trained
from tests.tiny_models import load, log_likelihoods_alone

SPEC = PromptSpec(labels=TINY_LABELS, wording="compact")


def recognizer_of(backbone: Backbone, **settings: Any) -> EmotionRecognizer:
    return EmotionRecognizer(backbone=backbone, prompt=settings.pop("prompt", SPEC), **settings)


def said(*texts: str) -> Conversation:
    return Conversation("said", tuple(Utterance("AB"[turn % 2], text) for turn, text in enumerate(texts)))


@pytest.fixture(params=["padded", "auto"])
def recognizer(request: pytest.FixtureRequest, llama: Backbone) -> EmotionRecognizer:
    """Shared tokens read once, and every prompt read alone."""
    return recognizer_of(llama, batching=request.param)


def test_every_turn_gets_one_prediction_in_order(recognizer: EmotionRecognizer) -> None:
    conversation = tiny_conversation()
    rows = recognizer.recognize(conversation)
    assert [(row.conversation, row.turn) for row in rows] == [("tiny", turn) for turn in range(4)]
    assert [(row.speaker, row.text) for row in rows] == [(turn.speaker, turn.text) for turn in conversation.utterances]
    assert all(row.gold is None and row.answer is None and not row.out_of_label for row in rows)
    assert recognizer.labels == TINY_LABELS


def test_probabilities_are_those_of_each_label_read_alone(recognizer: EmotionRecognizer) -> None:
    encoder = PromptEncoder(recognizer.backbone.tokenizer, recognizer.backbone.context)
    conversation = tiny_conversation()
    for row, example in zip(recognizer.recognize(conversation), SPEC.examples(conversation), strict=True):
        expected = probabilities(log_likelihoods_alone(recognizer.backbone, encoder.encode(example)))
        assert row.probabilities is not None
        assert list(row.probabilities) == list(TINY_LABELS)
        assert list(row.probabilities.values()) == pytest.approx(expected, abs=1e-5)
        assert sum(row.probabilities.values()) == pytest.approx(1)
        assert row.emotion == max(row.probabilities, key=row.probabilities.__getitem__)


def test_the_gold_label_is_carried_along_and_changes_nothing(recognizer: EmotionRecognizer) -> None:
    labelled = tiny_corpus().test[0]
    plain = Conversation(labelled.id, tuple(Utterance(turn.speaker, turn.text) for turn in labelled.utterances))
    with_gold, without = recognizer.recognize(labelled), recognizer.recognize(plain)
    assert [row.gold for row in with_gold] == [turn.emotion for turn in labelled.utterances]
    assert [row.probabilities for row in with_gold] == [row.probabilities for row in without]


def test_later_turns_do_not_change_earlier_predictions(recognizer: EmotionRecognizer) -> None:
    long, short = recognizer.recognize(said("Hi", "We won!", "Great.")), recognizer.recognize(said("Hi", "We won!"))
    for first, second in zip(long, short, strict=False):
        assert first.probabilities == pytest.approx(second.probabilities, abs=1e-5)


def test_equal_and_empty_turns_are_turns(recognizer: EmotionRecognizer) -> None:
    conversation = said("", "", "Yes", "Yes", "Yes", "", "  ")
    assert [row.text for row in recognizer.recognize(conversation)] == ["", "", "Yes", "Yes", "Yes", "", "  "]
    # Without history the prompts of the same speaker's equal turns are the very same.
    recognizer = recognizer_of(recognizer.backbone, prompt=PromptSpec(labels=TINY_LABELS, wording="plain"))
    rows = recognizer.recognize(said("Yes", "Yes", "No", "Yes"))
    assert len(rows) == 4
    assert rows[0].probabilities == pytest.approx(rows[3].probabilities, abs=1e-6)


def test_a_conversation_without_turns_has_no_predictions(recognizer: EmotionRecognizer) -> None:
    assert recognizer.recognize(Conversation("empty", ())) == ()
    chats = [Conversation("a", ()), said("Hi"), Conversation("b", ())]
    assert [len(rows) for rows in recognizer.recognize_all(chats)] == [0, 1, 0]
    assert list(recognizer.recognize_all([])) == []


def test_conversations_of_one_id_stay_apart(recognizer: EmotionRecognizer) -> None:
    first, second = said("We won!"), said("They lied.", "Great.")
    found = list(recognizer.recognize_all([first, second, first]))
    assert [[row.text for row in rows] for rows in found] == [["We won!"], ["They lied.", "Great."], ["We won!"]]
    for rows, alone in zip(found, map(recognizer.recognize, (first, second, first)), strict=True):
        for row, expected in zip(rows, alone, strict=True):
            assert row.probabilities == pytest.approx(expected.probabilities, abs=1e-5)


def test_results_stream_in_order_before_all_is_read(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 8)
    read: list[str] = []

    def chats() -> Iterator[Conversation]:
        for chat in tiny_corpus().train:
            read.append(chat.id)
            yield chat

    done: list[int] = []
    results = recognizer_of(llama).recognize_all(chats(), progress=done.append)
    first = next(results)
    assert first[0].conversation == "train-00"
    assert len(read) == 2, "two conversations of four turns fill a chunk of eight"
    rest = list(results)
    assert [rows[0].conversation for rows in (first, *rest)] == [chat.id for chat in tiny_corpus().train]
    assert sum(done) == 48


def test_chunks_and_batches_change_no_prediction(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    chats = tiny_corpus().test
    expected = list(recognizer_of(llama).recognize_all(chats))
    monkeypatch.setattr(module, "CHUNK", 3)
    for rows, right in zip(recognizer_of(llama, batch_size=1).recognize_all(chats), expected, strict=True):
        for row, other in zip(rows, right, strict=True):
            assert row.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_generated_answers_are_kept_and_read_by_the_released_rule(llama: Backbone) -> None:
    for row in recognizer_of(llama, mode="generate").recognize(tiny_conversation()):
        assert row.answer is not None
        assert row.probabilities is None
        verdict = read_answer(row.answer, TINY_LABELS)
        assert (row.emotion, row.out_of_label) == (verdict.label, verdict.out_of_label)


def test_every_prediction_names_model_and_prompt(llama: Backbone) -> None:
    (row,) = recognizer_of(llama, model_hash="abc").recognize(said("Hi"))
    assert (row.model, row.prompt) == ("abc", SPEC.hash)


def test_turns_that_do_not_fit_are_dropped_and_counted(llama: Backbone) -> None:
    conversation = said(*(f"We won match number {number}!" for number in range(40)))
    spec = PromptSpec(labels=TINY_LABELS, wording="compact", window=Window(size=None))
    rows = recognizer_of(llama, prompt=spec, max_length=60).recognize(conversation)
    assert len(rows) == 40
    dropped = [row.dropped_turns for row in rows]
    assert dropped[0] == 0
    assert dropped[-1] > 30
    assert dropped == sorted(dropped)


def test_a_turn_that_is_longer_than_the_backbone_can_read_is_an_error(recognizer: EmotionRecognizer) -> None:
    with pytest.raises(PromptTooLongError, match="conversation 'said', turn 1"):
        recognizer.recognize(said("Hi", "no " * 300))


def test_an_unknown_mode_lists_those_that_exist(llama: Backbone) -> None:
    with pytest.raises(UsageError, match=r"recognition\.mode is 'guess': choose one of score, generate"):
        recognizer_of(llama, mode="guess")


def saved_model(llama_folder: Path, folder: Path, spec: AdapterSpec, mode: str) -> EmotionRecognizer:
    """Saves a changed model, and gives the recogniser that it was."""
    backbone = load(llama_folder)
    attach(backbone, spec)
    backbone.model.eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in backbone.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    artefact = Artefact(
        backbone=str(llama_folder),
        revision=None,
        adapter=spec,
        prompt=SPEC,
        max_length=100,
        mode=mode,
        dtype="float32",
        precision="float32",
    )
    save_artefact(artefact, backbone, folder / "model")
    return recognizer_of(backbone, max_length=100, mode=mode)


@pytest.mark.parametrize("mode", ["score", "generate"])
@pytest.mark.parametrize("method", ["lora", "all"])
def test_a_saved_model_predicts_the_same(llama_folder: Path, tmp_path: Path, method: Any, mode: str) -> None:
    before = saved_model(llama_folder, tmp_path, AdapterSpec(method=method, rank=4), mode)
    after = EmotionRecognizer.from_pretrained(tmp_path, device="cpu")
    assert (after.mode, after.max_length, after.prompt) == (mode, 100, SPEC)
    assert not after.backbone.model.training
    for chat in tiny_corpus().test:
        first, second = before.recognize(chat), after.recognize(chat)
        assert [(row.emotion, row.answer, row.probabilities) for row in first] == [
            (row.emotion, row.answer, row.probabilities) for row in second
        ]
    assert second[0].model == after.model_hash != ""


def test_the_mode_of_a_saved_model_can_be_changed(llama_folder: Path, tmp_path: Path) -> None:
    saved_model(llama_folder, tmp_path, AdapterSpec(rank=4), "generate")
    recognizer = EmotionRecognizer.from_pretrained(tmp_path / "model", mode="score", device="cpu")
    assert recognizer.recognize(tiny_conversation())[0].probabilities is not None


def test_a_folder_that_holds_no_model_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="give the folder of a finished run, or of a trained model"):
        EmotionRecognizer.from_pretrained(tmp_path)


def test_a_temperature_changes_how_sure_the_model_is_and_no_label(llama: Backbone) -> None:
    cold, warm = recognizer_of(llama), recognizer_of(llama, temperature=4.0)
    scores = cold.scores(list(SPEC.examples(tiny_conversation())))
    for before, after, row in zip(
        cold.recognize(tiny_conversation()), warm.recognize(tiny_conversation()), scores, strict=True
    ):
        assert after.emotion == before.emotion
        assert before.entropy is not None
        assert after.entropy is not None
        assert after.entropy > before.entropy
        assert after.probabilities is not None
        expected = torch.softmax(torch.tensor(row, dtype=torch.float64) / 4, dim=0).tolist()
        assert list(after.probabilities.values()) == pytest.approx(expected, abs=1e-6)


def test_a_saved_temperature_is_used_and_names_another_model(llama_folder: Path, tmp_path: Path) -> None:
    saved_model(llama_folder, tmp_path, AdapterSpec(rank=4), "score")
    before = EmotionRecognizer.from_pretrained(tmp_path, device="cpu")
    path = tmp_path / "model" / "artefact.json"
    path.write_text(path.read_text(encoding="utf-8").replace("{", '{"temperature": 3.0, ', 1), encoding="utf-8")
    after = EmotionRecognizer.from_pretrained(tmp_path, device="cpu")
    assert (before.temperature, after.temperature) == (1.0, 3.0)
    assert before.model_hash != after.model_hash


def test_below_the_threshold_a_turn_is_uncertain_and_keeps_its_probabilities(llama: Backbone) -> None:
    sure = recognizer_of(llama).recognize(tiny_conversation())
    least = sorted(max((row.probabilities or {}).values()) for row in sure)[2]
    rows = recognizer_of(llama, threshold=least).recognize(tiny_conversation())
    assert [row.probabilities for row in rows] == [row.probabilities for row in sure]
    for row, before in zip(rows, sure, strict=True):
        assert row.emotion == (before.emotion if max((row.probabilities or {}).values()) >= least else UNCERTAIN)
    assert [row.emotion for row in rows].count(UNCERTAIN) == 2
    session = recognizer_of(llama, threshold=1.0).session()
    assert session.add("Ann", "Well.").emotion == UNCERTAIN
    assert session.predict_next("Ann").emotion == UNCERTAIN


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 1.5}, "threshold is 1.5: it is a probability"),
        ({"threshold": 0.5, "mode": "generate"}, "choose mode 'score'"),
    ],
)
def test_a_threshold_is_a_probability(llama: Backbone, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        recognizer_of(llama, **settings)


def test_other_labels_can_be_asked_for_with_a_warning(
    llama_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved_model(llama_folder, tmp_path, AdapterSpec(rank=4), "score")
    plain = EmotionRecognizer.from_pretrained(tmp_path, device="cpu")
    assert not caplog.records
    asked = {"calm": "", "tense": "on edge"}
    other = EmotionRecognizer.from_pretrained(tmp_path, device="cpu", labels=asked)
    assert "asked for calm, tense: measure it on some of your own turns" in caplog.text
    row = other.recognize(tiny_conversation())[0]
    assert list(row.probabilities or {}) == ["calm", "tense"]
    assert "tense (on edge)" in next(iter(other.prompt.examples(tiny_conversation()))).prompt
    assert other.model_hash != plain.model_hash
    same = EmotionRecognizer.from_pretrained(tmp_path, device="cpu", labels=TINY_LABELS)
    assert same.model_hash == plain.model_hash


def test_a_temperature_was_fitted_to_the_labels_of_training(llama_folder: Path, tmp_path: Path) -> None:
    trained(llama_folder, tmp_path, temperature=2.0)
    assert EmotionRecognizer.from_pretrained(tmp_path, device="cpu").temperature == 2
    assert EmotionRecognizer.from_pretrained(tmp_path, device="cpu", labels=["calm", "tense"]).temperature == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("joy", "one text"),
        (["joy"], "two or more"),
        ([], "none: give two or more"),
        (["joy", " "], "none blank"),
        (["joy", "Joy"], "each once"),
        (["joy", "uncertain"], "give that label another name"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(
    llama_folder: Path, tmp_path: Path, labels: Any, message: str
) -> None:
    trained(llama_folder, tmp_path)
    with pytest.raises(UsageError, match=message):
        EmotionRecognizer.from_pretrained(tmp_path, device="cpu", labels=labels)
