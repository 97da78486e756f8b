"""The model card: what stands in the folder of a trained model."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Any

from instructerc.reporting.card import model_card
from tests.reporting.examples import mixture_report, report


def artefact(**changed: Any) -> dict[str, Any]:
    return {
        "corpus": "meld",
        "backbone": {"name": "embedded"},
        "adapter": {"method": "lora", "rank": 16, "alpha": 32},
        "prompt": {"wording": "compact", "labels": ["neutral", "joy", "anger"]},
        **changed,
    }


def test_it_says_what_was_trained_on_what_and_how_well() -> None:
    card = model_card(report(), artefact())
    assert "- Backbone: `embedded`; trained: LoRA, rank 16, alpha 32" in card
    assert "(licence of the data: GPL-3.0)" in card
    assert f"split: {100 * report().main.weighted_f1:.2f}, " in card
    assert "95 % bootstrap interval" in card
    assert all(f"| {label} |" in card for label in report().main.labels)


def test_training_of_all_weights_and_own_data_are_named_too() -> None:
    card = model_card(report(), artefact(adapter={"method": "all"}, corpus="my calls"))
    assert "trained: all parameters" in card
    assert "- Corpus: my calls (licence of the data: that of your own data)" in card


def test_a_backbone_as_it_came_is_not_said_to_have_learned() -> None:
    card = model_card(report(), artefact(adapter=None))
    assert "- Backbone: `embedded`; not trained: zero-shot\n- Measured on: MELD" in card
    assert "it was only asked, not trained" in card
    assert not re.search(r"learned|; trained|fine-tuned|Demonstrations", card)
    assert "learned" not in model_card(report(), artefact(adapter=None), ready_made=True)
    shown = model_card(mixture_report(), artefact(adapter=None))
    assert "; not trained: few-shot" in shown
    assert "learned" not in shown


def test_whoever_gets_a_pool_of_demonstrations_is_told_so() -> None:
    card = model_card(replace(mixture_report(), sources={}), artefact())
    assert "; trained: LoRA, rank 16, alpha 32" in card
    told = " ".join(card.partition("## Demonstrations")[2].partition("##")[0].split())
    assert "**this folder carries the pool that they are taken from**" in told
    assert "900 labelled utterances, word for word, of the training split of MELD" in told
    assert "their licence (GPL-3.0) and the privacy of the people who wrote or spoke them" in told
    assert "## Demonstrations" not in model_card(report(), artefact())


def test_the_artefact_alone_tells_of_its_pool_too() -> None:
    card = model_card(report(), artefact(demonstrations={"pairing": "nearest", "pool": "0123456789ab"}))
    assert "lie labelled utterances, word for word" in card
    assert "EmotionRecognizer.from_pretrained" in card


def test_demonstrations_by_the_right_answers_cannot_be_used() -> None:
    oracle = replace(report(), provenance={"Demonstrations": {"pairing": "oracle"}})
    card = model_card(oracle, artefact())
    assert "which nobody has in use" in card
    assert "from_pretrained" not in card


def test_the_figure_carries_its_marks() -> None:
    figure = f"{100 * report().main.weighted_f1:.2f}"
    card = model_card(replace(report(), marks=("oracle <b>", "leaks: published")), artefact())
    assert f"split: {figure} (oracle &lt;b&gt;; leaks: published), " in card


def test_a_mixture_names_the_licence_of_each_corpus() -> None:
    card = model_card(mixture_report(), artefact(corpus="meld+dailydialog+my calls"))
    assert "- Corpus: MELD + DailyDialog + my calls (licence of the data: meld: GPL-3.0, dailydialog: CC BY" in card
    assert ", my calls: that of your own data)" in card


def test_labels_and_names_cannot_break_the_page() -> None:
    card = model_card(report(), artefact(corpus="a\n# b", prompt={"labels": ["joy|sorrow", "<b>"]}))
    assert r"- Labels: joy\|sorrow, &lt;b&gt;" in card
    assert r"- Corpus: a \# b (" in card


def test_its_example_is_python() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", model_card(report(), artefact()), flags=re.DOTALL)
    ast.parse(code)
