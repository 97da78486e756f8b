"""Token trees on a GPU: FlexAttention, SDPA with a boolean mask, and padded batches, at 1 B to 7 B width.

python benchmarks/gpu_trees.py [--sizes 1b 7b] [--sides flex sdpa padded flash] [--budgets 4096 8192]
    [--json benchmarks/results/gpu-trees.json]
python benchmarks/gpu_trees.py --dry         a tiny model on a CPU: whether the script runs, no figures

Needs a GPU, and nothing else: weights are random, the tokenizer is made on the spot, conversations are synthetic. Each
side goes forward and backward through the same examples, without an optimiser, in bfloat16, activations computed twice.

```
flex      rows of trees, FlexAttention, compiled: skips the blocks of a row that nobody sees
sdpa      rows of trees, SDPA with a boolean mask
padded    left-padded batches of about one length, SDPA
flash     as padded, by the package flash-attn; left out where that is not installed
```

Tokens a second are those that went through the model; examples a second is what a user waits for. The share of peak is
6 * parameters * tokens / seconds / peak, parameters of the layers only: embeddings are looked up, and the head reads
answers alone. What activations cost a second time and what attention costs is not in it, as is usual. Before that,
gradients of FlexAttention and SDPA are held against each other in float32, on a model of few layers.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import conversations
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import prepare_tokenizer, quiet_transformers
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import PromptSpec, Window
from instructerc.training.batches import Batching, PaddedBatching, StepDataset
from instructerc.training.grouping import ByExample
from instructerc.training.objective import weighted_loss
from instructerc.training.tree_batches import TreeBatching
from measuring import Column, Elapsed, Row, Stopwatch, finish, median, parser_of
from passes import on_device

Side = Literal["flex", "sdpa", "padded", "flash"]

IMPLEMENTATIONS = {"flex": "flex_attention", "sdpa": "sdpa", "padded": "sdpa", "flash": "flash_attention_2"}
"""What transformers calls each side's attention."""

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40": 181e12, "A10": 125e12, "4090": 165e12}
"""Dense bfloat16 operations a second by the makers' data sheets (SXM where there are several), by part of the name."""

VOCABULARY = 32000
CONTEXT = 8192
COLUMNS = (
    Column("size", "model"),
    Column("corpus", "conversations"),
    Column("side", "side"),
    Column("budget", "tokens a row or batch", ","),
    Column("tokens", "tokens", ","),
    Column("seconds", "forward and backward", ".2f", " s"),
    Column("rate", "tokens a second", ",.0f"),
    Column("examples_rate", "examples a second", ".1f"),
    Column("faster", "examples, against padded", ".2f", "×"),
    Column("peak_share", "of peak", ".1%"),
    Column("memory", "peak memory", ",.0f", " MiB"),
    Column("failed", ""),
)


@dataclass(frozen=True, slots=True)
class Size:
    """The shape of a Llama."""

    width: int
    layers: int
    heads: int
    groups: int
    inner: int


SIZES = {
    "tiny": Size(width=64, layers=2, heads=4, groups=2, inner=128),
    "1b": Size(width=2048, layers=16, heads=32, groups=8, inner=8192),
    "7b": Size(width=4096, layers=32, heads=32, groups=32, inner=11008),
}


def tokenizer() -> Any:
    """A byte-level BPE of what people say in the bundled sample."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8000,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator((text for text, _ in conversations.sentences()), trainer)
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    prepare_tokenizer(fast)
    return fast


def backbone_of(size: Size, attention: str, reader: Any, *, device: str, dtype: Any, checkpointing: bool) -> Backbone:
    """A random Llama, made where it will compute: nothing of its size has to be saved or moved."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.groups,
        intermediate_size=size.inner,
        max_position_embeddings=CONTEXT,
        use_cache=False,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=dtype)
    if checkpointing:
        # Newer releases of transformers renamed it, and warn of the old name.
        getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
    return Backbone("random", "random", None, model.train(), reader, CONTEXT, ())


def examples_of(reader: Any, count: int, turns: int) -> list[EncodedExample]:
    """The examples of long conversations with their whole history, released wording."""
    spec = PromptSpec(labels=conversations.labels(), window=Window(size=None))
    chats = conversations.synthetic(count, turns=turns)
    return PromptEncoder(reader, CONTEXT).encode_all(one for chat in chats for one in spec.labelled_examples(chat))


