"""Makes the model that ships with the package out of a finished run, and measures what is then in the package.

python scripts/package_model.py RUN_FOLDER [--data FOLDER]

Its tensors are kept in bfloat16, at half their size; its temperature is fitted on validation with those, and it is
measured on test with those, beside the baselines on the same turns. The figures go to
`benchmarks/results/shipped/embedded.json`, from which `python scripts/shipped_card.py` writes the card.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "shipped" / "embedded.json"
BASELINES = ("majority", "tfidf", "embedding-nearest", "embedding-logistic")
LARGEST = 25_000_000
"""Bytes: whoever installs the package downloads the model with it."""


def save_halved(source: Path, target: Path) -> None:
    """Copies a trained model, its tensors in bfloat16 and its artefact without what was fitted to other tensors."""
    import torch
    from safetensors.torch import load_file, save_file

    from instructerc.backbones.adapters import PARAMETERS
    from instructerc.recognition.artefact import FILE

    target.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(source / PARAMETERS).items()}
    save_file(tensors, target / PARAMETERS, metadata={"format": "pt"})
    record = json.loads((source / FILE).read_text(encoding="utf-8"))
    record.pop("temperature", None)
    (target / FILE).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in target.iterdir())
    if size > LARGEST:
        raise SystemExit(f"{target} has {size:,} bytes, more than {LARGEST:,}: train fewer tensors")


def figures(rows: Sequence[Any], data: Any) -> dict[str, Any]:
    """The scores of predictions, overall and of each corpus."""
    from instructerc.evaluation.rows import interval_of_rows
    from instructerc.evaluation.sources import evaluate_by_source, rows_by_source

    labels, neutral = data.labels.labels, data.labels.neutral
    found = evaluate_by_source(
        rows, labels=labels, neutral=neutral, sources=data.mixture.sources, labels_of=data.mixture.labels_of
    )
    parts = {"all": rows, **rows_by_source(rows)}
    record = {}
    for name, scores in {"all": found.overall, **found.by_source}.items():
        interval = interval_of_rows(parts[name], labels=scores.labels, neutral=neutral)
        record[name] = {**scores.to_json(), "interval": [interval.low, interval.high]}
    return record


def unlike(run: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's recipe says otherwise than the packaged one, but for what changes no model."""
    return {
        path: value
        for path, value in run.items()
        if value != recipe.get(path) and path not in ("evaluation.baselines", "training.tracking")
    }


def main() -> None:
    """Writes the model into the package, and its figures into a result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, help="the folder of the corpora, where it is no longer the run's")
    given = parser.parse_args()

    from record_try import recipe_of

    from instructerc.baselines.measuring import measure_baselines
    from instructerc.baselines.registry import BASELINES as METHODS
    from instructerc.experiments.calibrating import calibrate
    from instructerc.experiments.data import prepare_data
    from instructerc.experiments.resolve import resolve
    from instructerc.experiments.rules import flat_values
    from instructerc.recognition.publishing import SHIPPED_FOLDER
    from instructerc.recognition.recognizer import EmotionRecognizer

    overrides = [f"data.folder={given.data}"] if given.data else []
    recipe = resolve(str(given.run / "recipe.yaml"), overrides).recipe
    data = prepare_data(recipe)
    if data.corpus is None or data.mixture is None:
        raise SystemExit(f"{given.run}: was not trained on several corpora: the model that ships is")
    save_halved(given.run / "model", SHIPPED_FOLDER)

    def predictions() -> tuple[Any, EmotionRecognizer]:
        recognizer = EmotionRecognizer.from_pretrained(SHIPPED_FOLDER, batch_size=recipe.recognition.batch_size)
        return [row for rows in recognizer.recognize_all(data.conversations("test")) for row in rows], recognizer

    before, recognizer = predictions()
    temperature = calibrate(recognizer, data, SHIPPED_FOLDER)
    after, recognizer = predictions()
    report = json.loads((given.run / "report.json").read_text(encoding="utf-8"))
    size = sum(path.stat().st_size for path in SHIPPED_FOLDER.iterdir())
    record = {
        "model": recognizer.model_hash,
        "labels": list(recognizer.labels),
        "bytes": size,
        "temperature": temperature,
        "uncalibrated": figures(before, data),
        "test": figures(after, data),
        "baselines": {
            result.name: figures(result.rows, data)
            for result in measure_baselines(data.corpus, {name: METHODS[name] for name in BASELINES})
        },
        "trained": {
            "unlike_recipe": unlike(
                recipe_of(given.run), flat_values(resolve("shipped").recipe.model_dump(mode="json"))
            ),
            "best_epoch": report["curves"]["best_epoch"],
            "validation": report["curves"]["validation"],
            "notices": report["notices"],
            "provenance": report["provenance"],
        },
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(RESULT)


if __name__ == "__main__":
    main()
