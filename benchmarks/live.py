"""Live conversations: time and tokens a turn, by a session and by reading the turn's whole prompt anew.

python benchmarks/live.py [--turns 60] [--runs 3] [--backbone embedded] [--wording compact] [--json FILE]

Both sides answer the same turns in one run, turn by turn beside each other, and must name the same emotions. From
scratch means the last turn's prompt alone, its labels as a tree: the least that can be done without a cache. Times are
those of the process (rendering and tokenising included), not of the clock: other programs do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conversations import labels, synthetic
from instructerc.backbones.loading import load_backbone
from instructerc.conversation import Conversation
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.trees import TokenTree
from measuring import Column, Row, Stopwatch, finish, median, parser_of, use_threads

WINDOWS = (
    Window(size=12, stride=1),
    Window(size=12, stride=6),
    Window(size=12, stride=12),
    Window(size=None),
    Window(size=None, stride=12),  # differs where a prompt is full: oldest turns go in blocks
)

COLUMNS = (
    Column("size", "window"),
    Column("stride", "stride"),
    Column("scratch_tokens", "tokens a turn: scratch", ".0f"),
    Column("session_tokens", "session", ".0f"),
    Column("token_ratio", "ratio", ".1f", "x"),
    Column("scratch_median", "median ms a turn: scratch", ".1f"),
    Column("session_median", "session", ".1f"),
    Column("median_ratio", "ratio", ".1f", "x"),
    Column("scratch_mean", "mean ms a turn: scratch", ".1f"),
    Column("session_mean", "session", ".1f"),
    Column("mean_ratio", "ratio", ".1f", "x"),
    Column("rebuilds", "rebuilt"),
    Column("dropped", "turns dropped"),
)


def from_scratch(recognizer: EmotionRecognizer, conversation: Conversation) -> str:
    """The emotion of the last turn, whose whole prompt is read."""
    (row,) = recognizer.answer([recognizer.prompt.example(conversation, len(conversation) - 1)])
    return row.emotion


def one_run(recognizer: EmotionRecognizer, chat: Conversation, row: Row) -> tuple[list[float], list[float]]:
    """Processor milliseconds of every turn, from scratch and by a session."""
    session = recognizer.session(chat.id)
    times: tuple[list[float], list[float]] = ([], [])
    for turn, said in enumerate(chat.utterances):
        with Stopwatch() as scratch:
            expected = from_scratch(recognizer, Conversation(chat.id, chat.utterances[: turn + 1]))
        with Stopwatch() as live:
            found = session.add(said.speaker, said.text)
        assert found.emotion == expected, f"turn {turn}: {found.emotion} by the session, {expected} from scratch"
        times[0].append(1000 * scratch.elapsed.processor)
        times[1].append(1000 * live.elapsed.processor)
    done, turns = session.statistics, len(chat)
    (encoded,) = recognizer.encode([recognizer.prompt.example(chat, 0)])
    answers = len(TokenTree.from_sequences([answer[:-1] for answer in encoded.answers]))  # both sides read them
    row["scratch_tokens"] = (done.cached_tokens + done.read_tokens) / turns + answers
    row["session_tokens"] = done.read_tokens / turns + answers
    row["rebuilds"] = done.rebuilds
    row["dropped"] = max(prediction.dropped_turns for prediction in session.predictions)
    return times


def a_turn(runs: Iterable[Sequence[float]]) -> list[float]:
    """The median run of each turn."""
    return [median(times) for times in zip(*runs, strict=True)]


def measure(recognizer: EmotionRecognizer, chat: Conversation, runs: int) -> Row:
    """A row of the table."""
    window = recognizer.prompt.window
    row: Row = {"size": str(window.size or "all"), "stride": str(window.stride)}
    one_run(recognizer, Conversation(chat.id, chat.utterances[:3]), row)  # what is done once is done by then
    measured = [one_run(recognizer, chat, row) for _ in range(runs)]
    for number, side in enumerate(("scratch", "session")):
        times = a_turn(run[number] for run in measured)
        row[f"{side}_median"] = median(times)
        row[f"{side}_mean"] = sum(times) / len(times)
    for ratio, figure in (("token_ratio", "tokens"), ("median_ratio", "median"), ("mean_ratio", "mean")):
        row[ratio] = row[f"scratch_{figure}"] / row[f"session_{figure}"]
    return row


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row a window."""
    parser = parser_of(__doc__)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--backbone", default="embedded")
    parser.add_argument("--wording", default="compact")
    arguments = parser.parse_args(argv)
    use_threads(arguments.threads)
    backbone = load_backbone(arguments.backbone, dtype="float32", precision="float32")
    (chat,) = synthetic(1, turns=arguments.turns)
    rows = []
    for window in WINDOWS:
        spec = PromptSpec(labels=labels(), wording=arguments.wording, window=window)
        rows.append(measure(EmotionRecognizer(backbone=backbone, prompt=spec), chat, arguments.runs))
    notes = [
        f"{arguments.backbone}, {arguments.wording} wording, {arguments.turns} turns, median of {arguments.runs} runs"
    ]
    finish(arguments, argv, COLUMNS, rows, notes=notes)


if __name__ == "__main__":
    main()
