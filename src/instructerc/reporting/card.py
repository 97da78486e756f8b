"""The model card: what a trained model is, what it was measured at, and how to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from instructerc.corpora.catalog import SOURCES
from instructerc.reporting.report import Report


def model_card(report: Report, artefact: Mapping[str, Any]) -> str:
    """A model card in Markdown.

    Args:
        report: The run's report.
        artefact: `Artefact.to_json` of the model.
    """
    corpus = str(artefact["corpus"])
    source = SOURCES.get(corpus)
    licence = source.licence if source else "that of your own data"
    interval = report.main_interval
    spread = f" (95 % interval {100 * interval.low:.2f} to {100 * interval.high:.2f})" if interval else ""
    rows = "\n".join(
        f"| {label} | {100 * scores.precision:.2f} | {100 * scores.recall:.2f} | {100 * scores.f1:.2f} "
        f"| {scores.support} |"
        for label, scores in report.main.per_class.items()
    )
    return f"""# {report.title}

Emotion recognition in conversation by the InstructERC method: reads a conversation, names the emotion of each turn.

- Backbone: `{artefact["backbone"]["name"]}`; trained: {_trained(artefact)}
- Corpus: {source.title if source else corpus} (licence of the data: {licence})
- Labels: {", ".join(artefact["prompt"]["labels"])}
- Weighted F1 on its {report.main_split} split: {100 * report.main.weighted_f1:.2f}{spread}

| label | precision | recall | F1 | support |
|---|---|---|---|---|
{rows}

## Use

```python
from instructerc import Conversation, EmotionRecognizer, Utterance

recognizer = EmotionRecognizer.from_pretrained("this folder")
conversation = Conversation("call-1", (Utterance("Ada", "Where is my parcel?"), Utterance("Bo", "It was lost.")))
for turn in recognizer.recognize(conversation):
    print(turn.speaker, turn.emotion, turn.probabilities)
```

## Limits

It knows the labels above and nothing else, and what it learned is how people speak in {corpus}. Figures on other
conversations will be lower; measure them on labelled turns of your own before you rely on it. A prediction is a guess
about words, not knowledge of what a person feels.

## Prompt

```json
{json.dumps(artefact["prompt"], ensure_ascii=False, indent=2)}
```
"""


def _trained(artefact: Mapping[str, Any]) -> str:
    adapter = artefact["adapter"]
    if adapter is None:
        return "nothing"
    if adapter["method"] == "all":
        return "all parameters"
    return f"LoRA, rank {adapter['rank']}, alpha {adapter['alpha']}"
