"""Writes docs/benchmarks.md from benchmarks/results; with --check only says whether it is current.

A benchmark writes its file with `--json benchmarks/results/NAME.json`; what is not there yet, the page says is missing.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages import write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results"

HEAD = """\
# Benchmarks

<!-- Written by scripts/benchmarks_page.py from benchmarks/results: run a benchmark with --json, then `make docs`. -->

Both sides of every comparison are measured in one run, by the same model on the same machine; times are medians of
several rounds in which the sides take turns. Where other work runs on the machine too, *processor* is the time to look
at: seconds of the process itself, on all its cores. The versions of what was measured stand in the files that the
tables are made from (`benchmarks/results/`).
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A benchmark and what it is about."""

    name: str
    title: str
    about: str
    command: str

    @property
    def file(self) -> Path:
        """Where its rows are."""
        return RESULTS / f"{self.name}.json"

    def text(self) -> str:
        """The section, whether it has been measured or not."""
        if not self.file.is_file():
            return f"## {self.title}\n\n{self.about}\n\n**Not measured yet.** `{self.command}`\n"
        record = json.loads(self.file.read_text(encoding="utf-8"))
        machine = record["machine"]
        threads = f", {machine['threads']} of {machine['cores']} cores" if machine["threads"] else ""
        source = f"`{record['command']}` ({machine['device']}{threads})"
        notes = [f"{note}\n" for note in record["notes"]]
        table = markdown(
            [column["heading"] for column in record["columns"]],
            [[cell(row.get(column["key"]), column) for column in record["columns"]] for row in record["rows"]],
        )
        return "\n".join([f"## {self.title}\n", f"{self.about}\n", table, *notes, f"{source}\n"])


SECTIONS = (
    Section(
        "tree-tokens",
        "Tokens",
        "Tokens through the model, in an epoch of learning and in recognition. *Alone*: every prompt by itself; "
        "*padded*: in batches of about one length; *as trees*: every shared token once.",
        "python benchmarks/tree_tokens.py --tokenizer FOLDER --json benchmarks/results/tree-tokens.json",
    ),
    Section(
        "training-speed",
        "Training",
        "The same examples through the package's own batches, loss and optimiser. *Padded* is what a backbone without "
        "trees is trained with; *sorted* has the least padding that there can be. The *share* is how much of the "
        "saving in tokens is a saving in time; the aim is 0.8.",
        "python benchmarks/training_speed.py --json benchmarks/results/training-speed.json",
    ),
    Section(
        "recognition-speed",
        "Recognition",
        "A test split by a trained model. *Generate*: `model.generate` on left-padded batches; *padded*: one row a "
        "prompt, labels read from its cache; *alone*: one tree a prompt. The aim is 10 times generation and 3 times "
        "padded scoring.",
        "python benchmarks/recognition_speed.py CHECKPOINT --json benchmarks/results/recognition-speed.json",
    ),
    Section(
        "wordings",
        "Wordings: tokens and time",
        "What the compact wordings save on top, on the embedded backbone.",
        "python benchmarks/wordings.py --json benchmarks/results/wordings.json",
    ),
    Section(
        "small-speed",
        "Small models",
        "What the model that ships labels a second, and the most memory that the process held, beside the other "
        "embedded backbones. It is `embedded-turns`, which reads once what prompts share, as the causal `embedded` "
        "does; `embedded-encoder` reads each prompt alone, with less history.",
        "python benchmarks/small_speed.py --json benchmarks/results/small-speed.json",
    ),
    Section(
        "settled",
        "Weights that are cast once",
        "The model that ships computes in bfloat16. A model that is loaded to be asked keeps its weights so; before, "
        "each pass cast them anew.",
        "python benchmarks/settled.py --json benchmarks/results/settled.json",
    ),
    Section(
        "live",
        "Live conversations",
        "A turn of a conversation that goes on: a session, which keeps what it has read, against reading the last "
        "prompt from scratch. The same emotions on every turn.",
        "python benchmarks/live.py --json benchmarks/results/live.json",
    ),
    Section(
        "attention",
        "Attention on a CPU",
        "One row of token trees, forward and backward: dense masks against attention block by block, in "
        "processor time.",
        "python benchmarks/attention.py --json benchmarks/results/attention.json",
    ),
    Section(
        "padded-attention",
        "Attention in padded batches on a CPU",
        "Forward and backward passes of `embedded-encoder` in bfloat16, in processor time. The package trains with "
        "*sdpa in float32*.",
        "python benchmarks/padded_attention.py --json benchmarks/results/padded-attention.json",
    ),
    Section(
        "retrieval",
        "Finding demonstrations",
        "Encoding MELD's training utterances, and searching 10,000 and a million entries exactly. Both searches find "
        "the same in the same order.",
        "python benchmarks/retrieval.py --json benchmarks/results/retrieval.json",
    ),
    Section(
        "backbone-memory",
        "Memory: estimate and measurement",
        "What `instructerc backbones check` estimates of a training, beside what its process takes above the program "
        "itself. *Measured* with an allocator that gives freed memory back; the last column is the same training with "
        "glibc's own habits, which keep pieces of rows that the next, of other lengths, do not fit into.",
        "python benchmarks/backbone_memory.py --json benchmarks/results/backbone-memory.json",
    ),
    Section(
        "chatglm-parity",
        "ChatGLM and ChatGLM2",
        "Largest differences of logits, losses and generated steps from reference values of the original "
        "implementations, on tiny random models of both architectures.",
        "python benchmarks/chatglm_parity.py --json benchmarks/results/chatglm-parity.json",
    ),
    Section(
        "server-load",
        "A server under load",
        "Clients on loopback that ask without a pause: one in four follows a live conversation, a turn at a time, the "
        "others send one conversation of 1 to 40 turns. With a long queue everybody waits; with a short one the limits "
        "refuse, and who is taken is answered soon.",
        "python benchmarks/server_load.py --json benchmarks/results/server-load.json",
    ),
    Section(
        "many-turns",
        "A hundred thousand turns",
        "Through `instructerc predict`, by the causal model that was the first to ship: memory stays where it is.",
        "python benchmarks/many_turns.py --json benchmarks/results/many-turns.json",
    ),
    Section(
        "soak-predict",
        "Killed and run again",
        "`instructerc predict`, killed with signal 9 at moments drawn over all of a run, from starting Python to the "
        "last row, and called once more.",
        "python benchmarks/soak_predict.py --json benchmarks/results/soak-predict.json",
    ),
    Section(
        "fuzz",
        "Everything that reads, fuzzed",
        "libFuzzer by atheris, guided by which of our code an input reaches; before it, the same targets met 32,000 "
        "inputs by hypothesis. Found and mended so far: a csv header with a field beyond the limit, a model's "
        "artefact.json of a thousand nested lists, a zip archive whose directory points before its beginning and one "
        "with a nameless member, a Parquet file that claims more rows than it has.",
        "python benchmarks/fuzz.py --json benchmarks/results/fuzz.json",
    ),
    Section(
        "soak-disk",
        "A training without room",
        "A quota on the size of files, drawn at random, and file systems that are too small; then a resume with room.",
        "python benchmarks/soak_disk.py --json benchmarks/results/soak-disk.json",
    ),
    Section(
        "distributed",
        "Several processes train as one does",
        "Losses, weights and validation beside those of one process: plain data parallelism, and DeepSpeed's ZeRO-2 "
        "and ZeRO-3, over gloo. On one CPU a step gains little from a second process, and of a model "
        "this small much of it is the talk between them: the time says what that costs, not what GPUs save.",
        "python benchmarks/distributed.py --json benchmarks/results/distributed.json",
    ),
    Section(
        "soak-training",
        "A training killed and resumed",
        "`instructerc run` with two stages of a tiny Llama, killed with signal 9 at moments drawn over all of a run, "
        "from reading data to the report, and called again with `--resume` until it ends. Some runs are killed twice: "
        "*after* is counted from each call, *what was there* is of both.",
        "python benchmarks/soak_training.py --json benchmarks/results/soak-training.json",
    ),
    Section(
        "ray-workers",
        "Workers of a Ray cluster",
        "Eight files by `instructerc predict --engine ray`, a core a worker, by the causal model that was the first to "
        "ship. The speed is that of the seconds from the first partition that is done to the last.",
        "python benchmarks/ray_workers.py --json benchmarks/results/ray-workers.json",
    ),
    Section(
        "onnx-export",
        "ONNX",
        "The body of the embedded backbone on batches of whole sequences, in torch and exported. An export would gain "
        "a few hundredths, and half as much again in 8 bits with other answers; token trees, which it would have to "
        "do without or bring along, save two to three times as many tokens. So there is none.",
        "python benchmarks/onnx_export.py --json benchmarks/results/onnx-export.json",
    ),
    Section(
        "gpu-vllm",
        "vLLM",
        "The labels of vLLM and of transformers on the same turns, and turns a second of both; needs a GPU.",
        "python benchmarks/gpu_vllm.py --json benchmarks/results/gpu-vllm.json",
    ),
    Section(
        "gpu-trees",
        "On a GPU",
        "Random Llamas, forward and backward, by FlexAttention, by SDPA with a boolean mask, and in padded batches.",
        "python benchmarks/gpu_trees.py --json benchmarks/results/gpu-trees.json",
    ),
)


@dataclass(frozen=True, slots=True)
class Training:
    """A training that is compared with others."""

    corpus: str
    wording: str
    batching: str
    steps: str

    @property
    def command(self) -> str:
        """What trains it with one seed."""
        return (
            f"instructerc run meld --set data.corpus={self.corpus} --set data.folder=FOLDER "
            f"--set prompt.wording={self.wording} --set training.batching={self.batching} "
            "[--set training.grouping=GROUPING] "
            "--set training.epochs=3 --set training.early_stopping=null --set evaluation.baselines='[]' "
            "--set seed=SEED"
        )


SEEDS = (1, 2)
UNEVEN = "whole conversations, uneven"
"""Steps as they were before they were made even."""

TRAININGS = (
    Training("emorynlp", "released", "tree", UNEVEN),
    Training("emorynlp", "compact", "tree", UNEVEN),
    Training("emorynlp", "compact-repeated", "tree", UNEVEN),
    Training("emorynlp", "compact-repeated", "tree", "whole conversations"),
    Training("emorynlp", "compact-repeated", "tree", "parts of conversations, 4 examples at most"),
    Training("emorynlp", "compact-repeated", "padded", "single examples"),
)
ABOUT_TRAININGS = f"""\
W-F1 times 100, mean and deviation over seeds. All take as many optimiser steps of as many examples, 32 a step on
average. The rows of one wording say whether steps of conversations, which token trees read fastest, cost accuracy
beside steps of shuffled examples, and what mends it. Uneven steps are what they were before they were made even.