def batching_of(side: Side, backbone: Backbone, examples: Sequence[EncodedExample], budget: int) -> Batching:
    """Rows of so many tokens, or batches of about as many."""
    if side in ("flex", "sdpa"):
        return TreeBatching(backbone=backbone, budget=budget)
    longest = max(len(example.prompt) for example in examples)
    return PaddedBatching(micro_batch=max(budget // longest, 1), pad=backbone.tokenizer.pad_token_id)


def one_pass(backbone: Backbone, side: Side, examples: Sequence[EncodedExample], budget: int) -> tuple[Elapsed, int]:
    """Forward and backward through all examples as one step; time without making batches, and tokens."""
    batching = batching_of(side, backbone, examples, budget)
    item = StepDataset(examples, ByExample(), batching, len(examples), seed=1)[0]
    batches = [on_device(batch, backbone) for batch in item["micro_batches"]]
    with Stopwatch() as watch:
        for batch in batches:
            (weighted_loss(backbone, backbone.model, batch) / item["weight"]).backward()
    backbone.model.zero_grad(set_to_none=True)
    return watch.elapsed, sum(batch.inputs["input_ids"].numel() for batch in batches)


def measure(backbone: Backbone, side: Side, examples: Sequence[EncodedExample], budget: int, rounds: int) -> Row:
    """The median of some passes, after one that compiles and fills caches."""
    import torch

    one_pass(backbone, side, examples, budget)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    done = [one_pass(backbone, side, examples, budget) for _ in range(rounds)]
    seconds, tokens = median(elapsed.wall for elapsed, _ in done), done[0][1]
    operations = 6 * layer_parameters(backbone.model) * tokens / seconds
    peak = peak_of_device()
    return {
        "tokens": tokens,
        "seconds": seconds,
        "rate": tokens / seconds,
        "examples_rate": len(examples) / seconds,
        "peak_share": operations / peak if peak else None,
        "memory": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None,
    }


def layer_parameters(model: Any) -> int:
    """Parameters without embeddings and head."""
    return sum(parameter.numel() for parameter in model.model.layers.parameters())


def peak_of_device() -> float | None:
    """The most operations a second that the GPU has by its data sheet; None where we do not know it."""
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def gradient_difference(size: Size, reader: Any, *, device: str) -> float:
    """How far FlexAttention's gradients are from SDPA's: the largest difference over the largest gradient, float32."""
    import torch

    few = Size(size.width, 2, size.heads, size.groups, size.inner)
    examples = examples_of(reader, 2, 12)
    found = []
    for side in ("flex", "sdpa") if device == "cuda" else ("sdpa", "padded"):
        backbone = backbone_of(
            few, IMPLEMENTATIONS[side], reader, device=device, dtype=torch.float32, checkpointing=False
        )
        batching = batching_of(side, backbone, examples, 2048)
        item = StepDataset(examples, ByExample(), batching, len(examples), seed=1)[0]
        for batch in item["micro_batches"]:
            (weighted_loss(backbone, backbone.model, on_device(batch, backbone)) / item["weight"]).backward()
        found.append([parameter.grad.clone() for parameter in backbone.model.parameters()])
    largest = max(float(gradient.abs().max()) for gradient in found[1])
    return max(float((one - other).abs().max()) for one, other in zip(*found, strict=True)) / largest


def rows_of(given: Any, size: str, reader: Any, *, device: str) -> list[Row]:
    """All sides of one size; one that needs more memory than there is says so."""
    import torch

    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    examples = examples_of(reader, given.conversations, given.turns)
    place = {"size": size, "corpus": f"{given.conversations} of {given.turns} turns"}
    rows: list[Row] = []
    for side in sides(given.sides, device):
        attention = IMPLEMENTATIONS[side]
        backbone = backbone_of(SIZES[size], attention, reader, device=device, dtype=dtype, checkpointing=True)
        for budget in given.budgets:
            print(f"{size}, {side}, {budget} tokens", file=sys.stderr)
            try:
                figures = measure(backbone, side, examples, budget, given.rounds)
            except torch.OutOfMemoryError:
                backbone.model.zero_grad(set_to_none=True)
                figures = {"failed": "out of memory"}
            rows.append({**place, "side": side, "budget": budget, **figures})
        del backbone
        if device == "cuda":
            torch.cuda.empty_cache()
    best = max((row.get("examples_rate", 0.0) for row in rows if row["side"] == "padded"), default=0.0)
    return [{**row, "faster": row["examples_rate"] / best} if best and "examples_rate" in row else row for row in rows]


def sides(wanted: Sequence[Side], device: str) -> list[Side]:
    """Those that can run here."""
    able = {"sdpa", "padded"}
    if device == "cuda":
        able |= {"flex"} | ({"flash"} if importlib.util.find_spec("flash_attn") else set())
    for side in wanted:
        if side not in able:
            print(f"{side}: left out, it cannot run here", file=sys.stderr)
    return [side for side in wanted if side in able]


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a row a size, side and budget; returns the exit status."""
    parser = parser_of(__doc__, threads=False)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["1b", "7b"])
    parser.add_argument("--sides", nargs="+", choices=get_args(Side), default=list(get_args(Side)))
    parser.add_argument("--budgets", nargs="+", type=int, default=[4096, 8192], help="tokens of a row or batch")
    parser.add_argument("--conversations", type=int, default=8)
    parser.add_argument("--turns", type=int, default=40, help="of each conversation (40)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="a tiny model on a CPU: only whether the script runs")
    given = parser.parse_args(argv)
    import torch

    quiet_transformers()
    device = "cpu" if given.dry else "cuda"
    if given.dry:
        given.sizes, given.budgets, given.conversations, given.turns, given.rounds = ["tiny"], [1024], 2, 6, 1
    elif not torch.cuda.is_available():
        print("skipped: no GPU here; --dry tries the script on a CPU")
        return 0
    torch.backends.cuda.matmul.allow_tf32 = False
    reader = tokenizer()
    difference = gradient_difference(SIZES[given.sizes[0]], reader, device=device)
    rows = [row for size in given.sizes for row in rows_of(given, size, reader, device=device)]
    compared = "FlexAttention and SDPA" if device == "cuda" else "trees and padded batches"
    about = (
        f"Released wording, whole history; median of {given.rounds}; torch {torch.__version__}. Gradients of "
        f"{compared} differ by {difference:.1e} of the largest (2 layers of the width of {given.sizes[0]}, float32)."
    )
    finish(given, argv, COLUMNS, rows, notes=[about])
    return 0


if __name__ == "__main__":
    sys.exit(main())
