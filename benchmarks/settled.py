"""What it gains to cast weights once: the model that ships, turn by turn and many at once, and its memory.

[INSTRUCTERC_SHARED=FOLDER] python benchmarks/settled.py [--rounds 3] [--json benchmarks/results/settled.json]

Test conversations of MELD where FOLDER holds data/meld, of the sample otherwise. Both sides take turns, each
measurement is a process of its own, in processor time, so that other load distorts little; the median of the rounds
counts, memory is the most that a process held. The answers are compared bit by bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence

from instructerc.backbones.backbone import Backbone
from instructerc.recognition import recognizer as recognition
from measuring import SHARED_VARIABLE, Column, Row, Stopwatch, corpus_of, finish, median, parser_of, use_threads

COLUMNS = (
    Column("weights", "weights"),
    Column("live", "a live turn", ",.0f", " ms"),
    Column("speed", "turns a second", ",.0f"),
    Column("memory", "memory", ",.0f", " MiB"),
    Column("same", "answers"),
)
SIDES = ("cast at every pass", "cast once")
LIVE = 3
"""Conversations that are followed turn by turn, after one that warms up."""


def leave(backbone: Backbone) -> None:
    """Settles nothing."""


def measure(side: str, count: int) -> Row:
    """Loads the model, follows a few conversations, then labels many; for a process of its own."""
    if side == SIDES[0]:
        recognition.settle = leave
    corpus = corpus_of("meld" if os.environ.get(SHARED_VARIABLE) else "sample")
    assert corpus is not None
    recognizer = recognition.EmotionRecognizer.from_pretrained("embedded", device="cpu", batch_size=32)
    recognizer.recognize(corpus.test[0])
    followed = corpus.test[1 : 1 + LIVE]
    with Stopwatch() as live:
        for conversation in followed:
            session = recognizer.session()
            for turn in conversation.utterances:
                session.add(turn.speaker, turn.text)
    with Stopwatch() as many:
        rows = [row for found in recognizer.recognize_all(corpus.test[:count]) for row in found]
    answers = json.dumps([list((row.probabilities or {}).values()) for row in rows])
    return {
        "live": live.elapsed.processor / sum(map(len, followed)) * 1000,
        "speed": len(rows) / many.elapsed.processor,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "answers": hashlib.sha256(answers.encode()).hexdigest(),
    }


def in_child(side: str, count: int, threads: int) -> Row:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--child", side, "--conversations", str(count), "--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a side."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--conversations", type=int, default=60, help="labelled at once (60)")
    parser.add_argument("--child", choices=SIDES, help="measures one side in this process")
    given = parser.parse_args(argv)
    if given.child:
        use_threads(given.threads)
        print(json.dumps(measure(given.child, given.conversations)))
        return
    found: dict[str, list[Row]] = {side: [] for side in SIDES}
    for _ in range(given.rounds):
        for side in SIDES:
            found[side].append(in_child(side, given.conversations, given.threads))
    first = found[SIDES[0]][0]["answers"]
    rows = [
        {
            "weights": side,
            "live": median(row["live"] for row in measured),
            "speed": median(row["speed"] for row in measured),
            "memory": max(row["memory"] for row in measured),
            "same": "the same bits" if all(row["answers"] == first for row in measured) else "others",
        }
        for side, measured in found.items()
    ]
    notes = [f"processor time on {given.threads} thread; median of {given.rounds} rounds"]
    finish(given, argv, COLUMNS, rows, notes=notes)


if __name__ == "__main__":
    main()
