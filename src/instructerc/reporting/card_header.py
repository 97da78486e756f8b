"""The header of a model card: YAML between two lines of dashes, from which a model hub fills its pages.

It says what is known and nothing else: a language only of corpora whose language is known, a base model only where a
hub has it. The licence of a model is that of its backbone and of its data together, which nobody here can judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from instructerc.recognition.publishing import hub_id
from instructerc.reporting.report import Report

FENCE = "---\n"

ENGLISH = frozenset(
    (
        *("sample", "meld", "meld-cosmic", "emorynlp", "emorynlp-cosmic", "emorynlp-v1", "iemocap", "iemocap-cosmic"),
        "dailydialog",
    )
)
"""Corpora of the catalogue that are known to be English."""


def header_fields(artefact: Mapping[str, Any], report: Report | None = None) -> dict[str, Any]:
    """The fields of a header, plain values.

    Args:
        artefact: `Artefact.to_json` of the model.
        report: The run's report; None where it is not at hand.
    """
    merged = artefact.get("merged")
    adapter = artefact["adapter"] or (merged and merged["adapter"])
    corpora = _corpora(artefact, report)
    fields: dict[str, Any] = {"language": ["en"]} if corpora and ENGLISH.issuperset(corpora) else {}
    fields |= {
        "license": "other",
        "license_name": "that-of-the-backbone-and-of-the-data",
        "library_name": "instructerc",
        "pipeline_tag": "text-classification",
        "tags": _tags(adapter, quantized=(merged or artefact).get("quantization", "none"), merged=merged is not None),
    }
    base = hub_id(merged["backbone"] if merged else artefact["backbone"]["name"])
    if base is not None and artefact.get("endpoint") is None:
        fields["base_model"] = base
        if adapter is not None:
            low_rank = adapter["method"] == "lora" and merged is None
            fields["base_model_relation"] = "adapter" if low_rank else "finetune"
    if report is not None:
        fields["model-index"] = [_index(artefact, report)]
    return fields


def render_header(fields: Mapping[str, Any]) -> str:
    """Fields as the header of a Markdown file, whatever texts they hold."""
    import yaml

    text = yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True, width=120)
    if yaml.safe_load(text) != fields:  # a line end of Unicode, which the library writes as it is and reads as another
        text = yaml.safe_dump(dict(fields), sort_keys=False, width=120)
    return f"{FENCE}{text}{FENCE}"


def split_header(card: str) -> tuple[dict[str, Any], str]:
    r"""The fields of a card's header, and the text behind it; no fields where it has none that can be read.

    Example:
        >>> split_header("---\nlicense: other\n---\n# Title")
        ({'license': 'other'}, '# Title')
    """
    import yaml

    if not card.startswith(FENCE):
        return {}, card
    head, fence, body = card.removeprefix(FENCE).partition(f"\n{FENCE}")
    try:
        fields = yaml.safe_load(head)
    except yaml.YAMLError:
        return {}, card
    return (fields, body) if fence and isinstance(fields, dict) else ({}, card)


def _corpora(artefact: Mapping[str, Any], report: Report | None) -> list[str]:
    """Names of the corpora; that of a mixture is those of its parts, joined by +."""
    name = str(artefact["corpus"])
    mixture = bool(report.sources) if report is not None else ENGLISH.issuperset(name.split("+"))
    return name.split("+") if mixture else [name] * bool(name)


def _tags(adapter: Mapping[str, Any] | None, *, quantized: str, merged: bool) -> list[str]:
    tags = ["emotion-recognition", "emotion-recognition-in-conversation", "instructerc"]
    if adapter is not None and adapter["method"] == "lora":
        tags.append("dora" if adapter.get("dora") else "lora")
    if quantized != "none":
        tags.append("qlora" if merged else "bitsandbytes")
    return tags + ["merged"] * merged


def _index(artefact: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """The figures, as the hub's leaderboards take them; what makes them no ordinary results stands in their names."""
    marks = f" ({'; '.join(report.marks)})" if report.marks else ""
    figures = {"Weighted F1": report.main.weighted_f1, "Macro F1": report.main.macro_f1}
    metrics = [
        {"type": "f1", "name": f"{name}{marks}", "value": round(100 * value, 2)} for name, value in figures.items()
    ]
    metrics.append({"type": "accuracy", "name": f"Accuracy{marks}", "value": round(100 * report.main.accuracy, 2)})
    dataset = {
        "type": re.sub(r"[^a-z0-9._-]+", "-", str(artefact["corpus"]).lower()).strip("-") or "conversations",
        "name": str(artefact["corpus"]) or "conversations",
        "split": report.main_split,
    }
    task = {"type": "text-classification", "name": "Emotion recognition in conversation"}
    return {"name": report.title, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}
