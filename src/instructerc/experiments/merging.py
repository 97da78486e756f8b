"""From a trained model to a merged one beside it: written, tried on a sample of turns, and only then put in place."""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructerc.assets import write_atomically
from instructerc.backbones.chatglm.checkpoint import MODEL_TYPE
from instructerc.backbones.loading import Dtype
from instructerc.conversation import Conversation
from instructerc.errors import UsageError
from instructerc.recognition.artefact import FILE, Artefact, read_artefact
from instructerc.recognition.merging import Difference, check_mergeable, compare_answers, write_merged
from instructerc.recognition.predictions import TurnPrediction
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.reporting.card import merged_card

CARD = "README.md"

TOLERATED = 0.02
"""Share of changed labels above which a merged model is no stand-in; rounding turns ties only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """What came out of merging.

    Attributes:
        folder: The merged model.
        artefact: What it is.
        size: Of its files, in bytes.
        difference: How far its answers lie from those of the trained model; None where nothing was compared.
    """

    folder: Path
    artefact: Artefact
    size: int
    difference: Difference | None

    @property
    def warning(self) -> str | None:
        """What to know before it is used; None where all is well."""
        if self.difference is None or self.difference.share <= TOLERATED:
            return None
        return (
            f"{100 * self.difference.share:.1f} % of the labels changed, over {100 * TOLERATED:g} %: measure the "
            "merged model on labelled turns before you use it"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "folder": str(self.folder),
            "dtype": self.artefact.dtype,
            "bytes": self.size,
            "difference": None if self.difference is None else self.difference.to_json(),
            "warning": self.warning,
        }


def merge_model(
    folder: Path,
    out: Path,
    *,
    dtype: Dtype = "auto",
    sample: Sequence[Conversation] = (),
    overwrite: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> MergeResult:
    """Merges what was trained into the weights of its backbone, and compares the answers of both on a sample.

    The sample is labelled by the trained model, then by the merged one as it will lie on the disk; one model is in
    memory at a time. The folder appears under its name when all of that is done.

    Args:
        folder: A run folder, or the folder of a trained model.
        out: Where the merged model goes.
        dtype: What to write the weights in; `auto` is what the trained model computes with on this machine.
        sample: Conversations to compare the answers on; without any, nothing is compared.
        overwrite: Whether a model that lies there already may go.
        note: Told what is being done.

    Raises:
        UsageError: There is nothing to merge, or `out` holds something that may not go.
        ArtefactError: The folder holds no trained model, or a damaged one.
        BackboneError: Its backbone cannot be loaded, or is of a kind that cannot be saved.
    """
    artefact, place = read_artefact(folder)
    check_mergeable(artefact, place)
    refuse_target(out, place, artefact, overwrite=overwrite)
    before: list[TurnPrediction] = []
    if sample:
        note("labelling the sample with the trained model")
        before = _answers(folder, sample)
    with _fresh(out) as fresh:
        note("merging")
        merged = write_merged(folder, fresh, dtype=dtype)
        gc.collect()
        difference = None
        if sample:
            note("labelling the sample with the merged model")
            difference = compare_answers(before, _answers(fresh, sample))
        card = place / CARD
        text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None
        told = merged_card(text, merged.to_json(), compared=_told(difference), plain=_is_plain(fresh))
        write_atomically(fresh / CARD, told.encode("utf-8", "replace"))
        size = sum(path.stat().st_size for path in fresh.rglob("*") if path.is_file())
        _put(fresh, out)
    return MergeResult(folder=out, artefact=merged, size=size, difference=difference)


def refuse_target(out: Path, place: Path, artefact: Artefact, *, overwrite: bool) -> None:
    """Sees to it that merging destroys nothing that nobody offered.

    Raises:
        UsageError: `out` is a file, holds something, or is where the trained model or its backbone lies.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file: choose another folder (--out)")
    if not out.is_dir() or not any(out.iterdir()):
        return
    own = (place.resolve(), Path(artefact.backbone).resolve())
    if any(path == out.resolve() or out.resolve() in path.parents for path in own):
        raise UsageError(f"{out}: the trained model or its backbone lies there: choose another folder (--out)")
    if not (out / FILE).is_file():
        raise UsageError(f"{out}: is not empty, and holds no model of ours: choose another folder (--out)")
    if not overwrite:
        raise UsageError(f"{out}: holds a model already: choose another folder (--out), or add --overwrite")


def sample_conversations(conversations: Sequence[Conversation], turns: int) -> tuple[Conversation, ...]:
    """The first conversations, so many turns in all; the last one is cut where it has more.

    Example:
        >>> from instructerc.testing import tiny_corpus
        >>> [len(chat) for chat in sample_conversations(tiny_corpus().train, 6)]
        [4, 2]
    """
    taken, left = [], turns
    for conversation in conversations:
        if left <= 0:
            break
        part = conversation.utterances[:left]
        taken.append(Conversation(conversation.id, tuple(part)))
        left -= len(part)
    return tuple(taken)


def _answers(folder: Path, sample: Sequence[Conversation]) -> list[TurnPrediction]:
    recognizer = EmotionRecognizer.from_pretrained(folder, allow_oracle=True)
    rows = list(itertools.chain.from_iterable(recognizer.recognize_all(sample)))
    del recognizer
    gc.collect()  # models hang in reference cycles; the next one needs their room
    return rows


def _is_plain(folder: Path) -> bool:
    """Whether transformers knows the architecture; that of ChatGLM's first version is our own."""
    record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return bool(record["model_type"] != MODEL_TYPE)


def _told(difference: Difference | None) -> str:
    if difference is None:
        return "Its answers were not compared with those of the model that it was made from."
    apart = "" if difference.probability is None else f", and no probability by more than {difference.probability:.2g}"
    return (
        f"On {difference.turns} turns, {difference.changed} labels differ from those of the model that it was made "
        f"from ({100 * difference.share:.2f} %){apart}."
    )


@contextlib.contextmanager
def _fresh(out: Path) -> Iterator[Path]:
    """A folder beside the target, which goes when it was not put in place."""
    fresh = out.with_name(f".{out.name}.{secrets.token_hex(4)}.new")
    fresh.mkdir(parents=True)
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _put(fresh: Path, out: Path) -> None:
    old = fresh.with_suffix(".old")
    if out.is_dir():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)
