"""What attention costs on a CPU: masks of a row's square beside attention block by block, forward and backward.

[INSTRUCTERC_SHARED=FOLDER] python benchmarks/attention.py [--cases embedded llama] [--budgets 512 …] [--rounds 5]
    [--precisions float32 bf16] [--json benchmarks/results/attention.json]

The embedded backbone reads rows of real prompts (MELD where FOLDER holds data/meld, the sample otherwise; compact
wording, 12 turns, stride 4), a random Llama one tree of a synthetic conversation of 40 turns with full history. All
variants take turns on the same row, in processor time, so that other load distorts little; medians count. The share of
attention is what a model saves whose attention hands its values through. The difference is the largest from logits of
sequences that are read alone in float32, as a share of the largest logit.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from conversations import synthetic
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import row_logits
from instructerc.backbones.tree_attention import IMPLEMENTATION, enable, tree_arguments
from instructerc.prompts import PromptSpec, Window
from instructerc.trees import Row, pack
from instructerc.trees.tree import visible
from measuring import SHARED_VARIABLE, Column, Stopwatch, corpus_of, finish, median, parser_of, use_threads
from measuring import Row as Line
from passes import encode, load_trainable, save_llama

COLUMNS = (
    Column("backbone", "backbone"),
    Column("precision", "precision"),
    Column("tokens", "tokens", ","),
    Column("attention", "attention"),
    Column("milliseconds", "ms / 1,000 tokens", ",.0f"),
    Column("share", "of which attention", ".0%"),
    Column("difference", "difference", ".0e"),
)
BUDGETS = (256, 384, 512, 768, 1024, 2048)
BLOCKS = (32, 64, 128, 256)
CONVERSATIONS = 60
LARGEST_EAGER = 2500
"""Tokens of a row that eager attention is tried on: it keeps the weights of all heads and layers, gigabytes of them."""

COMPARED = 12
"""Sequences of a row that are also read alone."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to compute the attention of a row.

    Attributes:
        name: What people read.
        implementation: What transformers calls it.
        arguments: What it has to know of a row.
    """

    name: str
    implementation: str
    arguments: Callable[[Row], dict[str, Any]]


def boolean(row: Row) -> dict[str, Any]:
    return {"attention_mask": torch.from_numpy(visible(row.ends))[None, None]}


def additive(row: Row) -> dict[str, Any]:
    mask = torch.where(torch.from_numpy(visible(row.ends)), 0.0, torch.finfo(torch.float32).min)
    return {"attention_mask": mask[None, None]}


def blocks(size: int) -> Callable[[Row], dict[str, Any]]:
    return lambda row: tree_arguments(row, block=size)


def hand_through(
    _: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *__: Any, **___: Any
) -> tuple[torch.Tensor, None]:
    """No attention; queries and keys still get gradients, so that nothing else is saved."""
    return (value + 0 * query + 0 * key).transpose(1, 2).contiguous(), None


NONE = Variant("none", "none", boolean)
VARIANTS = (
    NONE,
    Variant("sdpa, boolean mask", "sdpa", boolean),
    Variant("eager, additive mask", "eager", additive),
    *(Variant(f"blocks of {size}", IMPLEMENTATION, blocks(size)) for size in BLOCKS),
)


def inputs_of(variant: Variant, row: Row) -> dict[str, Any]:
    return {
        "input_ids": torch.from_numpy(row.tokens)[None],
        "position_ids": torch.from_numpy(row.depths)[None],
        **variant.arguments(row),
    }


def processor_seconds(backbone: Backbone, variant: Variant, row: Row) -> float:
    """A forward and backward pass, with a loss where the row's sequences end; plan or mask are made as well."""
    model = backbone.model
    model.set_attn_implementation(variant.implementation)
    ends = torch.tensor([int(path[-1]) for path in row.paths])
    with Stopwatch() as watch:
        with backbone.computing():
            logits = row_logits(backbone, model, inputs_of(variant, row), ends)
        torch.nn.functional.cross_entropy(logits, torch.zeros_like(ends)).backward()
    model.zero_grad()
    return watch.elapsed.processor


