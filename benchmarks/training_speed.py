"""Training by token trees against padded batches of the same examples: time, tokens and peak memory.

INSTRUCTERC_SHARED=FOLDER python benchmarks/training_speed.py [--cases embedded-meld llama-meld llama-long]
    [--conversations 60] [--rounds 3] [--profile] [--json benchmarks/results/training-speed.json]

```
tree      whole conversations a step, packed as trees: what the package does
padded    shuffled examples, by length inside a step: what the package does where a backbone takes no trees
sorted    examples by length over the whole epoch: the least padding that there can be, no training should do so
```

Each measurement is a process of its own: load the same model with the same seed, take one step to warm up, then a pass
over the same examples through the package's batches, loss and AdamW. Sides take turns, and the median of the rounds
counts. The share is how much of what trees save in tokens (padding counted) they save in processor time: the clock goes
on while other programs compute.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import conversations
from instructerc.backbones.loading import quiet_transformers
from instructerc.backbones.tokens import EncodedExample
from instructerc.conversation import Conversation
from instructerc.prompts import PromptSpec, Window
from measuring import Column, Row, corpus_of, finish, median, parser_of, use_threads
from passes import Learner, Side, encode, load_trainable, save_llama, steps_of

COLUMNS = (
    Column("case", "case"),
    Column("side", "side"),
    Column("examples", "examples", ","),
    Column("tokens", "tokens", ","),
    Column("wall", "wall", ".1f", " s"),
    Column("processor", "processor", ".1f", " s"),
    Column("preparing", "making batches", ".1%"),
    Column("memory", "peak memory", ",.0f", " MiB"),
    Column("own_memory", "above loaded", ",.0f", " MiB"),
    Column("token_ratio", "tokens / tree's", ".2f", "×"),
    Column("wall_ratio", "wall / tree's", ".2f", "×"),
    Column("processor_ratio", "processor / tree's", ".2f", "×"),
    Column("share", "share", ".2f"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A backbone, and what it learns."""

    backbone: str
    corpus: str
    window: Window
    turns: int = 40


CASES = {
    # Its 512 positions cut a long history: in blocks of 12 turns, or every prompt would start anew.
    "embedded-meld": Case("embedded", "meld", Window(size=None, stride=12)),
    "embedded-sample": Case("embedded", "sample", Window(size=None, stride=12)),
    "llama-meld": Case("llama", "meld", Window(size=None)),
    "llama-sample": Case("llama", "sample", Window(size=None)),
    "llama-long": Case("llama", "synthetic", Window(size=None)),
}


def conversations_of(case: Case, count: int, turns: int | None) -> tuple[tuple[str, ...], tuple[Conversation, ...]]:
    """Labels, and conversations to learn from; none where the corpus is not at hand."""
    if case.corpus == "synthetic":
        return conversations.labels(), conversations.synthetic(count, turns=turns or case.turns)
    corpus = corpus_of(case.corpus)
    return ((), ()) if corpus is None else (corpus.labels, corpus.train[:count])


def measure(given: Any) -> Row:
    """One side of one case, in this process."""
    use_threads(given.threads)
    case = CASES[given.cases[0]]
    labels, chats = conversations_of(case, given.conversations, given.turns)
    backbone = load_trainable(given.model or case.backbone, precision=given.precision)
    spec = PromptSpec(labels=labels, wording=given.wording, window=case.window)
    examples = encode(backbone, spec, chats)
    dataset = steps_of(given.side, backbone, examples, batch_size=given.batch_size)
    learner = Learner(backbone)
    loaded = peak_memory()
    learner.learn(dataset, steps=1)
    done = learner.learn(dataset)
    if given.profile:
        profile(learner, dataset, given.profile_steps)
    return {
        "examples": done.examples,
        "steps": done.steps,
        "forwards": done.forwards,
        "tokens": done.tokens,
        "wall": done.elapsed.wall,
        "processor": done.elapsed.processor,
        "preparing": done.preparing / done.elapsed.wall,
        "memory": peak_memory(),
        "own_memory": peak_memory() - loaded,
        "distinct": alone(examples),
    }


def alone(examples: Sequence[EncodedExample]) -> int:
    """Tokens of all examples without padding."""
    return sum(len(one.prompt) + len(one.answers[one.target or 0]) - 1 for one in examples)


