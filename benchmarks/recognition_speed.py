"""Recognition of a test split with a trained model: token trees against generation, and against padded scoring.

python benchmarks/recognition_speed.py CHECKPOINT [--corpus meld --folder FOLDER] [--conversations 40] [--rounds 3]
    [--json benchmarks/results/recognition-speed.json]

CHECKPOINT is the folder of a finished run. Its corpus, prompts and precision are taken, unless another corpus is named.

```
tree      all labels under all prompts of a conversation: what the package does
generate  `model.generate` on left-padded batches, as many new tokens as the longest label has, and one
padded    one row an example, in left-padded batches; every label is read from the prompt's keys and values
alone     one tree an example, labels branching under its prompt: trees without sharing between turns
```

All read the same encoded prompts, in turns, and the median of the rounds counts. Trees and padded scoring have to name
the same emotions: in float32 (--float32) a difference ends the run with status 1; bfloat16 may decide ties otherwise.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.batching import use_trees
from instructerc.backbones.loading import Precision
from instructerc.backbones.tokens import EncodedExample
from instructerc.conversation import Conversation
from instructerc.prompts.example import Example
from instructerc.recognition.answers import read_answer
from instructerc.recognition.generation import GreedyGeneration
from instructerc.recognition.recognizer import CHUNK, EmotionRecognizer
from instructerc.recognition.scoring import PaddedScoring
from instructerc.recognition.tree_scoring import TreeScoring
from measuring import Column, Elapsed, Row, Stopwatch, corpus_of, finish, median, parser_of, use_threads

COLUMNS = (
    Column("side", "side"),
    Column("conversations", "conversations", ","),
    Column("turns", "turns", ","),
    Column("wall", "wall", ".1f", " s"),
    Column("processor", "processor", ".1f", " s"),
    Column("rate", "conversations a second", ".2f"),
    Column("wall_ratio", "wall / tree's", ".2f", "×"),
    Column("processor_ratio", "processor / tree's", ".2f", "×"),
    Column("agreement", "same emotion as tree", ".2%"),
    Column("stopped", "ended by itself", ".1%"),
)

Chunk = Sequence[tuple[Example, EncodedExample]]
Answer = Callable[[Backbone, Chunk], list[str]]
"""Names an emotion for each example."""


def best(examples: Chunk, scores: Sequence[Sequence[float]]) -> list[str]:
    """The candidate with the highest score."""
    rows = zip(examples, scores, strict=True)
    return [example.candidates[max(range(len(row)), key=row.__getitem__)] for (example, _), row in rows]


def by_trees(backbone: Backbone, chunk: Chunk) -> list[str]:
    """A tree a conversation."""
    return best(chunk, TreeScoring().score(backbone, [encoded for _, encoded in chunk]))


def by_trees_alone(backbone: Backbone, chunk: Chunk) -> list[str]:
    """A tree an example: each is a conversation of its own."""
    apart = [replace(encoded, conversation=str(number)) for number, (_, encoded) in enumerate(chunk)]
    return best(chunk, TreeScoring().score(backbone, apart))


@dataclass(slots=True)
class Padded:
    """A row an example, and labels from its cache."""

    batch_size: int

    def __call__(self, backbone: Backbone, chunk: Chunk) -> list[str]:
        """Scores batches of about one length."""
        scoring = PaddedScoring(batch_size=self.batch_size)
        return best(chunk, scoring.score(backbone, [encoded for _, encoded in chunk]))


@dataclass(slots=True)
class Generated:
    """Greedy answers, read by the released rule; counts the rows that wrote an end token."""

    batch_size: int
    rows: int = field(default=0, init=False)
    stopped: int = field(default=0, init=False)

    def __call__(self, backbone: Backbone, chunk: Chunk) -> list[str]:
        """Writes answers, and reads them."""
        with self._watched(backbone):
            answers = GreedyGeneration(batch_size=self.batch_size).generate(backbone, [ids for _, ids in chunk])
        return [
            read_answer(answer, example.candidates).label for answer, (example, _) in zip(answers, chunk, strict=True)
        ]

    @contextmanager
    def _watched(self, backbone: Backbone) -> Iterator[None]:
        """Looks at what `model.generate` returns."""
        generate, end = backbone.model.generate, backbone.tokenizer.eos_token_id

        def watched(**arguments: Any) -> Any:
            output = generate(**arguments)
            written = output[:, arguments["input_ids"].shape[1] :]
            self.rows += len(written)
            self.stopped += int((written == end).any(dim=1).sum())
            return output

        backbone.model.generate = watched
        try:
            yield
        finally:
            del backbone.model.generate  # the class's own method again


def chunks(recognizer: EmotionRecognizer, conversations: Sequence[Conversation]) -> list[Chunk]:
    """Encoded examples, as many at once as recognition takes, conversations whole."""
    made: list[list[tuple[Example, EncodedExample]]] = [[]]
    for conversation in conversations:
        examples = list(recognizer.prompt.examples(conversation))
        if len(made[-1]) + len(examples) > CHUNK:
            made.append([])
        made[-1] += zip(examples, recognizer.encode(examples), strict=True)
    return [chunk for chunk in made if chunk]


def timed(answer: Answer, backbone: Backbone, parts: Sequence[Chunk]) -> tuple[Elapsed, list[str]]:
    """How long a side takes for everything, and what it says."""
    with Stopwatch() as watch:
        answers = list(itertools.chain.from_iterable(answer(backbone, part) for part in parts))
    return watch.elapsed, answers


def compare(
    recognizer: EmotionRecognizer, conversations: Sequence[Conversation], *, batch_size: int, rounds: int
) -> list[Row]:
    """All sides in turns; medians of the rounds."""
    parts, backbone = chunks(recognizer, conversations), recognizer.backbone
    generated = Generated(batch_size)
    sides: dict[str, Answer] = {
        "tree": by_trees,
        "generate": generated,
        "padded": Padded(batch_size),
        "alone": by_trees_alone,
    }
    times: dict[str, list[Elapsed]] = {side: [] for side in sides}
    said: dict[str, list[str]] = {}
    for answer in sides.values():  # the first call of each pays for what later ones find done
        answer(backbone, parts[0][:batch_size])
    generated.rows = generated.stopped = 0
    for number in range(rounds):
        for side, answer in sides.items():
            print(f"{side}, round {number + 1} of {rounds}", file=sys.stderr)
            elapsed, said[side] = timed(answer, backbone, parts)
            times[side].append(elapsed)
    turns = sum(map(len, parts))
    rows = [_row(side, len(conversations), turns, times, said) for side in sides]
    rows[1]["stopped"] = generated.stopped / generated.rows
    return rows


def _row(side: str, count: int, turns: int, times: dict[str, list[Elapsed]], said: dict[str, list[str]]) -> Row:
    wall, processor = (median(getattr(one, name) for one in times[side]) for name in ("wall", "processor"))
    row: Row = {"side": side, "conversations": count, "turns": turns, "wall": wall, "processor": processor}
    row["rate"] = count / wall
    if side != "tree":
        row["wall_ratio"] = wall / median(one.wall for one in times["tree"])
        row["processor_ratio"] = processor / median(one.processor for one in times["tree"])
        row["agreement"] = sum(a == b for a, b in zip(said[side], said["tree"], strict=True)) / turns
    return row


def recognizer_of(given: argparse.Namespace) -> tuple[EmotionRecognizer, tuple[Conversation, ...]]:
    """The trained model, and the conversations of its test split."""
    from instructerc.recognition.artefact import read_artefact

    artefact, _ = read_artefact(given.checkpoint)
    precision: Precision | None = "float32" if given.float32 else None
    recognizer = EmotionRecognizer.from_pretrained(given.checkpoint, mode="score", precision=precision)
    use_trees(recognizer.backbone, "tree")  # makes the backbone ready for them, as a recognition does
    corpus = corpus_of(given.corpus or artefact.corpus, given.folder)
    if corpus is None:
        sys.exit("no conversations: give --folder, the folder of the corpus's files")
    return recognizer, corpus.test[: given.conversations]


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a row a side; returns the exit status."""
    parser = parser_of(__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder of a finished run")
    parser.add_argument("--corpus", help="whose test split is recognised (the one that the model learned from)")
    parser.add_argument("--folder", type=Path, help="where its files are")
    parser.add_argument("--conversations", type=int, help="at most (all)")
    parser.add_argument("--batch-size", type=int, default=8, help="prompts of a padded batch (8)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--float32", action="store_true", help="compute in float32, whatever the training did")
    given = parser.parse_args(argv)
    use_threads(given.threads)
    recognizer, conversations = recognizer_of(given)
    rows = compare(recognizer, conversations, batch_size=given.batch_size, rounds=given.rounds)
    computed = "bfloat16" if recognizer.backbone.autocast else "the weights' own precision"
    prompt, name = recognizer.prompt, Path(recognizer.backbone.name).name
    about = (
        f"{name}, wording {prompt.wording}, window {prompt.window.size or 'all'}, stride "
        f"{prompt.window.stride}, batches of {given.batch_size}, computed in {computed}; median of {given.rounds}."
    )
    finish(given, argv, COLUMNS, rows, notes=[about])
    differing = given.float32 and any(row["agreement"] < 1 for row in rows if row["side"] in ("padded", "alone"))
    if differing:
        print("padded scoring names other emotions than trees do", file=sys.stderr)
    return int(differing)


if __name__ == "__main__":
    sys.exit(main())
