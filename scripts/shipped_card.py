"""Writes the card of the model that ships, and docs/shipped_model.md; with --check says whether they are current.

`python scripts/package_model.py` makes the model and the figures.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pages import between, write_or_check

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "benchmarks" / "results" / "shipped" / "embedded.json"
SPEEDS = ROOT / "benchmarks" / "results" / "small-speed.json"
LIVE = ROOT / "benchmarks" / "results" / "settled.json"
CARD = ROOT / "src" / "instructerc" / "shipped" / "embedded" / "README.md"
PAGE = ROOT / "docs" / "shipped_model.md"
README = ROOT / "README.md"
START, END = "<!-- shipped: written by scripts/shipped_card.py -->", "<!-- end of shipped -->"

CORPORA = {"all": "Both", "meld": "MELD", "emorynlp": "EmoryNLP"}
BASELINES = {
    "majority": "Most frequent label",
    "embedding-nearest": "Sentence embeddings, 20 nearest neighbours",
    "embedding-logistic": "Sentence embeddings + logistic regression",
    "tfidf": "TF-IDF + logistic regression",
}

HEADER = """\
---
language:
- en
license: other
license_name: see-LICENSE.md
library_name: instructerc
pipeline_tag: text-classification
base_model: sentence-transformers/all-MiniLM-L6-v2
base_model_relation: finetune
tags:
- emotion-recognition-in-conversation
- instructerc
---

"""


def percent(fraction: float) -> str:
    """A fraction times 100."""
    return f"{100 * fraction:.2f}"


def corpora(figures: dict[str, Any]) -> list[str]:
    """W-F1 of the model and of the baselines, a column a corpus."""
    names = list(CORPORA)
    test, sure = figures["test"], figures["uncalibrated"]

    def cell(name: str) -> str:
        low, high = test[name]["interval"]
        return f"**{percent(test[name]['weighted_f1'])}** ({percent(low)} to {percent(high)})"

    heads = (f"{CORPORA[name]}, {test[name]['support']:,} turns" for name in names)
    lines = [
        f"| test split | {' | '.join(heads)} |",
        f"|---|{'---|' * len(names)}",
        f"| This model, W-F1 (95 % bootstrap interval) | {' | '.join(map(cell, names))} |",
    ]
    for baseline, title in BASELINES.items():
        found = figures["baselines"][baseline]
        lines.append(f"| {title}, W-F1 | {' | '.join(percent(found[name]['weighted_f1']) for name in names)} |")
    lines += [
        f"| This model, {title} | {' | '.join(percent(test[name][key]) for name in names)} |"
        for key, title in (("macro_f1", "macro F1"), ("accuracy", "accuracy"))
    ]
    errors = (
        f"{percent(test[name]['calibration_error'])} ({percent(sure[name]['calibration_error'])})" for name in names
    )
    lines.append(f"| Expected calibration error (before calibration) | {' | '.join(errors)} |")
    return lines


def classes(scores: dict[str, Any]) -> list[str]:
    """Precision, recall, F1 and support of each emotion."""
    lines = ["| emotion | precision | recall | F1 | turns |", "|---|---:|---:|---:|---:|"]
    for label, found in scores["per_class"].items():
        shares = (percent(found[key]) for key in ("precision", "recall", "f1"))
        lines.append(f"| {label} | {' | '.join(shares)} | {found['support']:,} |")
    return lines


def speed(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Turns a second and memory of the model that ships."""
    lines = ["| conversations | cores | turns a second | memory of the process |", "|---|---:|---:|---:|"]
    for row in rows:
        if row["model"] == "shipped":
            cells = (row["conversations"], f"{row['threads']}", f"{row['speed']:.0f}", f"{row['memory']:,.0f} MiB")
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def command(trained: dict[str, Any]) -> str:
    """The command that trained it, with what the recipe that ships says otherwise."""
    values = {
        path: value if isinstance(value, str) else json.dumps(value) for path, value in trained["unlike_recipe"].items()
    }
    changed = (f" --set {shlex.quote(f'{path}={value}')}" for path, value in values.items())
    return f"instructerc run shipped --set data.folder=FOLDER{''.join(changed)}"


