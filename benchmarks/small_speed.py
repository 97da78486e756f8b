"""Turns a second of the embedded backbones, on one core and on two, and the memory that it takes.

INSTRUCTERC_SHARED=FOLDER python benchmarks/small_speed.py [--rounds 3] [--json benchmarks/results/small-speed.json]

The test conversations of MELD, and one conversation of 2,000 turns, by the model that ships (`embedded-turns`), and by
the other embedded backbones, untrained, with the prompts of their recipes: how well a model was trained changes no
time. Each row is a process of its own, models take turns, the median of the rounds counts; memory is the most that the
process held.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from instructerc.conversation import Conversation
from instructerc.recognition.recognizer import EmotionRecognizer
from measuring import Column, Row, corpus_of, finish, median, parser_of, use_threads

PROMPTS: dict[str, Any] = {
    "embedded-encoder": {"wording": "compact", "size": 6, "stride": 1},
    "embedded": {"wording": "compact-repeated", "size": 12, "stride": 4},
}
"""Wording and window of the recipe of each backbone that does not ship."""

MODELS = ("shipped", *PROMPTS)
LONG = 2000
"""Turns of the long conversation."""

COLUMNS = (
    Column("model", "model"),
    Column("conversations", "conversations"),
    Column("threads", "cores", ".0f"),
    Column("speed", "turns a second", ".1f"),
    Column("memory", "memory", ",.0f", " MiB"),
)


def recognizer_of(model: str) -> EmotionRecognizer:
    """The model that ships, or another backbone with the prompts of its recipe."""
    from instructerc.backbones.loading import load_backbone
    from instructerc.backbones.settling import settle
    from instructerc.labels import get_label_set
    from instructerc.prompts import PromptSpec, Window

    if model == "shipped":
        return EmotionRecognizer.from_pretrained("embedded", device="cpu", batch_size=32)
    labels = get_label_set("meld").labels
    asked = PROMPTS[model]
    window = Window(size=asked["size"], stride=asked["stride"])
    spec = PromptSpec(labels=labels, wording=asked["wording"], window=window)
    backbone = load_backbone(model, device="cpu")
    settle(backbone)  # as a model is that was loaded to be asked
    return EmotionRecognizer(backbone=backbone, prompt=spec, batch_size=32)


def conversations(kind: str, limit: int | None) -> list[Conversation]:
    """MELD's test conversations, or their turns and those of training as one conversation."""
    corpus = corpus_of("meld") or corpus_of("sample")
    assert corpus is not None
    if kind == "test":
        return list(corpus.test[:limit])
    turns = [turn for part in (corpus.test, corpus.train) for chat in part for turn in chat.utterances]
    return [Conversation("long", tuple(turns[: limit or LONG]))]


def measure(model: str, kind: str, *, threads: int, limit: int | None) -> Row:
    """Loads a model, warms up, and labels; for a process of its own."""
    use_threads(threads)
    recognizer, chats = recognizer_of(model), conversations(kind, limit)
    recognizer.recognize(Conversation("warm", chats[0].utterances[:12]))
    began = time.perf_counter()
    turns = sum(len(rows) for rows in recognizer.recognize_all(chats))
    seconds = time.perf_counter() - began
    return {"speed": turns / seconds, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def in_child(model: str, kind: str, *, threads: int, limit: int | None) -> Row:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--child", model, kind, "--threads", str(threads)]
    command += [] if limit is None else ["--limit", str(limit)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)}
    )
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a model, kind of conversation and number of cores."""
    parser = parser_of(__doc__, threads=False)
    parser.add_argument("--threads", type=int, default=2, help="cores that torch may use, at most (2)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--limit", type=int, help="conversations, or turns of the long one; all unless given")
    parser.add_argument("--child", nargs=2, help="measures one row in this process")
    given = parser.parse_args(argv)
    if given.child:
        print(json.dumps(measure(*given.child, threads=given.threads, limit=given.limit)))
        return
    cores = range(1, given.threads + 1)
    cases = [(model, kind, threads) for kind in ("test", "long") for threads in cores for model in given.models]
    found: dict[tuple[str, str, int], list[Row]] = {case: [] for case in cases}
    for _ in range(given.rounds):
        for case in cases:
            model, kind, threads = case
            found[case].append(in_child(model, kind, threads=threads, limit=given.limit))
            print(*case, found[case][-1], file=sys.stderr, flush=True)
    names = {"test": "MELD, test split", "long": f"one of {LONG:,} turns"}
    rows = [
        {
            "model": model,
            "conversations": names[kind],
            "threads": threads,
            "speed": median(row["speed"] for row in found[model, kind, threads]),
            "memory": max(row["memory"] for row in found[model, kind, threads]),
        }
        for model, kind, threads in cases
    ]
    finish(given, argv, COLUMNS, rows)


if __name__ == "__main__":
    main()