def peak_memory() -> float:
    """The most memory that this process has had, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


KINDS = {
    "attention": ("attention", "softmax", "bmm", "baddbmm"),
    "linear layers": ("addmm", "aten::mm", "linear", "matmul", "mkldnn"),
    "optimiser": ("adamw", "_foreach", "clip_grad"),
    "copies and number types": ("copy_", "_to_copy", "aten::to", "aten::cat", "contiguous"),
    "dropout": ("dropout", "bernoulli"),
    "head's loss": ("log_softmax", "cross_entropy", "nll_loss"),
    "embeddings": ("embedding", "index_select"),
}


def kind_of(operation: str) -> str:
    """Which part of the work an operation belongs to; the first that matches, the loss before attention."""
    name = operation.lower()
    order = ("head's loss", "optimiser", *KINDS)
    return next((kind for kind in order if any(part in name for part in KINDS[kind])), "everything else")


def profile(learner: Learner, dataset: Any, steps: int) -> None:
    """Prints where the time of some steps goes, on stderr: stdout belongs to the figures."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    with profiler(activities=[ProfilerActivity.CPU]) as recorded:
        done = learner.learn(dataset, steps=steps)
    times: dict[str, float] = {}
    for event in recorded.key_averages():
        times[kind_of(event.key)] = times.get(kind_of(event.key), 0.0) + event.self_cpu_time_total / 1e6
    recorded_seconds = sum(times.values())
    total = done.elapsed.wall
    times["Python between operations, and making batches"] = max(total - recorded_seconds, 0.0)
    print(f"  {total:.1f} s profiled, of which {done.preparing / total:.1%} for making batches", file=sys.stderr)
    for kind, seconds in sorted(times.items(), key=lambda item: -item[1]):
        print(f"  {seconds / total:6.1%}  {kind}", file=sys.stderr)


def in_own_process(given: Any, case: str, side: Side, model: str | None, *, profiled: bool) -> Row:
    """One side of one case, measured by a process of its own."""
    options = {
        "--cases": case,
        "--side": side,
        "--conversations": given.conversations,
        "--threads": given.threads,
        "--precision": given.precision,
        "--wording": given.wording,
        "--batch-size": given.batch_size,
        "--turns": given.turns,
        "--model": model,
        "--profile-steps": given.profile_steps,
    }
    words = [str(word) for option, value in options.items() if value is not None for word in (option, value)]
    command = [sys.executable, __file__, *words, *(["--profile"] if profiled else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def compare(given: Any, name: str, model: str | None) -> list[Row]:
    """All sides of a case, in turns; medians of the rounds, and what trees save."""
    rounds: dict[Side, list[Row]] = {side: [] for side in given.sides}
    for number in range(given.rounds):
        for side in given.sides:
            profiled = given.profile and number == 0
            print(f"{name}, {side}, round {number + 1} of {given.rounds}", file=sys.stderr)
            rounds[side].append(in_own_process(given, name, side, model, profiled=profiled))
    rows = [{"case": name, "side": side, **medians(measured)} for side, measured in rounds.items()]
    return [{**row, **against(row, rows[0])} for row in rows]


def medians(measured: Sequence[Row]) -> Row:
    """The median of each figure; counts are the same in every round."""
    return {
        key: median(row[key] for row in measured) if isinstance(value, float) else value
        for key, value in measured[0].items()
    }


def against(row: Row, tree: Row) -> Row:
    """What trees save against another side."""
    if row is tree or tree["side"] != "tree":
        return {}
    ratios = {f"{name}_ratio": row[key] / tree[key] for name, key in RATIOS.items()}
    return {**ratios, "share": ratios["processor_ratio"] / ratios["token_ratio"]}


RATIOS = {"token": "tokens", "wall": "wall", "processor": "processor"}


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a case and side."""
    parser = parser_of(__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["embedded-meld", "llama-meld", "llama-long"])
    parser.add_argument("--sides", nargs="+", choices=get_args(Side), default=["tree", "padded", "sorted"])
    parser.add_argument("--conversations", type=int, default=60, help="to learn from, of each case (60)")
    parser.add_argument("--turns", type=int, help="of synthetic conversations (40)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32, help="examples an optimiser step (32)")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--wording", default="released")
    parser.add_argument("--layers", type=int, default=6, help="of the Llama (6)")
    parser.add_argument("--width", type=int, default=256, help="of the Llama (256)")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    parser.add_argument("--profile-steps", type=int, default=3)
    parser.add_argument("--side", choices=get_args(Side), help="measure one side of one case in this process")
    parser.add_argument("--model", help="backbone, in place of the case's own")
    given = parser.parse_args(argv)
    if given.side:
        print(json.dumps(measure(given)))
        return
    with tempfile.TemporaryDirectory() as folder:
        quiet_transformers()
        llama = str(save_llama(Path(folder), layers=given.layers, width=given.width))
        rows = []
        for name in given.cases:
            if conversations_of(CASES[name], 1, given.turns)[1]:
                rows += compare(given, name, llama if CASES[name].backbone == "llama" else given.model)
    about = (
        f"Llama: {given.layers} layers, {given.width} wide, random. Up to {given.conversations} conversations a case, "
        f"{given.batch_size} examples a step, wording {given.wording}, precision {given.precision}, "
        f"{given.threads} thread; median of {given.rounds}. A share below 1: trees save less "
        "processor time than tokens. Wall times count only where nothing else computed."
    )
    finish(given, argv, COLUMNS, rows, notes=[about])


if __name__ == "__main__":
    main()
