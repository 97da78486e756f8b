"""A whole run on a model that is asked in its chat template."""

from __future__ import annotations

import json
from pathlib import Path

from instructerc.experiments.dry_run import dry_run
from instructerc.experiments.run import run_recipe
from instructerc.recognition.artefact import read_artefact
from instructerc.recognition.predictions import read_predictions
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import TINY_LABELS, tiny_conversation
from tests.chat_models import tiny_chat_llama
from tests.experiments.recipes import Log, recipe, values

NOTICE = "prompts go through the chat template: its tokenizer has a chat template"


SHORT = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role[:1] + message.content + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>a' }}{% endif %}"
)
"""Few tokens: the whole of ChatML's takes a tiny Llama five times as long."""


def test_a_chat_model_is_trained_asked_and_kept_in_its_template(corpus_folder: Path, tmp_path: Path) -> None:
    given = values(corpus_folder, tiny_chat_llama(tmp_path / "chatty", SHORT))
    overrides = ("recognition.mode=generate", "window.size=0", "evaluation.bootstrap=0", "evaluation.baselines=[]")
    resolved = recipe(tmp_path, given, *overrides)
    dry, notes = dry_run(resolved), Log()
    assert dry.notices == (NOTICE,)
    assert NOTICE in dry.to_text().splitlines()
    result = run_recipe(resolved, watcher=notes)
    assert NOTICE in notes.notes
    assert result.report.provenance["Method"]["prompt style"] == "chat template"
    rows = read_predictions(result.folder / "predictions.jsonl")
    assert {row.answer for row in rows} & set(TINY_LABELS), "it has learned to write labels, and where to stop"
    assert read_artefact(result.folder)[0].style == "chat"
    assert json.loads((result.folder / "model" / "artefact.json").read_text(encoding="utf-8"))["style"] == "chat"
    recognizer = EmotionRecognizer.from_pretrained(result.folder, mode="score", device="cpu")
    assert recognizer.backbone.style == "chat"
    assert len(recognizer.recognize(tiny_conversation())) == 4


def test_plain_is_what_a_recipe_can_ask_for(corpus_folder: Path, tmp_path: Path) -> None:
    given = values(corpus_folder, tiny_chat_llama(tmp_path / "chatty"))
    resolved = recipe(tmp_path, given, "backbone.style=plain", "adapter.method=none", "evaluation.bootstrap=0")
    plain, chat = dry_run(resolved), dry_run(recipe(tmp_path, given))
    assert plain.notices == ()
    assert plain.splits["test"]["prompt tokens"] < chat.splits["test"]["prompt tokens"]
    result = run_recipe(resolved)
    assert "prompt style" not in result.report.provenance["Method"]
    assert read_artefact(result.folder)[0].style == "plain"
