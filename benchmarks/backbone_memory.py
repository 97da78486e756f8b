"""The estimate of `instructerc backbones check` against the memory that trainings take.

python benchmarks/backbone_memory.py [--cases embedded-lora …] [--json FILE]

Every case is a training of two steps, by the package's own trainer, in a process of its own. Measured is the most
resident memory of that process, above what it has before the model is loaded; all libraries are loaded by then, and a
tiny model has been trained. The estimate gets the sizes of the largest row, as a dry run counts them.

Twice: once with glibc's allocator told to give large pieces back as soon as they are freed (`RETURNING`), which is what
the training needs and what is estimated; and once as it comes, which keeps freed pieces of one row that those of the
next, of other lengths, do not fit into. Elsewhere than on glibc the two are the same.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import conversations
from instructerc.backbones.adapters import AdapterSpec
from instructerc.backbones.loading import count_parameters, load_backbone, load_skeleton, quiet_transformers
from instructerc.backbones.memory import MIB, Memory, Use, memory_of, sizes_of
from instructerc.backbones.tokens import PromptEncoder
from instructerc.prompts import PromptSpec, Window
from instructerc.prompts.example import Example
from instructerc.recognition.artefact import Artefact
from instructerc.training.settings import TrainingSettings
from instructerc.training.stage import train_stage
from measuring import Column, Row, finish, parser_of, use_threads
from passes import save_llama

COLUMNS = (
    Column("model", "model"),
    Column("trained", "trained"),
    Column("parameters", "parameters", ",d"),
    Column("largest", "tokens of the largest row", ",d"),
    Column("weights", "weights", ",.0f", " MiB"),
    Column("states", "gradients and optimiser", ",.0f", " MiB"),
    Column("activations", "activations", ",.0f", " MiB"),
    Column("estimate", "estimate", ",.0f", " MiB"),
    Column("measured", "measured", ",.0f", " MiB"),
    Column("ratio", "ratio", ".2f"),
    Column("kept", "with what the allocator keeps", ",.0f", " MiB"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A training.

    Attributes:
        backbone: `embedded`, or `llama` for a random one.
        method: What is trained.
        checkpointing: Whether activations are computed twice.
    """

    backbone: Literal["embedded", "llama"]
    method: Literal["lora", "all"]
    checkpointing: bool = False


CASES = {
    "embedded-lora": Case(backbone="embedded", method="lora"),
    "embedded-all": Case(backbone="embedded", method="all"),
    "llama-lora": Case(backbone="llama", method="lora"),
    "llama-all": Case(backbone="llama", method="all"),
    "llama-lora-checkpointing": Case(backbone="llama", method="lora", checkpointing=True),
}

