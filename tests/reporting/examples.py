"""A small report that holds everything once, hostile text included."""

from __future__ import annotations

from dataclasses import replace

from instructerc.conversation import Utterance
from instructerc.evaluation import evaluate, evaluate_by_source
from instructerc.recognition.predictions import TurnPrediction
from instructerc.reporting import Curves, Report, WrongTurn, report_of_rows

LABELS = ("neutral", "joy", "anger")
SCRIPT = "<script>alert('x')</script>"
HEBREW = "אני לא מאמין! \u202e txet"
EMOJI = "👩‍👩‍👧 🙂"


def rows() -> list[TurnPrediction]:
    sure = {"neutral": 0.2, "joy": 0.7, "anger": 0.1}
    unsure = {"neutral": 0.3, "joy": 0.4, "anger": 0.3}
    turns = [
        ("a", "Eve", "hello", "neutral", "neutral", {"neutral": 1.0, "joy": 0.0, "anger": 0.0}),
        ("a", SCRIPT, HEBREW, "anger", "joy", unsure),
        ("a", "Eve", f"{EMOJI} | `x` *y*\nz", "neutral", "joy", sure),
        ("b", "Ann", "", None, "joy", sure),
        ("b", "Bob", "yes", "joy", "joy", sure),
    ]
    return [
        TurnPrediction(
            conversation=conversation,
            turn=turn,
            speaker=speaker,
            text=text,
            gold=gold,
            emotion=emotion,
            probabilities=probabilities,
            dropped_turns=2 if turn == 2 else 0,
        )
        for turn, (conversation, speaker, text, gold, emotion, probabilities) in enumerate(turns)
    ]


def report() -> Report:
    return report_of_rows(
        rows(),
        title=f"Run {SCRIPT}",
        summary=HEBREW,
        labels=LABELS,
        neutral="neutral",
        samples=50,
        baselines={f"guess {SCRIPT}": evaluate(golds=["joy"], predictions=["joy"], labels=LABELS)},
        scores={"validation": evaluate(golds=["joy", "anger"], predictions=["joy", "bliss"], labels=LABELS)},
        curves=Curves(
            loss=tuple((float(step), 1 / (step + 1)) for step in range(30)),
            validation=((1.0, 0.4), (2.0, 0.5)),
            best_epoch=2.0,
        ),
        notices=[f"Beware of {SCRIPT}."],
        provenance={f"Run {SCRIPT}": {f"seed {SCRIPT}": 42, "file": SCRIPT, "peak": None, "bf16": True}},
    )


def mixture_rows() -> list[TurnPrediction]:
    """Two corpora in one file; "far" never carries anger."""
    turns = [("near:1", "joy", "joy"), ("near:2", "anger", "joy"), ("far:1", "joy", "joy"), ("far:2", "joy", "neutral")]
    return [
        TurnPrediction(conversation=conversation, turn=0, gold=gold, emotion=emotion)
        for conversation, gold, emotion in turns
    ]


def mixture_report() -> Report:
    """Two corpora, two stages, marks and demonstrations."""
    sources = evaluate_by_source(mixture_rows(), labels=LABELS, labels_of={"near": LABELS, "far": ("neutral", "joy")})
    speakers = Curves(
        loss=((1.0, 2.0),), validation=((1.0, 0.25), (2.0, 0.875)), best_epoch=2.0, task="speaker_identification"
    )
    return replace(
        report(),
        sources={**sources.by_source, f"odd {SCRIPT}": sources.overall},
        marks=("test-selected epoch", f"leaks {SCRIPT}"),
        stages={"speakers": speakers, f"more {SCRIPT}": Curves(best_epoch=3.0)},
        provenance={"Demonstrations": {"pairing": "nearest", "entries": 900, "agreement": 4021 / 9000}},
    )


def hostile_turn() -> WrongTurn:
    return WrongTurn(
        conversation=SCRIPT,
        turn=0,
        utterance=Utterance(SCRIPT, "null \x00 and half a pair \ud83d", SCRIPT),
        emotion=f'"{SCRIPT}',
        answer=f"</q>{SCRIPT}",
    )
