"""What wordings cost: tokens and time of learning and of recognition, on the embedded backbone.

INSTRUCTERC_SHARED=FOLDER python benchmarks/wordings.py [--corpora meld emorynlp] [--conversations 60] [--rounds 3]
    [--json benchmarks/results/wordings.json]

Every wording is read by the same model, on the same conversations, in turns; the median of the rounds counts. Tokens
and times are those of token trees; `padded` is what the same examples are in batches of 8 of about one length. An epoch
is that of all training conversations, as far as `--conversations` of them tell.

How good each wording is takes trainings: `python scripts/record_training.py RUN_FOLDER …` keeps their figures, and
docs/benchmarks.md shows them beside these.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample
from instructerc.conversation import Conversation, Corpus
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.tree_scoring import TreeScoring
from measuring import Column, Elapsed, Row, Stopwatch, corpus_of, finish, median, parser_of, use_threads
from passes import Learner, encode, load_trainable, steps_of
from tree_tokens import learning, recognition, window_name

BUDGET, BATCH = 512, 8
WORDINGS = ("released", "compact-repeated", "compact")
COLUMNS = (
    Column("corpus", "corpus"),
    Column("window", "window"),
    Column("wording", "wording"),
    Column("padded", "an epoch, padded", ",", " tokens"),
    Column("trees", "as trees", ",", " tokens"),
    Column("fewer", "fewer than released", ".2f", "×"),
    Column("epoch", "an epoch", ".0f", " s"),
    Column("epoch_processor", "processor", ".0f", " s"),
    Column("epoch_faster", "faster than released", ".2f", "×"),
    Column("recognition_trees", "test split as trees", ",", " tokens"),
    Column("recognition", "test split", ".1f", " s"),
    Column("recognition_processor", "processor", ".1f", " s"),
    Column("recognition_faster", "faster than released", ".2f", "×"),
    Column("dropped", "turns dropped", ","),
)


@dataclass(slots=True)
class Measured:
    """One wording: what it has to read, and how long that took, a round each."""

    spec: PromptSpec
    learned: list[EncodedExample]
    recognised: list[EncodedExample]
    learning: list[Elapsed] = field(default_factory=list)
    recognition: list[Elapsed] = field(default_factory=list)


def groups(examples: Sequence[EncodedExample]) -> list[list[EncodedExample]]:
    """The examples of each conversation."""
    found: dict[str, list[EncodedExample]] = {}
    for example in examples:
        found.setdefault(example.conversation, []).append(example)
    return list(found.values())


def one_round(backbone: Backbone, learner: Learner, wording: Measured) -> None:
    """Learns and recognises once."""
    dataset = steps_of("tree", backbone, wording.learned, batch_size=32)
    wording.learning.append(learner.learn(dataset).elapsed)
    backbone.model.eval()
    with Stopwatch() as watch:
        TreeScoring().score(backbone, wording.recognised)
    wording.recognition.append(watch.elapsed)


def compare(
    corpus: Corpus, window: Window, wordings: Sequence[str], backbone: Backbone, *, count: int, rounds: int
) -> Iterator[Row]:
    """A row a wording; the whole corpus is extrapolated from `count` conversations of each split."""
    train, test = corpus.train[:count], corpus.test[:count]
    measured = []
    for name in wordings:
        spec = PromptSpec(labels=corpus.labels, wording=name, window=window)
        measured.append(Measured(spec, encode(backbone, spec, train), encode(backbone, spec, test)))
    learner = Learner(backbone)
    learner.learn(steps_of("tree", backbone, measured[0].learned, batch_size=32), steps=1)
    for number in range(rounds):
        for wording in measured:
            print(f"{corpus.name}, {wording.spec.wording}, round {number + 1} of {rounds}", file=sys.stderr)
            one_round(backbone, learner, wording)
    scales = turns(corpus.train) / turns(train), turns(corpus.test) / turns(test)
    rows = [_row(corpus, window, wording, scales) for wording in measured]
    yield from (against(row, rows[0]) for row in rows)


def turns(conversations: Sequence[Conversation]) -> int:
    """Turns of conversations that carry an emotion."""
    return sum(turn.emotion is not None for conversation in conversations for turn in conversation.utterances)


def _row(corpus: Corpus, window: Window, wording: Measured, scales: tuple[float, float]) -> Row:
    learned = learning(groups(wording.learned), batch=BATCH, budget=BUDGET)
    read = recognition(groups(wording.recognised), batch=BATCH, budget=BUDGET)
    epoch, test = scales
    return {
        "corpus": corpus.name,
        "window": window_name(window),
        "wording": wording.spec.wording,
        "padded": round(learned["padded"] * epoch),
        "trees": round(learned["trees"] * epoch),
        "epoch": median(one.wall for one in wording.learning) * epoch,
        "epoch_processor": median(one.processor for one in wording.learning) * epoch,
        "recognition_trees": round(read["trees"] * test),
        "recognition": median(one.wall for one in wording.recognition) * test,
        "recognition_processor": median(one.processor for one in wording.recognition) * test,
        "dropped": sum(example.dropped_turns for example in wording.learned),
    }


def against(row: Row, released: Row) -> Row:
    """What a wording costs, measured by the first one."""
    ratios = {"fewer": "trees", "epoch_faster": "epoch_processor", "recognition_faster": "recognition_processor"}
    return {**row, **{name: released[key] / row[key] for name, key in ratios.items()}}


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a corpus, window and wording."""
    parser = parser_of(__doc__)
    parser.add_argument("--corpora", nargs="+", default=["meld", "emorynlp"])
    parser.add_argument("--wordings", nargs="+", default=list(WORDINGS))
    parser.add_argument("--strides", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--conversations", type=int, default=60, help="of each split (60)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args(argv)
    use_threads(given.threads)
    backbone = load_trainable("embedded", precision=given.precision)
    rows: list[Row] = []
    for name in given.corpora:
        corpus = corpus_of(name)
        for stride in given.strides if corpus else ():
            assert corpus is not None
            window = Window(size=12, stride=stride)
            rows += compare(corpus, window, given.wordings, backbone, count=given.conversations, rounds=given.rounds)
    about = (
        f"Embedded backbone, 32 examples a step, {given.threads} thread, up to {given.conversations} conversations of "
        f"each split, scaled to all of them by turns; median of {given.rounds}. Times of a wording are set against "
        f"those of {given.wordings[0]} by processor time; turns dropped are those of the conversations that were read."
    )
    finish(given, argv, COLUMNS, rows, notes=[about])


if __name__ == "__main__":
    main()
