"""The model card: what a model is, what was trained of it, what it was measured at, and how to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from instructerc.corpora.catalog import SOURCES
from instructerc.recognition.publishing import hub_id
from instructerc.reporting.card_header import header_fields, render_header, split_header
from instructerc.reporting.figures import interval_text, marked, percent
from instructerc.reporting.markdown import class_table, escape
from instructerc.reporting.report import Report

_USE = """\
## Use

```python
from instructerc import Conversation, EmotionRecognizer, Utterance

recognizer = EmotionRecognizer.from_pretrained("this folder")  # or the id of this repository on the hub
conversation = Conversation("call-1", (Utterance("Ada", "Where is my parcel?"), Utterance("Bo", "It was lost.")))
for turn in recognizer.recognize(conversation):
    print(turn.speaker, turn.emotion, turn.probabilities)
```
"""

_USE_PROMPTS = """\
## Use

Its prompts were ready-made, so it is asked with prompts of that kind, one `{"input": …, "target": …}` a line.

```python
from pathlib import Path

from instructerc import EmotionRecognizer
from instructerc.prompts.files import read_prompts

recognizer = EmotionRecognizer.from_pretrained("this folder")
for turn in recognizer.answer(read_prompts(Path("prompts.jsonl"), candidates=recognizer.labels)):
    print(turn.turn, turn.emotion, turn.probabilities)
```
"""

_NO_USE = """\
## No use

Its demonstrations were chosen by the right answers, which nobody has in use: its figures are an upper bound of what
demonstrations can do, and it answers no new conversation.
"""

_DEMONSTRATIONS = "Demonstrations"
"""Heads the table of a report's provenance that tells of them."""


def model_card(report: Report, artefact: Mapping[str, Any], *, ready_made: bool = False) -> str:
    """A model card in Markdown, behind the header that model hubs read; every text of users is escaped.

    Args:
        report: The run's report.
        artefact: `Artefact.to_json` of the model.
        ready_made: Whether its prompts were ready-made, so that it knows no prompt of ours.
    """
    corpus, licence = _corpus(report, artefact)
    shown = _demonstrations(report, artefact)
    figure = marked(percent(report.main.weighted_f1), map(escape, report.marks))
    interval = f", {interval_text(report.main_interval)}" if report.main_interval else ""
    classes = "\n".join(class_table(report.main))
    return f"""{render_header(header_fields(artefact, report))}
# {escape(report.title)}

Emotion recognition in conversation by the InstructERC method: reads a conversation, names the emotion of each turn.

- Backbone: `{artefact["backbone"]["name"]}`; {_trained(artefact, shown)}
- {"Measured on" if artefact["adapter"] is None else "Corpus"}: {corpus} (licence of the data: {licence})
- Labels: {", ".join(map(escape, artefact["prompt"]["labels"]))}
- Weighted F1 on its {escape(report.main_split)} split: {figure}{interval}

{classes}

{_use(shown, ready_made=ready_made)}
{_pool(shown, corpus, licence)}## Limits

It knows the labels above and nothing else, and {_learned(artefact, corpus)}. Figures on other
conversations will be lower; measure them on labelled turns of your own before you rely on it. A prediction is a guess
about words, not knowledge of what a person feels.
{"" if ready_made else _prompt(artefact)}"""


def merged_card(card: str | None, artefact: Mapping[str, Any], *, compared: str = "", plain: bool = True) -> str:
    """The card of a merged model: that of the model it was made from, with what merging changed.

    Args:
        card: The card of the trained model; None where there is none any more.
        artefact: `Artefact.to_json` of the merged model.
        compared: What a comparison of the two found, a sentence.
        plain: Whether transformers alone can load it.
    """
    fields, body = split_header(card) if card is not None else ({}, _bare(artefact))
    # What a person wrote into the header stays; what merging changes does not.
    made = header_fields(artefact)
    changed: dict[str, Any] = {name: made[name] for name in ("tags", "base_model_relation") if name in made}
    return (
        render_header({**made, **fields, **changed})
        + "\n"
        + _with_section(body.lstrip("\n"), _merging(artefact, compared, plain=plain))
    )


def _bare(artefact: Mapping[str, Any]) -> str:
    labels = ", ".join(map(escape, artefact["prompt"]["labels"]))
    return f"# Emotion recognition in conversation\n\n- Labels: {labels}\n\n{_USE}{_prompt(artefact)}"