`{Training("emorynlp", "WORDING", "BATCHES", "").command}`, then `python scripts/record_training.py RUN_FOLDER`
"""


TRAINING_KEYS = ("corpus", "wording", "batching", "steps")


def trainings() -> str:
    """The section about wordings and batches in trainings; rows that nobody has trained are there, and say so."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("wording-*.json"))]
    found: dict[Training, list[dict[str, Any]]] = {training: [] for training in TRAININGS}
    for record in records:
        found.setdefault(Training(*(record[key] for key in TRAINING_KEYS)), []).append(record)
    head = ["corpus", "wording", "batches", "a step", "window", "test W-F1", "validation W-F1", "seeds", "missing"]
    table = markdown(head, [training_cells(training, runs) for training, runs in found.items()])
    return f"## Wordings and batches: accuracy\n\n{ABOUT_TRAININGS}\n{table}"


def training_cells(training: Training, records: Sequence[dict[str, Any]]) -> list[str]:
    """A row of that table."""
    name = [training.corpus, training.wording, training.batching, training.steps]
    absent = ", ".join(f"seed {seed}" for seed in SEEDS if seed not in {record["seed"] for record in records})
    if not records:
        return [*name, "", "", "", "", absent]
    runs = [record["run"] for record in records]
    return [
        *name,
        records[0]["window"],
        figure(run["weighted_f1"] for run in runs),
        figure(max(score for _, score in run["validation"]) for run in runs),
        ", ".join(str(record["seed"]) for record in records),
        absent,
    ]


def figure(values: Iterable[float]) -> str:
    """A fraction, or the mean and deviation of several, times 100."""
    scaled = [100 * value for value in values]
    mean = f"{statistics.mean(scaled):.2f}"
    return f"{mean} ± {statistics.stdev(scaled):.2f}" if len(scaled) > 1 else mean


def cell(value: Any, column: dict[str, str]) -> str:
    """A value as people read it; empty where there is none."""
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:{column['spec']}}{column['unit']}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section.text() for section in SECTIONS), trainings()])


def main(arguments: list[str]) -> int:
    """Writes or checks the page; returns the exit status."""
    return write_or_check(PAGE, page(), arguments, source="benchmarks/results")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
