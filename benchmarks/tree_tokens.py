"""Tokens that go through the model with and without token trees: training prompts and recognition, a corpus a row.

INSTRUCTERC_SHARED=FOLDER python benchmarks/tree_tokens.py [--tokenizer FOLDER_OR_FILE] [--wording released]

FOLDER holds data/meld and data/emorynlp. Without --tokenizer the embedded backbone's is used, whose 512 positions then
limit the prompts. Both sides are counted in one run, on the same examples.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from instructerc.backbones.loading import load_tokenizer, prepare_tokenizer
from instructerc.backbones.tokens import PromptEncoder
from instructerc.corpora import load_corpus
from instructerc.prompts import PromptSpec, Window
from instructerc.trees import pack

WINDOWS = (12, 20, None)


def tokenizer_of(path: str | None) -> tuple[Any, int]:
    """The tokenizer to count with, and the longest prompt."""
    if path is None:
        return load_tokenizer("embedded")
    from transformers import PreTrainedTokenizerFast

    file = path if path.endswith(".json") else str(Path(path) / "tokenizer.json")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=file, eos_token="</s>", unk_token="<unk>", bos_token="<s>")
    prepare_tokenizer(tokenizer)
    return tokenizer, 1_000_000


def main() -> None:
    """Prints a row a corpus and window."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer")
    parser.add_argument("--wording", default="released")
    parser.add_argument("--budget", type=int, default=4096)
    arguments = parser.parse_args()
    tokenizer, limit = tokenizer_of(arguments.tokenizer)
    shared = Path(os.environ["INSTRUCTERC_SHARED"])
    print(f"{'corpus':10} {'window':>6} {'alone':>12} {'as trees':>12} {'ratio':>6} {'rows filled':>11}")
    for name in ("meld", "emorynlp"):
        corpus = load_corpus(name, folder=shared / "data" / name)
        for size in WINDOWS:
            spec = PromptSpec(labels=corpus.labels, wording=arguments.wording, window=Window(size=size))
            encoder = PromptEncoder(tokenizer, limit)
            sequences, groups = [], []
            for conversation in corpus.test:
                start = len(sequences)
                for example in encoder.encode_all(spec.labelled_examples(conversation)):
                    assert example.target is not None
                    sequences.append((*example.prompt, *example.answers[example.target][:-1]))
                groups.append(range(start, len(sequences)))
            alone = sum(map(len, sequences))
            rows = pack(groups, sequences, budget=arguments.budget)
            trees = sum(map(len, rows))
            filled = trees / (len(rows) * arguments.budget)
            print(f"{name:10} {size or 'all':>6} {alone:12,} {trees:12,} {alone / trees:5.2f}x {filled:11.1%}")


if __name__ == "__main__":
    main()
