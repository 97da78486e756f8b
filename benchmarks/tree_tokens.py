"""Tokens through the model: every prompt by itself, in padded batches, and as token trees.

INSTRUCTERC_SHARED=FOLDER python benchmarks/tree_tokens.py [--tokenizer FOLDER_OR_FILE] [--wording released]
    [--splits test train] [--json benchmarks/results/tree-tokens.json]

FOLDER holds data/meld and data/emorynlp; where it is not named, only the synthetic conversations are counted. All sides
are counted in one run, on the same examples. Without --tokenizer the embedded backbone's is used, without its limit of
512 positions (--limit 512 has it).

```
learning      alone    prompt and answer of every example          as trees   every distinct prefix once
recognition   alone    every prompt once, and all labels under it  as trees   labels as leaves under all prompts
              prompts  every prompt once: what generation reads before it writes
padded        what `alone` costs in batches of 8 of about one length
```
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import conversations
from instructerc.backbones.loading import load_tokenizer, prepare_tokenizer
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.conversation import Conversation
from instructerc.prompts import PromptSpec, Window
from instructerc.trees import fill_rate, pack
from measuring import Column, Row, corpus_of, finish, parser_of

WINDOWS = (Window(size=12), Window(size=20), Window(size=None))
LONG_WINDOWS = (Window(size=12), Window(size=12, stride=6), Window(size=12, stride=12), Window(size=None))
UNLIMITED = 1_000_000
COLUMNS = (
    Column("corpus", "corpus"),
    Column("split", "split"),
    Column("window", "window"),
    Column("task", "task"),
    Column("examples", "examples", ","),
    Column("prompts", "prompts", ","),
    Column("alone", "alone", ","),
    Column("padded", "padded", ","),
    Column("trees", "as trees", ","),
    Column("fewer", "alone / trees", ".2f", "×"),
    Column("fewer_padded", "padded / trees", ".2f", "×"),
    Column("filled", "rows filled", ".1%"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """Conversations that are counted together."""

    corpus: str
    split: str
    labels: tuple[str, ...]
    conversations: tuple[Conversation, ...]
    windows: tuple[Window, ...] = WINDOWS


def tokenizer_of(path: str | None) -> Any:
    """The tokenizer to count with."""
    if path is None:
        return load_tokenizer("embedded")[0]
    from transformers import PreTrainedTokenizerFast

    file = path if path.endswith(".json") else str(Path(path) / "tokenizer.json")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=file, eos_token="</s>", unk_token="<unk>", bos_token="<s>")
    prepare_tokenizer(tokenizer)
    return tokenizer


def parts(names: Sequence[str], splits: Sequence[Any], long: int, turns: int, limit: int | None) -> Iterator[Part]:
    """What is counted."""
    for name in names:
        corpus = corpus_of(name)
        if corpus is not None:
            for split in splits:
                yield Part(name, split, corpus.labels, corpus.split(split)[:limit])
    if long:
        chats = conversations.synthetic(long, turns=turns)
        yield Part(f"synthetic, {turns} turns", "", conversations.labels(), chats, LONG_WINDOWS)


def window_name(window: Window) -> str:
    """A window as a table has it."""
    size = "all" if window.size is None else str(window.size)
    return size if window.stride == 1 else f"{size}, stride {window.stride}"


def padded_tokens(lengths: Sequence[int], batch: int) -> int:
    """Tokens of batches of about one length, padding counted."""
    ordered = sorted(lengths, reverse=True)
    return sum(max(part) * len(part) for part in (ordered[at : at + batch] for at in range(0, len(ordered), batch)))


def tree_tokens(groups: Sequence[Sequence[Sequence[int]]], budget: int) -> tuple[int, float]:
    """Tokens of packed rows of a tree a group, and how full the rows are."""
    sequences = [sequence for group in groups for sequence in group]
    bounds = [0]
    for group in groups:
        bounds.append(bounds[-1] + len(group))
    spans = [range(start, stop) for start, stop in itertools.pairwise(bounds)]
    rows = pack(spans, sequences, budget=budget)
    return sum(map(len, rows)), fill_rate(rows, budget)


def learning(groups: Sequence[Sequence[EncodedExample]], *, batch: int, budget: int) -> Row:
    """An epoch's tokens: prompt and right answer, the last token of which is never read."""
    paths = [
        [(*one.prompt, *one.answers[one.target or 0][:-1]) for one in group if one.target is not None]
        for group in groups
    ]
    lengths = [len(path) for group in paths for path in group]
    rows = tree_tokens(paths, budget)
    prompts = sum(len(one.prompt) for group in groups for one in group if one.target is not None)
    return _row("learning", lengths, prompts, rows, batch)


