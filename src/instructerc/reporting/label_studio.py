"""Label Studio: predictions go out to be corrected, corrected conversations come back to be learned from.

```
predictions.jsonl ──► tasks.json, labels.xml ──► Label Studio ──► export.json ──► data.corpus
```

A task is a conversation, shown as a dialogue; each turn carries the recognised emotion as a prediction that people
accept or change (https://labelstud.io/tags/paragraphs). Reading an export is `corpora.label_studio`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from instructerc.corpora.label_studio import CONTROL, DIALOGUE
from instructerc.recognition.predictions import UNCERTAIN, TurnPrediction, by_conversation
from instructerc.reporting.palette import palette


def label_studio_config(labels: Sequence[str]) -> str:
    """The labelling interface, as XML, to be pasted into the settings of a project.

    Example:
        >>> print(label_studio_config(["joy"]))
        <View>
          <ParagraphLabels name="emotion" toName="dialogue">
            <Label value="joy" background="#e69f00"/>
          </ParagraphLabels>
          <Paragraphs name="dialogue" value="$dialogue" layout="dialogue" nameKey="speaker" textKey="text"/>
        </View>
    """
    labels = [label for label in labels if label != UNCERTAIN]
    marks = palette(labels)
    lines = [f'    <Label value={quoteattr(label)} background="{marks[label].colour}"/>' for label in labels]
    return "\n".join(
        [
            "<View>",
            f'  <ParagraphLabels name="{CONTROL}" toName="{DIALOGUE}">',
            *lines,
            "  </ParagraphLabels>",
            f'  <Paragraphs name="{DIALOGUE}" value="${DIALOGUE}" layout="dialogue" nameKey="speaker" textKey="text"/>',
            "</View>",
        ]
    )


def label_studio_tasks(rows: Iterable[TurnPrediction]) -> Iterator[dict[str, Any]]:
    """A task a conversation, its emotions as predictions.

    Args:
        rows: Predictions, those of a conversation one after another.

    Example:
        >>> row = TurnPrediction(conversation="c", turn=0, emotion="joy", speaker="Ann", text="Done!")
        >>> (task,) = label_studio_tasks([row])
        >>> task["data"]
        {'id': 'c', 'dialogue': [{'speaker': 'Ann', 'text': 'Done!'}]}
        >>> task["predictions"][0]["result"][0]["value"]["paragraphlabels"]
        ['joy']
    """
    for name, turns in by_conversation(rows):
        yield {
            "data": {"id": name, DIALOGUE: [{"speaker": row.speaker, "text": row.text} for row in turns]},
            "predictions": [
                {
                    "model_version": turns[0].model,
                    # A turn that the model left open is left open to people, too.
                    "result": [_region(place, row) for place, row in enumerate(turns) if row.emotion != UNCERTAIN],
                }
            ],
        }


def _region(place: int, row: TurnPrediction) -> dict[str, Any]:
    shares = row.probabilities
    return {
        "id": f"turn-{place}",
        "from_name": CONTROL,
        "to_name": DIALOGUE,
        "type": "paragraphlabels",
        **({} if shares is None else {"score": shares.get(row.emotion)}),
        "value": {
            "start": str(place),
            "end": str(place),
            "startOffset": 0,
            "endOffset": len(row.text),
            "text": row.text,
            "paragraphlabels": [row.emotion],
        },
    }