RETURNING = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""Pieces of so many bytes are mapped by themselves, and unmapped when they are freed."""

EXAMPLES = 8
"""A step: two rows of trees or more, so that gradients of the first are there beside the second."""


def resident() -> tuple[int, int]:
    """Bytes of memory that this process has now, and has had at most.

    Linux hands the most that `getrusage` knows down from the program that started this one; its status file does not.
    """
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
        return int(status["VmRSS"].split()[0]) * 1024, int(status["VmHWM"].split()[0]) * 1024
    except OSError:  # not Linux
        unit = 1 if sys.platform == "darwin" else 1024
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return highest, highest


def examples_of(steps: int) -> tuple[PromptSpec, list[Example]]:
    """A prompt, and as many labelled examples as so many steps take."""
    spec = PromptSpec(labels=conversations.labels(), wording="compact", window=Window(size=8))
    (chat,) = conversations.synthetic(1, turns=steps * EXAMPLES)
    return spec, list(spec.labelled_examples(chat))


def train(backbone: str, case: Case, *, steps: int, row_tokens: int | None = None) -> tuple[int, int]:
    """Trains, and returns the tokens of the largest row and of the longest prompt."""
    spec, examples = examples_of(steps)
    artefact = Artefact(
        backbone=backbone,
        revision=None,
        adapter=AdapterSpec(method=case.method),
        prompt=spec,
        dtype="float32",
        precision="float32",
    )
    settings = TrainingSettings(
        epochs=1,
        batch_size=EXAMPLES,
        row_tokens=row_tokens,
        gradient_checkpointing=case.checkpointing,
        learning_rate=1e-5,
        tracking=(),
    )
    model = load_backbone(backbone, dtype="float32", precision="float32", device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        result = train_stage(model, artefact, settings, Path(folder), train=examples, validation=())
    longest = max(len(example.prompt) for example in PromptEncoder.of(model, spec).encode_all(examples))
    return result.workload.tokens.largest, longest


def estimate(backbone: str, case: Case, largest: int, longest: int) -> tuple[int, Memory]:
    """Parameters, and what the training of a case should take; nothing is loaded but the configuration."""
    skeleton = load_skeleton(backbone)
    total, all_trained = count_parameters(skeleton)
    use = Use.on("cpu", method=case.method, targets=skeleton.targets, narrow=False, checkpointing=case.checkpointing)
    trained = all_trained if case.method == "all" else None
    sizes = sizes_of(skeleton.model.config)
    return total, memory_of(sizes, total, replace(use, tokens=largest, longest=longest), trained=trained)


def measure(given: Any) -> Row:
    """One case, in this process."""
    use_threads(given.threads)
    case = CASES[given.case]
    with tempfile.TemporaryDirectory() as folder:
        train(str(save_llama(Path(folder), layers=1, width=64)), case, steps=1)
    before, _ = resident()
    largest, longest = train(given.model, case, steps=given.steps, row_tokens=given.row_tokens)
    _, highest = resident()
    parameters, memory = estimate(given.model, case, largest, longest)
    sizes = {part.name: part.size / MIB for part in memory.parts}
    measured = (highest - before) / MIB
    return {
        "model": case.backbone,
        "trained": case.method + (", activations twice" if case.checkpointing else ""),
        "parameters": parameters,
        "largest": largest,
        "weights": sizes["weights"] + sizes.get("adapters", 0),
        "states": sizes["gradients"] + sizes["optimiser"],
        "activations": sizes["activations"] + sizes["work"] + sizes["logits"],
        "estimate": memory.total / MIB,
        "measured": measured,
        "ratio": memory.total / MIB / measured,
    }


def in_own_process(given: Any, case: str, model: str) -> Row:
    """One case, measured by two processes of its own."""
    options = {"--case": case, "--model": model, "--steps": given.steps, "--threads": given.threads}
    words = [str(word) for option, value in options.items() for word in (option, value)]
    words += ["--row-tokens", str(given.row_tokens)] if given.row_tokens else []
    rows = []
    for environment in (RETURNING, {}):
        command = [sys.executable, __file__, *words]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8", env={**os.environ, **environment}
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    row: Row = {**rows[0], "kept": rows[1]["measured"]}
    print(case, {key: row[key] for key in ("estimate", "measured", "kept")}, file=sys.stderr)
    return row


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a case."""
    parser = parser_of(__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--steps", type=int, default=2, help="optimiser steps (2)")
    parser.add_argument("--row-tokens", type=int, help="of a row of trees; the device's own by default")
    parser.add_argument("--layers", type=int, default=9, help="of the Llama (9)")
    parser.add_argument("--width", type=int, default=768, help="of the Llama (768)")
    parser.add_argument("--case", choices=CASES, help="measure one case in this process")
    parser.add_argument("--model", help="its backbone")
    given = parser.parse_args(argv)
    if given.case:
        print(json.dumps(measure(given)))
        return
    with tempfile.TemporaryDirectory() as folder:
        quiet_transformers()
        llama = str(save_llama(Path(folder), layers=given.layers, width=given.width))
        models = {"embedded": "embedded", "llama": llama}
        rows = [in_own_process(given, case, models[CASES[case].backbone]) for case in given.cases]
    note = (
        f"Llama: {given.layers} layers, {given.width} wide, random. float32 on a CPU, {EXAMPLES} examples a step, "
        f"{given.steps} steps, {given.threads} thread."
    )
    finish(given, argv, COLUMNS, rows, notes=[note])


if __name__ == "__main__":
    main()