def _merging(artefact: Mapping[str, Any], compared: str, *, plain: bool) -> str:
    merged = artefact["merged"]
    name = hub_id(merged["backbone"]) or merged["backbone"]
    adapter, quantization = merged["adapter"], merged["quantization"]
    learned = "all parameters" if adapter["method"] == "all" else _low_rank(adapter, quantization)
    exact = "" if quantization == "none" else " The quantised weights were unpacked, not loaded anew."
    loaded = (
        "`AutoModelForCausalLM.from_pretrained` takes it; the prompts that it was trained with come from"
        if plain
        else "Its architecture and the prompts that it was trained with come from"
    )
    return f"""## Merged

This folder is a whole checkpoint in {artefact["dtype"]}: the weights of {escape(name)} with what was trained of them
({learned}).{exact} {loaded} `instructerc`. {compared}

"""


def _with_section(body: str, section: str) -> str:
    """A section put in front of the second heading, or at the end of a text without one."""
    before, heading, after = body.partition("\n## ")
    return f"{before}\n{section}## {after}" if heading else f"{before.rstrip()}\n\n{section}"


def _corpus(report: Report, artefact: Mapping[str, Any]) -> tuple[str, str]:
    """Names and licences of the data, as Markdown; the name of a mixture is those of its corpora, joined by +."""
    name = str(artefact["corpus"])
    parts = {part: SOURCES.get(part) for part in (name.split("+") if report.sources else [name])}
    titles = {part: escape(source.title if source else part) for part, source in parts.items()}
    licences = {part: source.licence if source else "that of your own data" for part, source in parts.items()}
    if len(parts) == 1:
        return titles[name], licences[name]
    return " + ".join(titles.values()), ", ".join(f"{escape(part)}: {licence}" for part, licence in licences.items())


def _demonstrations(report: Report, artefact: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is known of the demonstrations that its prompts show; None where they show none."""
    recorded, told = artefact.get("demonstrations"), report.provenance.get(_DEMONSTRATIONS)
    return None if recorded is None and told is None else {**(recorded or {}), **(told or {})}


def _trained(artefact: Mapping[str, Any], shown: Mapping[str, Any] | None) -> str:
    adapter = artefact["adapter"]
    if adapter is None:
        return f"not trained: {'zero-shot' if shown is None else 'few-shot'}"
    if adapter["method"] == "all":
        return "trained: all parameters"
    return f"trained: {_low_rank(adapter, artefact.get('quantization', 'none'))}"


def _low_rank(adapter: Mapping[str, Any], quantization: str) -> str:
    kind = "DoRA" if adapter.get("dora") else "LoRA"
    targets = f", of {escape(', '.join(adapter['targets']))}" if adapter.get("targets") else ""
    beside = "" if quantization == "none" else f", beside {quantization.removesuffix('bit')}-bit weights"
    return f"{kind}, rank {adapter['rank']}, alpha {adapter['alpha']}{targets}{beside}"


def _learned(artefact: Mapping[str, Any], corpus: str) -> str:
    if artefact["adapter"] is None:
        return f"it was only asked, not trained: its figures say what the backbone makes of {corpus}"
    return f"what it learned is how people speak in {corpus}"


def _use(shown: Mapping[str, Any] | None, *, ready_made: bool) -> str:
    if shown is not None and shown.get("pairing") == "oracle":
        return _NO_USE
    return _USE_PROMPTS if ready_made else _USE


def _pool(shown: Mapping[str, Any] | None, corpus: str, licence: str) -> str:
    if shown is None:
        return ""
    entries = shown.get("entries")
    number = "labelled utterances" if entries is None else f"{escape(str(entries))} labelled utterances"
    return f"""## Demonstrations

Its prompts show labelled utterances as examples, and **this folder carries the pool that they are taken from**: in
`pool/` lie {number}, word for word, of the training split of {corpus}, or of the table that its recipe named instead.
Who gets this folder gets these texts. Before you pass it on, make sure that their licence ({licence}) and the privacy
of the people who wrote or spoke them allow it.

"""


def _prompt(artefact: Mapping[str, Any]) -> str:
    return f"\n## Prompt\n\n```json\n{json.dumps(artefact['prompt'], ensure_ascii=False, indent=2)}\n```\n"
