"""vLLM against transformers on a GPU: the same emotions, and prompts a second.

python benchmarks/gpu_vllm.py [--model FOLDER] [--size 1b] [--dtype float32] [--conversations 20] [--turns 20]
    [--rounds 3] [--json benchmarks/results/gpu-vllm.json]
python benchmarks/gpu_vllm.py --dry         a tiny model on a CPU, without vLLM: whether the script runs, no figures

Needs a GPU and vLLM. --model is the folder of a transformers checkpoint; without it weights are random. Conversations
are synthetic, prompts show the whole history in the released wording.

```
trees     all labels under all prompts of a conversation, one pass a row: what the package does by itself
padded    left-padded batches, every label read from the prompt's keys and values
vllm      a request an edge of the labels' trie, prompts from the prefix cache
```

Tokens a second are those of all prompts, each counted once, whatever a side reads again or not at all. Where the best
two labels lie closer together than --margin, rounding may decide otherwise; every other turn has to get the same
emotion, or the run ends with status 1. The model is loaded twice, one after the other.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import conversations
from gpu_trees import CONTEXT, SIZES, backbone_of, tokenizer
from instructerc.backbones.loading import load_backbone, quiet_transformers
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import PromptSpec, Window
from instructerc.recognition.scoring import PaddedScoring
from instructerc.recognition.tree_scoring import TreeScoring
from measuring import Column, Row, Stopwatch, finish, median, parser_of

COLUMNS = (
    Column("side", "side"),
    Column("turns", "turns", ","),
    Column("tokens", "tokens of prompts", ","),
    Column("seconds", "wall", ".2f", " s"),
    Column("rate", "tokens a second", ",.0f"),
    Column("agreement", "same emotion as trees", ".2%"),
    Column("difference", "largest difference of a log-likelihood", ".1e"),
)

Scores = list[list[float]]


def random_model(folder: Path, size: str, dtype: str, *, device: str) -> Path:
    """Saves a random Llama, with which labels differ more than rounding does."""
    import torch

    reader = tokenizer()
    backbone = backbone_of(SIZES[size], "sdpa", reader, device=device, dtype=getattr(torch, dtype), checkpointing=False)
    with torch.no_grad():
        backbone.model.lm_head.weight.mul_(20)
    backbone.model.config.use_cache = True
    backbone.model.save_pretrained(folder)
    reader.save_pretrained(folder)
    return folder


def examples_of(reader: Any, count: int, turns: int) -> list[EncodedExample]:
    """Every turn of some conversations with its whole history."""
    spec = PromptSpec(labels=conversations.labels(), window=Window(size=None))
    chats = conversations.synthetic(count, turns=turns)
    return PromptEncoder(reader, CONTEXT).encode_all(example for chat in chats for example in spec.examples(chat))


def timed(score: Callable[[], Scores], rounds: int) -> tuple[Scores, float]:
    """The scores, and the median wall time; the first round warms up and does not count where there are several."""
    seconds: list[float] = []
    scores: Scores = []
    for _ in range(rounds + (rounds > 1)):
        with Stopwatch() as watch:
            scores = score()
        seconds.append(watch.elapsed.wall)
    return scores, median(seconds[1:] or seconds)


def best(row: Sequence[float]) -> int:
    """Place of the highest score."""
    return max(range(len(row)), key=row.__getitem__)


def compare(scores: Scores, right: Scores, margin: float) -> tuple[float, float, int]:
    """Share of turns with the same emotion, largest difference, and turns that differ though they are no close call."""
    pairs = list(zip(scores, right, strict=True))
    same = [best(row) == best(other) for row, other in pairs]
    largest = max(abs(one - two) for row, other in pairs for one, two in zip(row, other, strict=True))
    clear = [max(other) - sorted(other)[-2] > margin for _, other in pairs]
    wrong = sum(not agrees and sure for agrees, sure in zip(same, clear, strict=True))
    return sum(same) / len(same), largest, wrong


def main(argv: Sequence[str] | None = None) -> int:
    parser = parser_of(__doc__, threads=False)
    parser.add_argument("--model", type=Path, help="folder of a transformers checkpoint; random weights without it")
    parser.add_argument("--size", choices=SIZES, default="1b", help="of random weights (1b)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--margin", type=float, default=0.01, help="closer calls may go either way (0.01)")
    parser.add_argument("--conversations", type=int, default=20)
    parser.add_argument("--turns", type=int, default=20, help="of each conversation (20)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="a tiny model on a CPU, without vLLM")
    given = parser.parse_args(argv)
    import torch

    quiet_transformers()
    if given.dry:
        given.size, given.conversations, given.turns, given.rounds = "tiny", 2, 4, 1
    elif not torch.cuda.is_available():
        print("skipped: no GPU here; --dry tries the script on a CPU")
        return 0
    elif importlib.util.find_spec("vllm") is None:
        print("skipped: vLLM is not installed (pip install 'instructerc[vllm]')")
        return 0
    device = "cpu" if given.dry else "cuda"
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or random_model(Path(folder), given.size, given.dtype, device=device)
        rows, wrong = rows_of(given, str(model), device=device)
    name = given.model.name if given.model else f"random weights, {given.size}"
    about = f"{name}, {given.dtype}, torch {torch.__version__}; median of {given.rounds}."
    finish(given, argv, COLUMNS, rows, notes=[about])
    if wrong:
        print(f"{wrong} turns got another emotion, and were no close call", file=sys.stderr)
    return int(wrong > 0)


def own_sides(given: Any, model: str, *, device: str) -> tuple[list[EncodedExample], dict[str, tuple[Scores, float]]]:
    """What to score, and what the package makes of it by itself."""
    backbone = load_backbone(model, dtype=given.dtype, precision="float32", device=device, style="plain")
    examples = examples_of(backbone.tokenizer, given.conversations, given.turns)
    trees = timed(lambda: TreeScoring().score(backbone, examples), given.rounds)
    return examples, {"trees": trees, "padded": timed(lambda: PaddedScoring().score(backbone, examples), given.rounds)}


def rows_of(given: Any, model: str, *, device: str) -> tuple[list[Row], int]:
    """A row a side, and how many turns differ though they should not."""
    examples, sides = own_sides(given, model, device=device)
    if not given.dry:
        import torch

        from instructerc.recognition.vllm_engine import load_vllm

        gc.collect()
        torch.cuda.empty_cache()
        _, engine = load_vllm(model, dtype=given.dtype, style="plain", max_length=CONTEXT)
        sides["vllm"] = timed(lambda: engine.score(examples), given.rounds)
    tokens = sum(len(example.prompt) for example in examples)
    right, _ = sides["trees"]
    rows, differing = [], 0
    for side, (scores, seconds) in sides.items():
        agreement, difference, wrong = compare(scores, right, given.margin)
        differing += wrong
        row = {"side": side, "turns": len(examples), "tokens": tokens, "seconds": seconds, "rate": tokens / seconds}
        rows.append({**row, "agreement": agreement, "difference": difference})
    return rows, differing


if __name__ == "__main__":
    sys.exit(main())