def card(figures: dict[str, Any], speeds: Sequence[dict[str, Any]], live: float) -> str:
    """The card, without the header that model hubs read."""
    trained, run = figures["trained"], figures["trained"]["provenance"]["Run"]
    data = trained["provenance"]["Data"]
    validation = ", ".join(percent(value) for _, value in trained["validation"])
    left_out = next(text for text in trained["notices"] if text.endswith("left out"))
    nl = "\n"
    return f"""\
# The model that ships

<!-- Written by scripts/shipped_card.py from benchmarks/results/shipped/embedded.json, with `make docs`. -->

`EmotionRecognizer.from_pretrained("embedded")`, and what `instructerc predict`, `serve` and `doctor` use where nobody
names another. It reads a conversation and names the emotion of each turn, with the probability of every label:
{", ".join(figures["labels"])}. Model hash `{figures["model"]}`.

It is all-MiniLM-L6-v2 as a prefix language model (docs/small_models.md), fine-tuned by the InstructERC
method on MELD and EmoryNLP; {figures["bytes"] / 1e6:.1f} MB in bfloat16 come with the package, the word embeddings with
the extra `offline` or from a model hub. It reads a turn with eight to fifteen before it.

## Measured

{nl.join(corpora(figures))}

All rows learn from the same training turns and are judged on the same test turns. EmoryNLP's *peaceful* and *powerful*
have no place among the six basic emotions, so its turns with those labels are neither learned nor judged: its figure is
not comparable with published ones of seven classes. MELD's is, with care: it is trained on more than MELD. One seed;
docs/baselines.md has baselines that learn from MELD alone. Models that people use on single sentences, such as those of
hubs for text classification, could not be had where this was measured.

{nl.join(classes(figures["test"]["all"]))}

{nl.join(speed(speeds))}

Without a graphics card, by `python benchmarks/small_speed.py`. What turns share is read once, and live sessions
(docs/live.md) keep what they have read; time a turn does not grow with a conversation. A live turn takes {live:.0f} ms
of one core (`python benchmarks/settled.py`).

## Made

```
{command(trained)}
python scripts/package_model.py runs/shipped-42
```

- Training: {data["train"]}. Validation: {data["validation"]}. Test: {data["test"]}.
- The leak guard looked for {left_out}.
  Without it, scenes of *Friends* that stand in both corpora would be learned from in one and judged in the other.
- Epoch {trained["best_epoch"]} of {len(trained["validation"])}, chosen on validation (W-F1 per epoch: {validation}).
  The test split chose nothing.
- {run["training seconds"] / 60:.0f} minutes on one CPU thread, seed {data["seed"]}, revision `{run["revision"][:10]}`.
- Tensors in bfloat16, then the temperature, {figures["temperature"]}, fitted on validation: it changes probabilities
  and no label. The figures above are those of the tensors in the package.

## Limits

- It learned how people speak in one American comedy series, and knows English alone. Figures on your conversations will
  be lower: measure it on a few hundred labelled turns of your own (`instructerc evaluate`), or train on them
  (`instructerc run own-data`).
- Sadness, fear and disgust are rare in its data and often missed: see the recalls above.
- It reads words. Tone, faces and what everybody in the room knows are not there.
- A prediction is a guess about words, not knowledge of what a person feels. Decide nothing about a person by it
  alone, and ask what the law where you are allows before you use it on employees, pupils or customers.
- `--threshold 0.5` leaves turns open of which it is not sure.

## Licence

See `LICENSE.md` beside it. In short: base weights Apache-2.0; trained on MELD (GPL-3.0) and EmoryNLP (Apache-2.0). No
DailyDialog, whose licence excludes commercial use.
"""


def summary(figures: dict[str, Any], speeds: Sequence[dict[str, Any]], live: float) -> str:
    """The model in a few lines, for the README."""
    of = {title: scores["weighted_f1"] * 100 for title, scores in figures["test"].items()}
    fast = max(speed_of["speed"] for speed_of in speeds if speed_of["model"] == "shipped")
    size, error = figures["bytes"] / 1e6, figures["test"]["all"]["calibration_error"] * 100
    return "\n".join(
        (
            f"The model is {size:.0f} MB, fine-tuned on MELD and EmoryNLP: weighted F1 {of['meld']:.1f} on MELD's test",
            f"split, {of['emorynlp']:.1f} on EmoryNLP's turns with one of the six basic emotions, expected",
            f"calibration error {error:.1f} %. It labels {fast:.0f} turns a second on two cores,",
            f"a live turn in {live:.0f} ms. [Its card](docs/shipped_model.md) has the rest, and its limits.",
        )
    )


def main() -> int:
    """Writes all three, or checks them."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    speeds = json.loads(SPEEDS.read_text(encoding="utf-8"))["rows"]
    live = json.loads(LIVE.read_text(encoding="utf-8"))["rows"][-1]["live"]
    text, arguments = card(figures, speeds, live), sys.argv[1:]
    source = FIGURES.relative_to(ROOT).as_posix()
    codes = (
        write_or_check(PAGE, text, arguments, source=source),
        write_or_check(CARD, HEADER + text, arguments, source=source),
        write_or_check(
            README,
            between(README.read_text(encoding="utf-8"), START, END, summary(figures, speeds, live)),
            arguments,
            source=source,
        ),
    )
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
