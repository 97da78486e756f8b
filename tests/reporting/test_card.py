"""The model card: what stands in the folder of a trained model."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instructerc.reporting.card import merged_card, model_card
from instructerc.reporting.card_header import header_fields, render_header, split_header
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


def header_of(card: str) -> dict[str, Any]:
    assert card.startswith("---\n")
    found: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return found


def test_the_header_is_what_model_hubs_read() -> None:
    fields = header_of(model_card(report(), artefact(backbone={"name": "qwen3-0.6b"})))
    assert fields["language"] == ["en"]
    assert (fields["base_model"], fields["base_model_relation"]) == ("Qwen/Qwen3-0.6B-Base", "adapter")
    assert (fields["library_name"], fields["pipeline_tag"], fields["license"]) == (
        "instructerc",
        "text-classification",
        "other",
    )
    assert {"emotion-recognition-in-conversation", "lora"} <= set(fields["tags"])


def test_the_figures_stand_in_the_model_index() -> None:
    (index,) = header_of(model_card(report(), artefact()))["model-index"]
    (result,) = index["results"]
    assert result["task"]["type"] == "text-classification"
    assert (result["dataset"]["type"], result["dataset"]["split"]) == ("meld", "test")
    figures = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert figures["Weighted F1"] == round(100 * report().main.weighted_f1, 2)


def test_a_figure_that_is_no_result_is_marked_in_the_index_too() -> None:
    (index,) = header_of(model_card(replace(report(), marks=("test-selected epoch",)), artefact()))["model-index"]
    assert index["results"][0]["metrics"][0]["name"] == "Weighted F1 (test-selected epoch)"


def test_the_client_of_the_hub_reads_the_header() -> None:
    from huggingface_hub import ModelCard

    data = ModelCard(model_card(report(), artefact())).data
    assert data.eval_results is not None
    assert data.eval_results[0].metric_value == round(100 * report().main.weighted_f1, 2)
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize("backbone", ["/home/ada/llama", ".", "llama"])
def test_a_folder_is_no_base_model(backbone: str) -> None:
    assert "base_model" not in header_of(model_card(report(), artefact(backbone={"name": backbone})))


def test_a_language_that_nobody_knows_is_not_named() -> None:
    assert "language" not in header_of(model_card(report(), artefact(corpus="my calls")))
    assert "language" not in header_of(model_card(mixture_report(), artefact(corpus="meld+my calls")))
    assert header_of(model_card(mixture_report(), artefact(corpus="meld+emorynlp")))["language"] == ["en"]


def test_dora_targets_and_quantisation_are_named() -> None:
    adapter = {"method": "lora", "rank": 8, "alpha": 16, "dora": True, "targets": ["all-linear"]}
    card = model_card(report(), artefact(adapter=adapter, quantization="4bit"))
    assert r"trained: DoRA, rank 8, alpha 16, of all\-linear, beside 4-bit weights" in card
    assert {"dora", "bitsandbytes"} <= set(header_of(card)["tags"])


ODD = [
    "a: b",
    "- x",
    "---",
    "\n---\n",
    "#",
    "{",
    "'",
    '"',
    "no",
    "1e3",
    "null",
    "\u2028",
    "\x00",
    "\ud800",
    "😀",
    "&a *a",
    "%",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_cannot_break_the_header(name: str) -> None:
    card = model_card(replace(report(), title=name), artefact(corpus=name))
    fields, body = split_header(card)
    (index,) = fields["model-index"]
    assert index["name"] == name
    assert index["results"][0]["dataset"]["name"] == name
    assert body.lstrip("\n").startswith("# ")


@given(st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.lists(st.text())), min_size=1))
def test_any_texts_come_back_out_of_a_header(fields: dict[str, Any]) -> None:
    assert split_header(render_header(fields) + "\n# Title\n") == (fields, "\n# Title\n")


@pytest.mark.parametrize("card", ["# Title", "---\nno end", "---\n: [\n---\n# Title", "---\njust text\n---\n", ""])
def test_a_card_without_a_header_is_all_text(card: str) -> None:
    assert split_header(card) == ({}, card)


def merged(**changed: Any) -> dict[str, Any]:
    told = {
        "backbone": "llama2-7b",
        "revision": None,
        "adapter": {"method": "lora", "rank": 16, "alpha": 32, "targets": None},
        "quantization": "none",
        "model": "0123456789ab",
        **changed,
    }
    return artefact(backbone={"name": "."}, adapter=None, dtype="bfloat16", merged=told)


def test_a_merged_model_keeps_its_card_and_says_what_changed() -> None:
    before = model_card(report(), artefact(backbone={"name": "llama2-7b"}))
    card = merged_card(before, merged(), compared="On 200 turns, 0 labels differ.")
    fields = header_of(card)
    assert (fields["base_model"], fields["base_model_relation"]) == ("meta-llama/Llama-2-7b-hf", "finetune")
    assert "merged" in fields["tags"]
    assert fields["model-index"] == header_of(before)["model-index"]
    told = card.partition("## Merged")[2].partition("## Use")[0]
    assert "a whole checkpoint in bfloat16" in told
    assert r"(LoRA, rank 16, alpha 32)" in told
    assert "On 200 turns, 0 labels differ." in told
    assert split_header(card)[1].replace(f"## Merged{told}", "").strip() == split_header(before)[1].strip()


def test_a_person_may_have_written_into_the_header() -> None:
    card = merged_card("---\nlicense: apache-2.0\nlanguage: de\n---\n# Mine\n", merged())
    fields = header_of(card)
    assert (fields["license"], fields["language"]) == ("apache-2.0", "de")
    assert card.split("---\n")[2].startswith("\n# Mine\n\n## Merged")


def test_a_merged_model_without_a_card_gets_one() -> None:
    card = merged_card(None, merged(backbone="my folder", quantization="4bit"))
    assert "base_model" not in header_of(card)
    assert "the weights of my folder" in " ".join(card.split())
    assert "beside 4-bit weights" in " ".join(card.split())
    assert "- Labels: neutral, joy, anger" in card
    assert "from_pretrained" in card


def test_a_server_has_no_base_model_here() -> None:
    fields = header_fields(artefact(backbone={"name": "openai/gpt"}, adapter=None, endpoint={"model": "gpt"}))
    assert "base_model" not in fields
