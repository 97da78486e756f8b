"""What attention costs in training on padded batches on a CPU, in bfloat16: SDPA, SDPA in float32, and eager attention.

[INSTRUCTERC_SHARED=FOLDER] python benchmarks/padded_attention.py [--sizes 4 8 16] [--rounds 3]
    [--json benchmarks/results/padded-attention.json]

`embedded-encoder` learns from real prompts (MELD where FOLDER holds data/meld, the sample otherwise; compact wording,
six turns). All sides take turns on the same batches, in processor time, so that other load distorts little; medians of
the rounds count, after one that warms up. The difference is that of the gradient from the one in float32, without
dropout, as a share of its length.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.wide_attention import widened
from instructerc.prompts import PromptSpec, Window
from instructerc.training.batches import MicroBatch, PaddedBatching
from instructerc.training.objective import weighted_loss
from measuring import SHARED_VARIABLE, Column, Row, Stopwatch, corpus_of, finish, median, parser_of, use_threads
from passes import encode, load_trainable

COLUMNS = (
    Column("attention", "attention"),
    Column("size", "prompts a pass"),
    Column("tokens", "tokens", ","),
    Column("milliseconds", "ms / 1,000 tokens", ",.0f"),
    Column("ratio", "beside SDPA", ".2f", "×"),
    Column("difference", "difference", ".1e"),
)
CONVERSATIONS = 20
BATCHES = 12
"""Batches of the largest size; of smaller ones as many as hold the same prompts."""


@contextmanager
def eager(backbone: Backbone) -> Any:
    """The same model with eager attention."""
    backbone.model.set_attn_implementation("eager")
    yield
    backbone.model.set_attn_implementation("sdpa")


SIDES: dict[str, Callable[[Backbone], AbstractContextManager[Any]]] = {
    "sdpa": lambda _: nullcontext(),
    "sdpa in float32": widened,
    "eager": eager,
}


def learn(backbone: Backbone, batches: Sequence[MicroBatch]) -> float:
    """Processor seconds of forward and backward passes."""
    with Stopwatch() as watch:
        for batch in batches:
            weighted_loss(backbone, backbone.model, batch).backward()
    return watch.elapsed.processor


def gradient(backbone: Backbone, batch: MicroBatch) -> torch.Tensor:
    """All of it in a row, without dropout."""
    backbone.model.eval()
    backbone.model.zero_grad()
    weighted_loss(backbone, backbone.model, batch).backward()
    backbone.model.train()
    found = [tensor.grad.flatten() for tensor in backbone.model.parameters() if tensor.grad is not None]
    return torch.cat(found)


def exact_gradient(backbone: Backbone, batch: MicroBatch) -> torch.Tensor:
    """In float32."""
    backbone.autocast = False
    found = gradient(backbone, batch)
    backbone.autocast = True
    return found


def compare(backbone: Backbone, batches: Sequence[MicroBatch], rounds: int) -> list[Row]:
    """A line a side."""
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    differences: dict[str, float] = {}
    exact = exact_gradient(backbone, batches[0])
    for name, side in SIDES.items():
        with side(backbone):
            differences[name] = float((gradient(backbone, batches[0]) - exact).norm() / exact.norm())
    for _ in range(rounds + 1):
        for name, side in SIDES.items():
            with side(backbone):
                seconds[name].append(learn(backbone, batches))
            backbone.model.zero_grad()
    medians = {name: median(times[1:]) for name, times in seconds.items()}
    tokens = sum(batch.inputs["input_ids"].numel() for batch in batches)
    return [
        {
            "attention": name,
            "size": len(batches[0].inputs["input_ids"]),
            "tokens": tokens,
            "milliseconds": medians[name] / tokens * 1e6,
            "ratio": medians[name] / medians["sdpa"],
            "difference": differences[name],
        }
        for name in SIDES
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a line a side and size."""
    parser = parser_of(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=(4, 8, 16), help="prompts a pass")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(argv)
    use_threads(given.threads)
    corpus = corpus_of("meld" if os.environ.get(SHARED_VARIABLE) else "sample")
    assert corpus is not None
    backbone = load_trainable("embedded-encoder", precision="bf16")
    backbone.model.train()
    spec = PromptSpec(labels=corpus.labels, wording="compact", window=Window(size=6))
    examples = encode(backbone, spec, corpus.train[:CONVERSATIONS])[: BATCHES * max(given.sizes)]
    lines: list[Row] = []
    for size in given.sizes:
        batching = PaddedBatching(micro_batch=size, pad=backbone.tokenizer.pad_token_id, both_ways=True)
        lines += compare(backbone, batching.micro_batches(examples), given.rounds)
    notes = [f"processor time on {given.threads} thread; median of {given.rounds} rounds"]
    finish(given, argv, COLUMNS, lines, notes=notes)


if __name__ == "__main__":
    main()
