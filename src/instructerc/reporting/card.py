"""The model card: what a trained model is, what it was measured at, and how to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from instructerc.corpora.catalog import SOURCES
from instructerc.reporting.figures import interval_text, percent
from instructerc.reporting.markdown import class_table, escape
from instructerc.reporting.report import Report

_USE = """\
## Use

```python
from instructerc import Conversation, EmotionRecognizer, Utterance

recognizer = EmotionRecognizer.from_pretrained("this folder")
conversation = Conversation("call-1", (Utterance("Ada", "Where is my parcel?"), Utterance("Bo", "It was lost.")))
for turn in recognizer.recognize(conversation):
    print(turn.speaker, turn.emotion, turn.probabilities)
```
"""

_USE_PROMPTS = """\
## Use

It learned from ready-made prompts, so it is asked with prompts of that kind, one `{"input": …, "target": …}` a line.

```python
from pathlib import Path

from instructerc import EmotionRecognizer
from instructerc.prompts.files import read_prompts

recognizer = EmotionRecognizer.from_pretrained("this folder")
for turn in recognizer.answer(read_prompts(Path("prompts.jsonl"), candidates=recognizer.labels)):
    print(turn.turn, turn.emotion, turn.probabilities)
```
"""


def model_card(report: Report, artefact: Mapping[str, Any], *, ready_made: bool = False) -> str:
    """A model card in Markdown; every text of users is escaped.

    Args:
        report: The run's report.
        artefact: `Artefact.to_json` of the model.
        ready_made: Whether it learned from ready-made prompts, so that it knows no prompt of ours.
    """
    source = SOURCES.get(str(artefact["corpus"]))
    corpus = escape(source.title if source else str(artefact["corpus"]))
    licence = source.licence if source else "that of your own data"
    interval = f", {interval_text(report.main_interval)}" if report.main_interval else ""
    classes = "\n".join(class_table(report.main))
    return f"""# {escape(report.title)}

Emotion recognition in conversation by the InstructERC method: reads a conversation, names the emotion of each turn.

- Backbone: `{artefact["backbone"]["name"]}`; trained: {_trained(artefact)}
- Corpus: {corpus} (licence of the data: {licence})
- Labels: {", ".join(map(escape, artefact["prompt"]["labels"]))}
- Weighted F1 on its {escape(report.main_split)} split: {percent(report.main.weighted_f1)}{interval}

{classes}

{_USE_PROMPTS if ready_made else _USE}
## Limits

It knows the labels above and nothing else, and what it learned is how people speak in {corpus}. Figures on other
conversations will be lower; measure them on labelled turns of your own before you rely on it. A prediction is a guess
about words, not knowledge of what a person feels.
{"" if ready_made else _prompt(artefact)}"""


def _prompt(artefact: Mapping[str, Any]) -> str:
    return f"\n## Prompt\n\n```json\n{json.dumps(artefact['prompt'], ensure_ascii=False, indent=2)}\n```\n"


def _trained(artefact: Mapping[str, Any]) -> str:
    adapter = artefact["adapter"]
    if adapter is None:
        return "nothing"
    if adapter["method"] == "all":
        return "all parameters"
    return f"LoRA, rank {adapter['rank']}, alpha {adapter['alpha']}"
