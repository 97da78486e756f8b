"""The model card: what stands in the folder of a trained model."""

from __future__ import annotations

import ast
import re
from typing import Any

from instructerc.reporting.card import model_card
from tests.reporting.examples import report


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
    assert "trained: nothing" in model_card(report(), artefact(adapter=None))


def test_labels_and_names_cannot_break_the_page() -> None:
    card = model_card(report(), artefact(corpus="a\n# b", prompt={"labels": ["joy|sorrow", "<b>"]}))
    assert r"- Labels: joy\|sorrow, &lt;b&gt;" in card
    assert r"- Corpus: a \# b (" in card


def test_its_example_is_python() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", model_card(report(), artefact()), flags=re.DOTALL)
    ast.parse(code)