def difference(backbone: Backbone, variant: Variant, row: Row) -> float:
    model = backbone.model
    chosen = [row.paths[number] for number in range(0, len(row.paths), max(1, len(row.paths) // COMPARED))]
    ends = torch.tensor([int(path[-1]) for path in chosen])
    with torch.no_grad():
        model.set_attn_implementation("sdpa")
        alone = torch.stack([model(torch.from_numpy(row.tokens[path])[None]).logits[0, -1] for path in chosen])
        model.set_attn_implementation(variant.implementation)
        with backbone.computing():
            together = row_logits(backbone, model, inputs_of(variant, row), ends)
    return float((together - alone).abs().max() / alone.abs().max())


def compare(backbone: Backbone, row: Row, rounds: int) -> Iterator[Line]:
    """A line a variant; the first round warms up."""
    if not enable(backbone.model):
        raise SystemExit(f"{backbone.name}: its attention cannot be replaced")
    backbone.model.eval()
    variants = [variant for variant in VARIANTS if variant.implementation != "eager" or len(row) <= LARGEST_EAGER]
    seconds: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for _ in range(rounds + 1):
        for variant in variants:
            seconds[variant.name].append(processor_seconds(backbone, variant, row))
    medians = {name: median(times[1:]) for name, times in seconds.items()}
    for variant in variants[1:]:
        yield {
            "backbone": backbone.name,
            "precision": "bf16" if backbone.autocast else "float32",
            "tokens": len(row),
            "attention": variant.name,
            "milliseconds": medians[variant.name] / len(row) * 1e6,
            "share": max(0.0, 1 - medians[NONE.name] / medians[variant.name]),
            "difference": difference(backbone, variant, row),
        }


def real_row(backbone: Backbone, budget: int) -> Row:
    """A row of prompts and right answers that is neither the fullest nor the last."""
    corpus = corpus_of("meld" if os.environ.get(SHARED_VARIABLE) else "sample")
    assert corpus is not None
    spec = PromptSpec(labels=corpus.labels, wording="compact-repeated", window=Window(size=12, stride=4))
    examples = encode(backbone, spec, corpus.train[:CONVERSATIONS])
    groups: dict[str, list[int]] = {}
    for number, example in enumerate(examples):
        groups.setdefault(example.conversation, []).append(number)
    rows = pack(list(groups.values()), [example.prompt for example in examples], budget=budget)
    return rows[len(rows) // 4]


def long_row(backbone: Backbone, turns: int) -> Row:
    """One tree: every turn of a conversation with all of its history."""
    (conversation,) = synthetic(1, turns=turns)
    labels = ("neutral", "joy", "sadness", "anger", "fear", "disgust", "surprise")
    examples = encode(backbone, PromptSpec(labels=labels, window=Window(size=None)), [conversation])
    (row,) = pack([range(len(examples))], [example.prompt for example in examples], budget=100_000)
    return row


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a line a backbone, precision, row and variant."""
    parser = parser_of(__doc__)
    parser.add_argument("--cases", nargs="+", choices=("embedded", "llama"), default=("embedded", "llama"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, help="tokens a row of the embedded backbone")
    parser.add_argument("--turns", type=int, default=40, help="of the Llama's conversation (40)")
    parser.add_argument("--precisions", nargs="+", choices=("float32", "bf16"), default=("float32", "bf16"))
    given = parser.parse_args(argv)
    use_threads(given.threads)
    AttentionInterface.register(NONE.implementation, hand_through)
    AttentionMaskInterface.register(NONE.implementation, sdpa_mask)
    lines: list[Line] = []
    for precision in given.precisions:
        if "embedded" in given.cases:
            embedded = load_trainable("embedded", precision=precision)
            for budget in given.budgets:
                lines += compare(embedded, real_row(embedded, budget), given.rounds)
        if "llama" in given.cases:
            with tempfile.TemporaryDirectory() as folder:
                llama = load_trainable(str(save_llama(Path(folder))), precision=precision)
            llama.name = "llama, 6 x 256"
            lines += compare(llama, long_row(llama, given.turns), given.rounds)
    notes = [f"processor time on {given.threads} thread; median of {given.rounds} rounds"]
    finish(given, argv, COLUMNS, lines, notes=notes)


if __name__ == "__main__":
    main()