def recognition(groups: Sequence[Sequence[EncodedExample]], *, batch: int, budget: int) -> Row:
    """Recognition's tokens: all labels under each prompt, but for their last tokens."""
    paths = [[(*one.prompt, *answer[:-1]) for one in group for answer in one.answers] for group in groups]
    labels = [sum(len(answer) - 1 for answer in one.answers) for group in groups for one in group]
    prompts = [len(one.prompt) for group in groups for one in group]
    rows = tree_tokens(paths, budget)
    lengths = [prompt + label for prompt, label in zip(prompts, labels, strict=True)]
    return _row("recognition", lengths, sum(prompts), rows, batch)


def _row(task: str, lengths: Sequence[int], prompts: int, rows: tuple[int, float], batch: int) -> Row:
    trees, filled = rows
    alone, padded = sum(lengths), padded_tokens(lengths, batch)
    figures = {"examples": len(lengths), "prompts": prompts, "alone": alone, "padded": padded, "trees": trees}
    return {"task": task, **figures, "fewer": alone / trees, "fewer_padded": padded / trees, "filled": filled}


def rows_of(part: Part, tokenizer: Any, limit: int, wording: str, *, batch: int, budget: int) -> Iterator[Row]:
    """Two rows a window: an epoch of learning, and recognition."""
    for window in part.windows:
        spec = PromptSpec(labels=part.labels, wording=wording, window=window)
        encoder = PromptEncoder(tokenizer, limit, stride=window.stride)
        groups = [encoder.encode_all(spec.examples(conversation)) for conversation in part.conversations]
        place = {"corpus": part.corpus, "split": part.split, "window": window_name(window)}
        yield {**place, **learning(groups, batch=batch, budget=budget)}
        yield {**place, **recognition(groups, batch=batch, budget=budget)}


def main(argv: Sequence[str] | None = None) -> None:
    """Prints two rows a corpus and window."""
    parser = parser_of(__doc__, threads=False)
    parser.add_argument("--tokenizer", help="a tokenizer.json, or its folder (the embedded backbone's)")
    parser.add_argument("--limit", type=int, default=UNLIMITED, help="longest sequence, in tokens (none)")
    parser.add_argument("--wording", default="released")
    parser.add_argument("--corpora", nargs="*", default=["meld", "emorynlp"])
    parser.add_argument("--splits", nargs="+", default=["test"])
    parser.add_argument("--conversations", type=int, help="of each split, at most")
    parser.add_argument("--synthetic", type=int, default=20, help="long conversations; 0 leaves them out (20)")
    parser.add_argument("--turns", type=int, default=50, help="of each of those (50)")
    parser.add_argument("--batch", type=int, default=8, help="examples of a padded batch (8)")
    parser.add_argument("--budget", type=int, default=4096, help="tokens of a row (4096)")
    given = parser.parse_args(argv)
    tokenizer = tokenizer_of(given.tokenizer)
    rows = [
        row
        for part in parts(given.corpora, given.splits, given.synthetic, given.turns, given.conversations)
        for row in rows_of(part, tokenizer, given.limit, given.wording, batch=given.batch, budget=given.budget)
    ]
    name = Path(given.tokenizer).name if given.tokenizer else "the embedded backbone's"
    about = f"Wording {given.wording}; tokenizer: {name}; rows of {given.budget} tokens; batches of {given.batch}."
    finish(given, argv, COLUMNS, rows, notes=[about])


if __name__ == "__main__":
    main()
